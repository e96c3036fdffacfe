// Package demo holds the recording that ships in the binary: real containers,
// recorded by mayfly record, and the labels of the attacks on them.
//
// record.sh, beside this file, makes such a recording again; README.md says what
// is in it.
package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

//go:embed trace labels.csv
var files embed.FS

// Write puts the recording into a folder: dir/trace and dir/labels.csv. What is
// there already under these names is replaced.
func Write(dir string) error {
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		content, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		if err := renameio.WriteFile(to, content, 0o644); err != nil {
			return fmt.Errorf("recording: %w", err)
		}
		return nil
	})
}

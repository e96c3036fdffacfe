package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// checkOutput says, before any work is done, why a file must not or cannot be
// written: its place is taken by a directory, by a device or pipe, or by one of the
// inputs, or its folder is not there or not to be written into. Outputs come to their
// place by rename, so that root's -o /dev/null would put a plain file where the device
// was.
func checkOutput(path string, inputs ...string) error {
	if path == "-" {
		return usageErrorf("-: want a file to write, not standard output (./- is one)")
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return checkFolder(path)
	}
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return fmt.Errorf("%s: is a directory, want a file to write", path)
	case !info.Mode().IsRegular() || ofTheKernel(path):
		return fmt.Errorf("%s: is no regular file, want one to write", path)
	}
	for _, input := range inputs {
		if other, err := os.Stat(input); err == nil && os.SameFile(info, other) {
			return fmt.Errorf("%s: is an input and the output", path)
		}
	}
	return nil // findings are appended to a file that is there, whatever its folder allows
}

// checkFolder says why nothing can be written beside a file.
func checkFolder(path string) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no folder %s", path, folder)
	}
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s: folder %s: %w", path, folder, err)
	}
	return nil
}

// ofTheKernel tells names such as /dev/stdout, a link that may lead to a regular
// file and must stay a link.
func ofTheKernel(path string) bool {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	return err == nil && (dir == "/dev" || strings.HasPrefix(dir, "/proc/"))
}

// samePath reports whether two outputs, there or not, would be one file.
func samePath(a, b string) bool {
	absA, errA := filepath.Abs(a)
	absB, errB := filepath.Abs(b)
	return errA == nil && errB == nil && absA == absB
}

// output is a file to write; none where the path is empty.
type output struct {
	path  string
	write func(io.Writer) error
}

// checkOutputs is checkOutput for several, which must not be one another either.
func checkOutputs(outputs []output, inputs ...string) error {
	for i, out := range outputs {
		if out.path == "" {
			continue
		}
		if err := checkOutput(out.path, inputs...); err != nil {
			return err
		}
		if slices.ContainsFunc(outputs[:i], func(o output) bool { return o.path != "" && samePath(o.path, out.path) }) {
			return fmt.Errorf("%s: is two outputs", out.path)
		}
	}
	return nil
}

// writeOutputs makes every file's content before it writes the first. When one
// cannot be written, those that did not exist before are removed, and folder with
// them when it had to be made ("": none is needed).
func writeOutputs(folder string, outputs []output) (err error) {
	contents := make([]bytes.Buffer, len(outputs))
	for i, out := range outputs {
		if out.path == "" {
			continue
		}
		if err := out.write(&contents[i]); err != nil {
			return fmt.Errorf("%s: %w", out.path, err)
		}
	}
	var fresh []string
	defer func() {
		if err != nil {
			for _, path := range slices.Backward(fresh) {
				_ = os.Remove(path) // the first error is the one to tell
			}
		}
	}()
	if folder != "" {
		if _, err := os.Lstat(folder); err != nil {
			fresh = append(fresh, folder)
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	for i, out := range outputs {
		if out.path == "" {
			continue
		}
		if _, err := os.Lstat(out.path); err != nil {
			fresh = append(fresh, out.path)
		}
		if err := renameio.WriteFile(out.path, contents[i].Bytes(), 0o644); err != nil {
			if file := (*fs.PathError)(nil); errors.As(err, &file) {
				err = file.Err // which names the file beside, that nobody asked for
			}
			return fmt.Errorf("%s: %w", out.path, err)
		}
	}
	return nil
}

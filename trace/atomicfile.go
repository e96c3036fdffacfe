package trace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// tempSuffix ends the name of a file that is not complete yet.
const tempSuffix = ".tmp"

// atomicFile is a file that gets its name only once it is complete and on disk.
type atomicFile struct{ *os.File }

// createAtomic creates the temporary file beside path, readable by the owner only.
func createAtomic(path string) (*atomicFile, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*"+tempSuffix) // mode 0600
	if err != nil {
		return nil, err
	}
	return &atomicFile{f}, nil
}

// commit names the file path and makes sure that both it and its name survive a
// crash. When it fails no file is left under either name.
func (f *atomicFile) commit(path string) error {
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.abort())
	}
	if err := f.Close(); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

// abort closes and removes the temporary file.
func (f *atomicFile) abort() error {
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", path, err)
	}
	return nil
}

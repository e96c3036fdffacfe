//go:build !linux

package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
)

// osDisk is the disk of a machine that no recorder runs on: os.Root keeps it
// below the trace directory.
type osDisk struct {
	path string
	root *os.Root
}

func openDisk(dir string) (disk, error) {
	d := &osDisk{path: dir}
	if err := d.reopen(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *osDisk) reopen() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.path)
	if err == nil {
		d.root = root
	}
	return err
}

func (d *osDisk) where() string { return d.path }

func (d *osDisk) displaced() bool { _, err := os.Stat(d.path); return err != nil }
func (d *osDisk) close() error    { return d.root.Close() }

func (d *osDisk) create(name string) (diskFile, error) {
	return d.file(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (d *osDisk) open(name string) (diskFile, error) { return d.file(name, os.O_RDONLY) }

func (d *osDisk) file(name string, flags int) (diskFile, error) {
	f, err := d.root.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *osDisk) mkdir(name string) error        { return d.root.Mkdir(name, 0o700) }
func (d *osDisk) rename(from, to string) error   { return d.root.Rename(from, to) }
func (d *osDisk) remove(name string) error       { return d.root.Remove(name) }
func (d *osDisk) removeFolder(name string) error { return d.root.Remove(name) }
func (d *osDisk) syncFolder(name string) error   { return syncFolder(path.Join(d.path, name)) }

func (d *osDisk) list(folder string) ([]fs.DirEntry, error) {
	f, err := d.root.Open(folder)
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	sortEntries(entries)
	return entries, errors.Join(err, f.Close())
}

func (d *osDisk) size(name string) (int64, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d *osDisk) lock(string) (diskLock, []byte, error) {
	return nil, nil, fmt.Errorf("lock: %w on %s", errors.ErrUnsupported, runtime.GOOS)
}

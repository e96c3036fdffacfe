package trace

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// disk is what a Writer asks of a file system: the seam at which tests make each
// single operation fail. Names are relative to the trace directory, with
// slashes. Nothing below the trace directory is reached through a symbolic link.
type disk interface {
	create(name string) (diskFile, error)      // a file that must not exist yet, mode 0600
	open(name string) (diskFile, error)        // an existing file, to read
	mkdir(name string) error                   // one folder, mode 0700; its parent exists
	rename(from, to string) error              // replaces a file              // within one folder
	remove(name string) error                  // a file
	removeFolder(name string) error            // an empty one
	syncFolder(name string) error              // makes the names in a folder survive a power cut; "." is the trace directory
	list(folder string) ([]fs.DirEntry, error) // sorted by name
	size(name string) (bytes int64, err error) // of a regular file
	where() string                             // the trace directory, for readers
	displaced() bool                           // the trace directory is not where it was: removed or moved
	reopen() error                             // makes the trace directory anew where displaced
	close() error                              // lets go of the trace directory
	// lock takes the lock that the file name stands for, or fails with errLocked. It
	// returns the text that the file holds in both cases.
	lock(name string) (l diskLock, text []byte, err error)
}

// diskFile is an open file of a disk.
type diskFile interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// mkdirs makes a folder and those above it, so that they survive a power cut.
func mkdirs(d disk, folder string) error {
	made := "."
	for part := range strings.SplitSeq(folder, "/") {
		parent := made
		made = path.Join(made, part)
		err := d.mkdir(made)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = d.syncFolder(parent)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// draft is a file in the making: it has its name only after commit.
type draft struct {
	disk disk
	file diskFile
	base string // what the temporary name is made of
	name string // of the temporary file, or the name that commit gave it
	size int64

	named bool // commit gave it its name
	stays bool // and abort could not take that away: its rows are there, unless power is cut
}

// newDraft creates a file that will be in the folder of name.
func newDraft(d disk, name string) (*draft, error) {
	folder, base := path.Split(name)
	if err := mkdirs(d, path.Clean(folder)); err != nil {
		return nil, err
	}
	temp := folder + "." + base + tempSuffix
	file, err := d.create(temp)
	if errors.Is(err, fs.ErrExist) { // of a writer that was killed: names are one writer's own
		if err = d.remove(temp); err == nil {
			file, err = d.create(temp)
		}
	}
	if err != nil {
		return nil, err
	}
	return &draft{disk: d, file: file, base: base, name: temp}, nil
}

// Write appends to the file.
func (f *draft) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	f.size += int64(n)
	return n, err
}

// commit names the file, makes sure that it and its name survive a power cut,
// and closes it. After an error the file is as it was, or has the name and does
// not surely survive: then abort removes that.
func (f *draft) commit(name string) error {
	if err := f.file.Sync(); err != nil {
		return err
	}
	if err := f.disk.rename(f.name, name); err != nil {
		return err
	}
	f.name, f.named = name, true
	if err := f.disk.syncFolder(path.Dir(name)); err != nil {
		return err
	}
	return f.file.Close()
}

// abort closes and removes the file.
func (f *draft) abort() error {
	err := f.disk.remove(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // the folder was removed
	}
	f.stays = err != nil && f.named
	return errors.Join(f.file.Close(), err)
}

// move writes the file anew where its folder was removed, from what the open
// file still holds.
func (f *draft) move() error {
	moved, err := newDraft(f.disk, path.Join(path.Dir(f.name), f.base))
	if err != nil {
		return err
	}
	if _, err := io.Copy(moved, io.NewSectionReader(f.file, 0, f.size)); err != nil {
		return errors.Join(err, moved.abort())
	}
	_ = f.file.Close() // it has no name any more
	f.file, f.name = moved.file, moved.name
	return nil
}

func sortEntries(entries []fs.DirEntry) {
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
}

// diskLock is a lock that one process at a time holds on a directory. It holds a
// small text, too: what its last holder wrote into it.
type diskLock interface {
	write(text []byte) error // replaces the text, synced
	release() error
}

// errLocked says that another process holds the lock.
var errLocked = errors.New("is locked")

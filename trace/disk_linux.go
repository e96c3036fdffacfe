package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// osDisk is the disk of the machine. Folders are opened one below the other
// without following a symbolic link, so that whoever may write into a trace
// directory cannot lead a recorder out of it.
type osDisk struct {
	path string // of the trace directory
	root *os.File
}

// openDisk opens a trace directory, which it makes (mode 0700) where it is missing.
func openDisk(dir string) (disk, error) {
	d := &osDisk{path: dir}
	if err := d.reopen(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *osDisk) reopen() error {
	_, err := os.Stat(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(d.path, 0o700); err == nil {
			err = syncFolder(filepath.Dir(filepath.Clean(d.path)))
		}
	}
	if err != nil {
		return err
	}
	root, err := os.OpenFile(d.path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	if d.root != nil {
		_ = d.root.Close() // only a handle
	}
	d.root = root
	return nil
}

func (d *osDisk) where() string { return d.path }

func (d *osDisk) displaced() bool {
	now, err := os.Stat(d.path)
	if err != nil {
		return true
	}
	was, err := d.root.Stat()
	return err != nil || !os.SameFile(now, was)
}

func (d *osDisk) close() error { return d.root.Close() }

// at opens the folder of name and calls do with its descriptor and name's last part.
func (d *osDisk) at(op, name string, do func(folder int, base string) error) error {
	folder, base := path.Split(name)
	fd := int(d.root.Fd())
	if folder = strings.Trim(folder, "/"); folder != "" {
		for part := range strings.SplitSeq(folder, "/") {
			next, err := retry(func() (int, error) {
				return unix.Openat(fd, part, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
			})
			if fd != int(d.root.Fd()) {
				_ = unix.Close(fd)
			}
			if err != nil {
				return &fs.PathError{Op: op, Path: path.Join(d.path, name), Err: noLink(err)}
			}
			fd = next
		}
		defer func() { _ = unix.Close(fd) }()
	}
	if err := do(fd, base); err != nil {
		return &fs.PathError{Op: op, Path: path.Join(d.path, name), Err: noLink(err)}
	}
	return nil
}

// noLink says in words what O_NOFOLLOW answers.
func noLink(err error) error {
	if errors.Is(err, unix.ELOOP) {
		return fmt.Errorf("is a symbolic link, which is not followed: %w", err)
	}
	return err
}

func retry(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func (d *osDisk) openFile(op, name string, flags int) (f *os.File, err error) {
	err = d.at(op, name, func(folder int, base string) error {
		fd, err := retry(func() (int, error) {
			return unix.Openat(folder, base, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		})
		if err == nil {
			f = os.NewFile(uintptr(fd), path.Join(d.path, name))
		}
		return err
	})
	return f, err
}

func (d *osDisk) create(name string) (diskFile, error) {
	f, err := d.openFile("create", name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

func (d *osDisk) open(name string) (diskFile, error) {
	f, err := d.openFile("open", name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *osDisk) mkdir(name string) error {
	return d.at("mkdir", name, func(folder int, base string) error {
		err := unix.Mkdirat(folder, base, 0o700)
		if err == unix.EEXIST {
			var s unix.Stat_t
			if unix.Fstatat(folder, base, &s, unix.AT_SYMLINK_NOFOLLOW) == nil && s.Mode&unix.S_IFMT != unix.S_IFDIR {
				return errors.New("is no folder, or a symbolic link to one")
			}
		}
		return err
	})
}

func (d *osDisk) rename(from, to string) error {
	return d.at("rename", from, func(folder int, base string) error {
		return d.at("rename to", to, func(toFolder int, toBase string) error {
			return unix.Renameat(folder, base, toFolder, toBase)
		})
	})
}

func (d *osDisk) remove(name string) error {
	return d.at("remove", name, func(folder int, base string) error { return unix.Unlinkat(folder, base, 0) })
}

func (d *osDisk) removeFolder(name string) error {
	return d.at("remove", name, func(folder int, base string) error {
		return unix.Unlinkat(folder, base, unix.AT_REMOVEDIR)
	})
}

func (d *osDisk) syncFolder(name string) error {
	if name == "." {
		return d.root.Sync()
	}
	f, err := d.openFile("sync folder", name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *osDisk) list(folder string) ([]fs.DirEntry, error) {
	f, err := d.openFile("list", folder, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	entries, err := f.ReadDir(-1)
	sortEntries(entries)
	return entries, err
}

func (d *osDisk) size(name string) (bytes int64, err error) {
	err = d.at("stat", name, func(folder int, base string) error {
		var s unix.Stat_t
		err := unix.Fstatat(folder, base, &s, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil && s.Mode&unix.S_IFMT != unix.S_IFREG {
			err = errors.New("not a regular file")
		}
		bytes = s.Size
		return err
	})
	return bytes, err
}

// osLock is a lock by flock(2): the kernel gives it up with the process, however
// that ends.
type osLock struct{ f *os.File }

func (d *osDisk) lock(name string) (diskLock, []byte, error) {
	f, err := d.openFile("lock", name, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return nil, nil, err
	}
	_, err = retry(func() (int, error) { return 0, unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	text, readErr := io.ReadAll(io.LimitReader(f, maxLockText))
	if errors.Is(err, unix.EWOULDBLOCK) {
		_ = f.Close()
		return nil, text, errLocked
	}
	if err = errors.Join(err, readErr); err != nil {
		_ = f.Close()
		return nil, nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return &osLock{f}, text, nil
}

const maxLockText = 4096

func (l *osLock) write(text []byte) error {
	if _, err := l.f.WriteAt(text, 0); err != nil {
		return err
	}
	if err := l.f.Truncate(int64(len(text))); err != nil {
		return err
	}
	return l.f.Sync()
}

func (l *osLock) release() error { return l.f.Close() }

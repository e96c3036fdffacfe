package trace

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// memDisk is a disk in memory that fails on demand, and that knows what would be
// left of it after a power cut: bytes that were synced, under names whose folder
// was synced.
type memDisk struct {
	names, kept map[string]*memFile // now, and after a power cut
	folders     map[string]bool
	keptFolders map[string]bool
	op          int             // operations so far
	fail        func(int) error // of the n-th operation; nil: none fails
	log         []string        // what each operation was
	gone        bool            // the directory was removed
	locked      map[string]bool
	lockTexts   map[string][]byte
}

type memFile struct {
	disk *memDisk
	name string
	data []byte
	kept []byte // synced
}

func newMemDisk() *memDisk {
	return &memDisk{names: map[string]*memFile{}, kept: map[string]*memFile{}, folders: map[string]bool{".": true},
		keptFolders: map[string]bool{".": true}, locked: map[string]bool{}, lockTexts: map[string][]byte{}}
}

var errPowerCut = errors.New("power cut")

// step counts an operation and fails it where that is asked for.
func (d *memDisk) step(what, name string) error {
	d.op++
	d.log = append(d.log, what+" "+name)
	if d.fail != nil {
		if err := d.fail(d.op); err != nil {
			return &fs.PathError{Op: what, Path: name, Err: err}
		}
	}
	if d.gone && what != "write" && what != "sync" && what != "truncate" {
		return &fs.PathError{Op: what, Path: name, Err: fs.ErrNotExist}
	}
	return nil
}

func (d *memDisk) create(name string) (diskFile, error) {
	if err := d.step("create", name); err != nil {
		return nil, err
	}
	if !d.folders[path.Dir(name)] {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrNotExist}
	}
	if d.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f := &memFile{disk: d, name: name}
	d.names[name] = f
	return f, nil
}

func (d *memDisk) open(name string) (diskFile, error) {
	if err := d.step("open", name); err != nil {
		return nil, err
	}
	if f := d.names[name]; f != nil {
		return f, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (d *memDisk) mkdir(name string) error {
	if d.folders[name] && !d.gone {
		return fs.ErrExist
	}
	if err := d.step("mkdir", name); err != nil {
		return err
	}
	d.folders[name] = true
	return nil
}

func (d *memDisk) rename(from, to string) error {
	if err := d.step("rename", from+" "+to); err != nil {
		return err
	}
	f := d.names[from]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(d.names, from)
	d.names[to], f.name = f, to
	return nil
}

func (d *memDisk) remove(name string) error {
	if err := d.step("remove", name); err != nil {
		return err
	}
	if d.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(d.names, name)
	return nil
}

func (d *memDisk) removeFolder(string) error { return fs.ErrInvalid }

func (d *memDisk) syncFolder(name string) error {
	if err := d.step("sync folder", name); err != nil {
		return err
	}
	maps.DeleteFunc(d.kept, func(n string, _ *memFile) bool { return path.Dir(n) == name })
	for n, f := range d.names {
		if path.Dir(n) == name {
			d.kept[n] = f
		}
	}
	for n := range d.folders {
		if path.Dir(n) == name {
			d.keptFolders[n] = true
		}
	}
	return nil
}

func (d *memDisk) list(folder string) ([]fs.DirEntry, error) {
	if err := d.step("list", folder); err != nil {
		return nil, err
	}
	if !d.folders[folder] {
		return nil, fs.ErrNotExist
	}
	var entries []fs.DirEntry
	for n := range d.names {
		if path.Dir(n) == folder {
			entries = append(entries, memEntry{path.Base(n), 0})
		}
	}
	for n := range d.folders {
		if path.Dir(n) == folder && n != "." {
			entries = append(entries, memEntry{path.Base(n), fs.ModeDir})
		}
	}
	sortEntries(entries)
	return entries, nil
}

func (d *memDisk) size(name string) (int64, error) {
	if err := d.step("size", name); err != nil {
		return 0, err
	}
	if f := d.names[name]; f != nil {
		return int64(len(f.data)), nil
	}
	return 0, fs.ErrNotExist
}

func (d *memDisk) where() string   { return "nowhere" }
func (d *memDisk) displaced() bool { return d.gone }
func (d *memDisk) close() error    { return nil }

func (d *memDisk) reopen() error {
	if d.gone {
		d.gone = false
		clear(d.names)
		clear(d.kept)
		d.folders, d.keptFolders = map[string]bool{".": true}, map[string]bool{".": true}
		clear(d.locked)
	}
	return nil
}

func (d *memDisk) lock(name string) (diskLock, []byte, error) {
	if d.locked[name] {
		return nil, d.lockTexts[name], errLocked
	}
	d.locked[name] = true
	return &memLock{d, name}, d.lockTexts[name], nil
}

type memLock struct {
	d    *memDisk
	name string
}

func (l *memLock) write(text []byte) error {
	if err := l.d.step("lock text", l.name); err != nil {
		return err
	}
	l.d.lockTexts[l.name] = text
	return nil
}

func (l *memLock) release() error { delete(l.d.locked, l.name); return nil }

// Write writes half of what it should where it fails, as a full disk does.
func (f *memFile) Write(b []byte) (int, error) {
	if err := f.disk.step("write", f.name); err != nil {
		f.data = append(f.data, b[:len(b)/2]...)
		return len(b) / 2, err
	}
	f.data = append(f.data, b...)
	return len(b), nil
}

func (f *memFile) ReadAt(b []byte, at int64) (int, error) {
	if at >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Close() error { return nil }

// Sync keeps some of the bytes and forgets that they are dirty where it fails, as
// Linux does.
func (f *memFile) Sync() error {
	if err := f.disk.step("sync", f.name); err != nil {
		return err
	}
	f.kept = slices.Clone(f.data)
	return nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.disk.step("truncate", f.name); err != nil {
		return err
	}
	f.data = f.data[:min(int64(len(f.data)), size)]
	return nil
}

type memEntry struct {
	name string
	mode fs.FileMode
}

func (e memEntry) Name() string               { return e.name }
func (e memEntry) IsDir() bool                { return e.mode.IsDir() }
func (e memEntry) Type() fs.FileMode          { return e.mode }
func (e memEntry) Info() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }

// Ways in which a power cut may leave the disk.
var powerCuts = []string{"only what was synced", "names too", "names and half of the bytes"}

// afterPowerCut returns the disk as the machine finds it when it is up again.
func (d *memDisk) afterPowerCut(how string) *memDisk {
	next := newMemDisk()
	next.lockTexts = maps.Clone(d.lockTexts)
	names, folders := d.kept, d.keptFolders
	if how != powerCuts[0] {
		names, folders = d.names, d.folders
	}
	next.folders, next.keptFolders = maps.Clone(folders), maps.Clone(folders)
	for name, f := range names {
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			if !folders[folder] {
				name = ""
				break
			}
		}
		if name == "" {
			continue
		}
		bytes := slices.Clone(f.kept)
		if how == powerCuts[2] && len(f.data) > len(bytes) && strings.HasPrefix(string(f.data), string(bytes)) {
			bytes = append(bytes, f.data[len(bytes):(len(bytes)+len(f.data))/2]...)
		}
		next.names[name] = &memFile{disk: next, name: name, data: bytes, kept: bytes}
		next.kept[name] = next.names[name]
	}
	return next
}

// dump writes the disk into a folder of the machine's.
func (d *memDisk) dump(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range d.names {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, f.data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// failAt fails the n-th operation and, for as long as lasts, those that follow.
func failAt(n, lasts int, err error) func(int) error {
	return func(op int) error {
		if op >= n && op < n+lasts {
			return err
		}
		return nil
	}
}

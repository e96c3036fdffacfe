package trace

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A host's files are what work is parted by: a container lives on one host, so that
// no window, finding or sequence of calls has rows of two.

// HostFolder is the host that a file counts to, by the folder that it lies in
// (HostFolder of the name, unless somebody moved it) or, where it lies in none, by
// its metadata.
func (f *File) HostFolder() string {
	if _, rest, ok := strings.Cut(f.Rel, "/host="); ok {
		if folder, _, ok := strings.Cut(rest, "/"); ok {
			return folder
		}
	}
	return HostFolder(f.Meta.Host)
}

// HostFolders returns the hosts of a trace as the names of their folders, without
// "host=", sorted. Of a trace that is laid out as FORMAT.md says no file is opened;
// a file outside of such a folder is.
func HostFolders(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var hosts []string
	loose := !info.IsDir()
	for _, table := range Tables() {
		if loose {
			break
		}
		entries, err := os.ReadDir(filepath.Join(path, string(table)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			switch name, ok := strings.CutPrefix(e.Name(), "host="); {
			case strings.HasPrefix(e.Name(), "."):
			case ok && e.IsDir():
				hosts = append(hosts, name)
			case e.IsDir() || filepath.Ext(e.Name()) == ".parquet" || isLinkToFolder(filepath.Join(path, string(table), e.Name()), e):
				loose = true
			}
		}
	}
	if loose {
		t, err := Open(path)
		if err != nil {
			return nil, err
		}
		hosts = t.HostFolders()
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// HostFolders is the function of that name for a trace that is open.
func (t *Trace) HostFolders() []string {
	var hosts []string
	for _, files := range t.files {
		for i := range files {
			hosts = append(hosts, files[i].HostFolder())
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// OpenHosts is Open for the hosts only, named as by HostFolders, for which keep is
// true: files in the folders of others are not touched. Where nothing is left the
// trace has no files, and no error.
func OpenHosts(path string, keep func(hostFolder string) bool) (*Trace, error) {
	t, err := openHosts(path, keep, func(err error) error { return err })
	if err != nil {
		return nil, err
	}
	return t.Only(keep), nil
}

// OpenSoundHosts is OpenHosts for whoever would rather go on without bad files: their
// errors are returned, a *FileError each. A single file that is bad is an error.
func OpenSoundHosts(path string, keep func(hostFolder string) bool) (t *Trace, bad []error, err error) {
	t, err = openHosts(path, keep, func(err error) error {
		var file *FileError
		if !errors.As(err, &file) || file.Path == path {
			return err
		}
		bad = append(bad, err)
		return nil
	})
	if err != nil {
		return nil, bad, err
	}
	return t.Only(keep), bad, nil
}

// Only returns the trace with the files of some hosts, named as by HostFolders. It
// may have none.
func (t *Trace) Only(keep func(hostFolder string) bool) *Trace {
	out := &Trace{path: t.path, files: map[Table][]File{}}
	for table, files := range t.files {
		kept := slices.DeleteFunc(slices.Clone(files), func(f File) bool { return !keep(f.HostFolder()) })
		if len(kept) > 0 {
			out.files[table] = kept
		}
	}
	return out
}

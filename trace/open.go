package trace

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// Trace is a trace directory, or one file of one, as it was when Open looked.
// It holds no file open. It is read-only and safe for concurrent use.
type Trace struct {
	path  string
	files map[Table][]File
}

// File is one file of a table.
type File struct {
	Path  string // where it is
	Rel   string // its path below the trace, with slashes; the base name of a single file
	Table Table
	Meta  Meta
	Rows  int64
	Bytes int64 // size of the file
}

// Open reads the footers of a trace: of a directory's files, or of one Parquet
// file. The first bad file ends it with a *FileError; OpenSound goes on. What
// begins with a dot or ends in ".tmp" is not complete and is passed over; so is
// what lies beside the tables' folders. A link to a folder is as a bad file. A
// directory without one file of a table is not a trace.
func Open(path string) (*Trace, error) {
	return open(path, func(err error) error { return err })
}

// OpenSound is Open for whoever would rather go on without the bad files of a
// directory: their errors are returned, a *FileError each, beside the trace of
// the others. Where no file is sound there is no trace, and err says so.
func OpenSound(path string) (t *Trace, bad []error, err error) {
	t, err = open(path, func(err error) error {
		var file *FileError
		if !errors.As(err, &file) || file.Path == path {
			return err
		}
		bad = append(bad, err)
		return nil
	})
	if err != nil && len(bad) > 0 {
		err = fmt.Errorf("%s: none of its %d files can be read, the first: %w", path, len(bad), bad[0])
	}
	return t, bad, err
}

// open is Open; failed says whether the error of a file ends it.
func open(path string, failed func(error) error) (*Trace, error) {
	t, err := openHosts(path, func(string) bool { return true }, failed)
	if err == nil && len(t.files) == 0 {
		if left, _ := filepath.Glob(filepath.Join(path, "journal", "host=*", "journal-*")); len(left) > 0 {
			return nil, fmt.Errorf("%s: no complete file yet, only journals (%d): the recorder completes one at its rotation and when it stops; a killed one's are sealed by the next recorder, or mayfly inspect --salvage", path, len(left))
		}
		return nil, fmt.Errorf("%s: not a trace: no Parquet file below events, sequences, processes, containers or losses", path)
	}
	return t, err
}

// openHosts passes over the folders of hosts that are not to be kept.
func openHosts(path string, keep func(hostFolder string) bool, failed func(error) error) (*Trace, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	t := &Trace{path: path, files: map[Table][]File{}}
	if !info.IsDir() {
		if err := t.add(path, filepath.Base(path), ""); err != nil {
			return nil, failed(err)
		}
		return t, nil
	}
	for _, table := range Tables() {
		if err := t.addFolder(table, keep, failed); err != nil {
			return nil, err
		}
	}
	for _, files := range t.files {
		slices.SortFunc(files, compareFiles)
	}
	return t, nil
}

func compareFiles(a, b File) int {
	return cmp.Or(cmp.Compare(a.Meta.Host, b.Meta.Host), cmp.Compare(a.Meta.FromNS, b.Meta.FromNS),
		cmp.Compare(a.Rel, b.Rel), cmp.Compare(a.Path, b.Path))
}

func (t *Trace) addFolder(table Table, keep func(hostFolder string) bool, failed func(error) error) error {
	root := filepath.Join(t.path, string(table))
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if path == root && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if name := d.Name(); path != root && strings.HasPrefix(name, ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if host, ok := strings.CutPrefix(d.Name(), "host="); ok && d.IsDir() && filepath.Dir(path) == root && !keep(host) {
			return fs.SkipDir
		}
		if isLinkToFolder(path, d) {
			return failed(&FileError{path, errors.New("a link to a folder, and no link is followed within a trace")})
		}
		if d.IsDir() || filepath.Ext(path) != ".parquet" {
			return nil
		}
		rel, err := filepath.Rel(t.path, path)
		if err != nil {
			return err
		}
		if err := t.add(path, filepath.ToSlash(rel), table); err != nil {
			return failed(err)
		}
		return nil
	})
}

// isLinkToFolder tells of what WalkDir passes over: a host whose folder is a link must
// not be missing without a word.
func isLinkToFolder(path string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// add reads one file's footer; want is the table whose folder it lies in.
func (t *Trace) add(path, rel string, want Table) error {
	f, err := openTable(path)
	if err != nil {
		return err
	}
	defer f.close()
	if want != "" && f.table != want {
		return &FileError{path, fmt.Errorf("a file of table %s in the folder of %s", f.table, want)}
	}
	t.files[f.table] = append(t.files[f.table], File{
		Path: path, Rel: rel, Table: f.table, Meta: f.meta, Rows: f.NumRows(), Bytes: f.parquet.Size(),
	})
	return nil
}

// tableFile is an open file of a table.
type tableFile struct {
	*ParquetFile
	table Table
	meta  Meta
}

func openTable(path string) (*tableFile, error) {
	f, err := openParquetFunc(path, Limits{}, func(pairs map[string]string) (wanted, error) {
		table, _, err := parseMeta(pairs)
		return wanted{ArrowSchema(table), table.added}, err
	})
	if err != nil {
		return nil, err
	}
	table, meta, err := parseMeta(f.Metadata())
	return &tableFile{f, table, meta}, err
}

// Path returns the path that Open was given.
func (t *Trace) Path() string { return t.path }

// Hosts returns the names of the hosts that the trace has files of, sorted.
func (t *Trace) Hosts() []string {
	var hosts []string
	for _, files := range t.files {
		for _, f := range files {
			hosts = append(hosts, f.Meta.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// Files returns the files of a table by host, FromNS and name. Callers may keep
// the slice.
func (t *Trace) Files(table Table) []File { return slices.Clone(t.files[table]) }

// Without returns the trace without one of its files, for whoever goes on without
// a damaged one; t itself where it has no such file.
func (t *Trace) Without(path string) *Trace {
	is := func(f File) bool { return f.Path == path }
	for table, files := range t.files {
		if slices.ContainsFunc(files, is) {
			rest := &Trace{path: t.path, files: maps.Clone(t.files)}
			rest.files[table] = slices.DeleteFunc(slices.Clone(files), is)
			return rest
		}
	}
	return t
}

// SHA256 returns the hash of the file's bytes, in hex.
func (f *File) SHA256() (string, error) {
	in, err := os.Open(f.Path)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }() // only read
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", fmt.Errorf("%s: %w", f.Path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// ScanOptions narrow a Scan. The zero value reads everything.
type ScanOptions struct {
	Files     []File // of the table, in the order to read them; nil means all
	BatchRows int    // rows of a record at most; 0 means 8192
}

// Scan yields a table's rows file by file (by host, then time), as records of
// ArrowSchema(table). The caller Releases each record. Memory is bounded by one
// record and a few pages of one file. An error ends the sequence and names file,
// row group and column.
func (t *Trace) Scan(ctx context.Context, table Table, opts ScanOptions) iter.Seq2[arrow.Record, error] {
	files := opts.Files
	if files == nil {
		files = t.files[table]
	}
	return func(yield func(arrow.Record, error) bool) {
		for _, file := range files {
			if file.Table != table {
				yield(nil, fmt.Errorf("%s: is of table %s, not %s", file.Path, file.Table, table))
				return
			}
			if !scanFile(ctx, file, opts.BatchRows, yield) {
				return
			}
		}
	}
}

func scanFile(ctx context.Context, file File, batchRows int, yield func(arrow.Record, error) bool) bool {
	c, err := openCursor(file, batchRows, nil)
	if err != nil {
		yield(nil, err)
		return false
	}
	defer c.f.close()
	for {
		rec, err := c.next(ctx)
		if errors.Is(err, io.EOF) {
			return true
		}
		if !yield(rec, err) || err != nil {
			return false
		}
	}
}

// openCursor opens a file that Open has seen, to read the columns that are named; nil
// are all.
func openCursor(file File, batchRows int, columns []string) (*parquetCursor, error) {
	f, err := openTable(file.Path)
	if err != nil {
		return nil, err
	}
	if f.table != file.Table || !reflect.DeepEqual(f.meta, file.Meta) || f.NumRows() != file.Rows {
		f.close()
		return nil, &FileError{file.Path, errors.New("has changed since the trace was opened")}
	}
	if columns != nil {
		f.only(columns)
	}
	c, err := f.cursor(batchRows)
	if err != nil {
		f.close()
	}
	return c, err
}

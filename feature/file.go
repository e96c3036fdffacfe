package feature

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/trace"
)

// Provenance says what windows were made from. It is in the metadata of a
// FEATURES file.
type Provenance struct {
	WidthNS   int64       // of every window
	Inputs    []InputFile // in the order of host, table and time
	Counts    Counts
	Creator   string // program and version
	LateNS    int64  // how late rows were waited for
	HostToo   bool   // the host's own rows are windows too
	BadInputs int    // inputs that were left out because they could not be read
}

// InputFile is one file that windows were made from.
type InputFile struct {
	Rel    string `json:"rel"` // path below its trace
	Table  string `json:"table"`
	Host   string `json:"host"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
}

// Counts are what became of the rows.
type Counts struct {
	WindowerReport
	Containers int   `json:"containers"` // at most; exact up to a million
	FromNS     int64 `json:"from_ns"`    // start of the first window
	ToNS       int64 `json:"to_ns"`      // end of the last one
}

// FileWriter writes a FEATURES file, which has its name only after Close.
type FileWriter struct {
	out     *trace.ParquetWriter
	builder *Builder
}

// fileBatch is how many windows are gathered into one record.
const fileBatch = 1024

// CreateFile begins a FEATURES file. Until Close there is only a temporary file
// beside path; Abort leaves nothing.
func CreateFile(path string) (*FileWriter, error) {
	return create(path, trace.ParquetOptions{GroupRows: fileRows})
}

// CreatePart begins a FEATURES file that is to be merged with many others: of small
// row groups, for whoever merges holds a piece of one of each. A row group costs 6 kB of
// the footer, so that those of a long recording become longer.
func CreatePart(path string) (*FileWriter, error) {
	return create(path, trace.ParquetOptions{GroupRows: partRows, GrowAfter: partGroups, MaxGroupRows: fileRows})
}

const (
	fileRows   = 1 << 16 // of a row group
	partRows   = 1 << 11 // of the first row groups of a part
	partGroups = 512     // row groups of a part after which they become twice as long
	partBatch  = 128     // windows of a record where parts are merged
)

func create(path string, opts trace.ParquetOptions) (*FileWriter, error) {
	out, err := trace.CreateParquet(path, schema, map[string]string{MetaSchema: strconv.Itoa(SchemaVersion)}, opts)
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	return &FileWriter{out: out, builder: NewBuilder()}, nil
}

// Append writes one window and keeps nothing of it.
func (f *FileWriter) Append(w *Window) error {
	f.builder.Append(w)
	if f.builder.Len() < fileBatch {
		return nil
	}
	return f.write()
}

func (f *FileWriter) write() error {
	rec := f.builder.Record()
	defer rec.Release()
	return f.out.Write(rec)
}

// Close writes what is left and p, and gives the file its name. After an error
// nothing is left behind.
func (f *FileWriter) Close(p *Provenance) error {
	defer f.builder.Release()
	err := f.write()
	if err == nil {
		err = p.set(f.out.SetMetadata)
	}
	if err != nil {
		return errors.Join(err, f.out.Abort())
	}
	return f.out.Close()
}

// Abort removes the temporary file.
func (f *FileWriter) Abort() error {
	f.builder.Release()
	return f.out.Abort()
}

func (p *Provenance) set(set func(key, value string)) error {
	inputs, err := json.Marshal(p.Inputs)
	if err != nil {
		return err
	}
	counts, err := json.Marshal(p.Counts)
	if err != nil {
		return err
	}
	set(MetaWidth, strconv.FormatInt(p.WidthNS, 10))
	set(MetaLateness, strconv.FormatInt(p.LateNS, 10))
	set(MetaHostToo, strconv.FormatBool(p.HostToo))
	set(MetaBadInputs, strconv.Itoa(p.BadInputs))
	set(MetaInputs, string(inputs))
	set(MetaCounts, string(counts))
	set(MetaCreator, p.Creator)
	return nil
}

// File is an open FEATURES file. It is safe for concurrent use until Close.
type File struct {
	Path       string
	Rows       int64 // windows
	Provenance Provenance
	parquet    *trace.ParquetFile
}

// OpenFile opens a FEATURES file and checks that it is one, of this version.
// Errors name the file and the cause.
func OpenFile(path string) (*File, error) { return openFile(path, fileBatch) }

func openFile(path string, batchRows int) (*File, error) {
	in, err := trace.OpenParquet(path, nil, trace.Limits{})
	if err != nil {
		return nil, err
	}
	meta := in.Metadata()
	version, ok := meta[MetaSchema]
	switch {
	case !ok:
		err = fmt.Errorf("%s: not a FEATURES file: no %q in its metadata (mayfly ingest makes one)", path, MetaSchema)
	case version != strconv.Itoa(SchemaVersion):
		err = fmt.Errorf("%s: FEATURES of version %.20q, want %d: ingest the traces anew", path, version, SchemaVersion)
	}
	if errClose := in.Close(); err != nil || errClose != nil {
		return nil, errors.Join(err, errClose)
	}
	f := &File{Path: path}
	if f.Provenance, err = parseProvenance(meta); err != nil {
		return nil, fmt.Errorf("%s: metadata: %w", path, err)
	}
	if f.parquet, err = trace.OpenParquet(path, schema, trace.Limits{BatchRows: batchRows}); err != nil {
		return nil, err
	}
	f.Rows = f.parquet.NumRows()
	return f, nil
}

func parseProvenance(meta map[string]string) (p Provenance, err error) {
	for _, key := range []struct {
		name string
		set  func(string) error
	}{
		{MetaWidth, func(s string) error { p.WidthNS, err = strconv.ParseInt(s, 10, 64); return err }},
		{MetaLateness, func(s string) error { p.LateNS, err = strconv.ParseInt(s, 10, 64); return err }},
		{MetaHostToo, func(s string) error { p.HostToo, err = strconv.ParseBool(s); return err }},
		{MetaBadInputs, func(s string) error { p.BadInputs, err = strconv.Atoi(s); return err }},
		{MetaInputs, func(s string) error { return json.Unmarshal([]byte(s), &p.Inputs) }},
		{MetaCounts, func(s string) error { return json.Unmarshal([]byte(s), &p.Counts) }},
		{MetaCreator, func(s string) error { p.Creator = s; return nil }},
	} {
		text, ok := meta[key.name]
		if !ok {
			continue // another program wrote the windows
		}
		if err := key.set(text); err != nil {
			return p, fmt.Errorf("%q: %w", key.name, err)
		}
	}
	if p.WidthNS < 0 || p.LateNS < 0 {
		return p, errors.New("negative width or lateness")
	}
	return p, nil
}

// Windows yields the windows as records of Schema that View accepts, in the
// order of the file: by start, container and host. A record is valid until the
// next one is asked for; Retain it to keep it. An error ends the sequence and
// names the file.
func (f *File) Windows(ctx context.Context) iter.Seq2[arrow.Record, error] {
	return f.WindowsOf(ctx, func(int) bool { return true })
}

// Groups is the number of row groups: of 65,536 windows but for the last; in a part
// (CreatePart) of 2,048 and more.
func (f *File) Groups() int { return f.parquet.NumGroups() }

// WindowsOf is Windows for the row groups, counted from 0, for which keep is true.
func (f *File) WindowsOf(ctx context.Context, keep func(group int) bool) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		row := int64(0)
		for rec, err := range f.parquet.RecordsOf(ctx, keep) {
			if err != nil {
				yield(nil, err)
				return
			}
			if _, err := View(rec); err != nil {
				rec.Release()
				yield(nil, fmt.Errorf("%s: after row %d: %w", f.Path, row, err))
				return
			}
			row += rec.NumRows()
			goOn := yield(rec, nil)
			rec.Release()
			if !goOn {
				return
			}
		}
	}
}

// SHA256 is the hash of the file's bytes, in hex.
func (f *File) SHA256() (string, error) {
	in, err := os.Open(f.Path)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }() // read only
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", fmt.Errorf("%s: %w", f.Path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Close closes the file.
func (f *File) Close() error { return f.parquet.Close() }

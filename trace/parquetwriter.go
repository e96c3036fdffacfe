package trace

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// ParquetOptions say how a Parquet file is laid out. The zero value of a field
// means its default.
type ParquetOptions struct {
	GroupRows  int64 // rows of a row group at most; default 131072
	GroupBytes int64 // bytes of a row group in memory, about; default 64 MiB

	// GrowAfter is after how many row groups they become twice as long, and after as
	// many again, up to MaxGroupRows: a footer grows with the row groups, and there is
	// an end to the footers that are read (Limits). 0, the default: never.
	GrowAfter    int
	MaxGroupRows int64 // at least GroupRows; without meaning where GrowAfter is 0
}

// groupRows is how many rows a row group has at most, of which groups came before.
func (o *ParquetOptions) groupRows(groups int) int64 {
	rows := o.GroupRows
	for ; o.GrowAfter > 0 && groups >= o.GrowAfter && rows < o.MaxGroupRows; groups -= o.GrowAfter {
		rows = min(2*rows, o.MaxGroupRows)
	}
	return rows
}

// DefaultParquetOptions returns the layout for files of records.
func DefaultParquetOptions() ParquetOptions {
	return ParquetOptions{GroupRows: 1 << 17, GroupBytes: 64 << 20}
}

// ParquetWriter writes Arrow records of one schema to one Parquet file, zstd
// compressed, strings by dictionary. The file has its name only after Close;
// the same records give the same bytes. It is not safe for concurrent use.
type ParquetWriter struct {
	path    string
	file    *atomicFile
	parquet *parquet.GenericWriter[any]
	schema  *arrow.Schema
	columns []*columnWriter
	opts    ParquetOptions
	rows    int64 // written in all
	pending int64 // of them in the open row group
	flushed int64 // bytes of the closed ones
	groups  int   // closed ones
	failed  error
}

// CreateParquet begins the file that Close will name path, with mode 0600. The
// schema's fields are scalars or lists of scalars of string, int32, int64,
// uint16, uint32, uint64, float32, float64, bool and timestamp[ns, UTC].
func CreateParquet(path string, schema *arrow.Schema, metadata map[string]string, opts ParquetOptions) (*ParquetWriter, error) {
	root, err := parquetSchema(schema)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d := DefaultParquetOptions()
	opts.GroupRows = cmp.Or(opts.GroupRows, d.GroupRows)
	opts.GroupBytes = cmp.Or(opts.GroupBytes, d.GroupBytes)
	w := &ParquetWriter{path: path, schema: schema, opts: opts}
	if w.file, err = createAtomic(path); err != nil {
		return nil, err
	}
	w.parquet = parquet.NewGenericWriter[any](w.file, append(layout(max(opts.GroupRows, opts.MaxGroupRows), &parquet.Zstd), root)...)
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		w.SetMetadata(key, metadata[key])
	}
	writers := w.parquet.ColumnWriters()
	for i, field := range schema.Fields() {
		w.columns = append(w.columns, &columnWriter{field: field, column: i, out: writers[i]})
	}
	return w, nil
}

// layout returns the options that every file of the package is written with.
func layout(groupRows int64, codec compress.Codec) []parquet.WriterOption {
	return []parquet.WriterOption{
		parquet.Compression(codec),
		parquet.MaxRowsPerRowGroup(groupRows),
		parquet.DictionaryMaxBytes(dictionaryBytes),
		parquet.CreatedBy("mayfly", "1", ""),
		parquet.DataPageVersion(2),
		parquet.DataPageStatistics(false), // column chunks and the column index have them
	}
}

// dictionaryBytes is how large a column's dictionary may grow in a row group
// before the column goes on without.
const dictionaryBytes = 1 << 20

// SetMetadata sets one entry of the file's key-value metadata, until Close.
func (w *ParquetWriter) SetMetadata(key, value string) {
	w.parquet.SetKeyValueMetadata(validText(key), validText(value))
}

// Rows returns the number of rows written so far.
func (w *ParquetWriter) Rows() int64 { return w.rows }

// Write appends the rows of a record and keeps nothing of it. The record has the
// schema that CreateParquet was given. After an error only Abort or Close, which
// returns the error again, are of use.
func (w *ParquetWriter) Write(rec arrow.Record) error {
	if w.failed != nil {
		return w.failed
	}
	if err := w.write(rec); err != nil {
		w.failed = fmt.Errorf("%s: %w", w.path, err)
	}
	return w.failed
}

func (w *ParquetWriter) write(rec arrow.Record) (err error) {
	defer recovered(&err)
	if int(rec.NumCols()) != len(w.columns) {
		return fmt.Errorf("record of %d columns: want %d", rec.NumCols(), len(w.columns))
	}
	for from := int64(0); from < rec.NumRows(); {
		most := w.opts.groupRows(w.groups)
		to := min(rec.NumRows(), from+writeRows, from+most-w.pending)
		for i, c := range w.columns {
			if err := c.write(rec.Column(i), int(from), int(to)); err != nil {
				return fmt.Errorf("column %q: %w", c.field.Name, err)
			}
		}
		w.rows += to - from
		w.pending += to - from
		from = to
		if w.pending >= most || w.parquet.Size()-w.flushed >= w.opts.GroupBytes {
			if err := w.parquet.Flush(); err != nil {
				return err
			}
			w.pending, w.flushed, w.groups = 0, w.parquet.Size(), w.groups+1
		}
	}
	return nil
}

// writeRows is how many rows of a column go to parquet-go at once: it cuts
// pages only between such pieces.
const writeRows = 512

// Close completes the file, syncs it and gives it its name. On an error nothing
// is left of it.
func (w *ParquetWriter) Close() (err error) {
	if w.file == nil {
		return w.failed
	}
	file := w.file
	w.file = nil
	if w.failed == nil {
		w.failed = errors.New("is closed")
		if err := closeParquet(w.parquet.Close); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", w.path, err), file.abort())
		}
		return file.commit(w.path)
	}
	return errors.Join(w.failed, file.abort())
}

func closeParquet(f func() error) (err error) {
	defer recovered(&err)
	return f()
}

// Abort removes what was written. After Close it does nothing, so that it can be
// deferred.
func (w *ParquetWriter) Abort() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file, w.failed = nil, errors.New("is closed")
	return file.abort()
}

package trace

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"
)

// ParquetFile is an open Parquet file of flat columns: scalars and lists of
// scalars of the types that scalarType knows. Records may be called several
// times and at the same time; Close ends them all.
type ParquetFile struct {
	path     string
	file     *os.File
	parquet  *parquet.File
	schema   *arrow.Schema
	columns  []*parquet.Column // of the schema's fields, the leaf where a list; nil: absent, added later than the file or not wanted
	metadata map[string]string
	limits   Limits
}

// OpenParquet opens a file and checks its footer. want names the columns to
// read, by name and type; others in the file are ignored, and a nullable field
// may be filled from a column that never is null. Without want every column is
// read. Errors name the file: it is no Parquet file, is cut short, exceeds the
// limits, lacks a column or has it in another type.
func OpenParquet(path string, want *arrow.Schema, limits Limits) (*ParquetFile, error) {
	return openParquetFunc(path, limits, func(map[string]string) (wanted, error) { return wanted{schema: want}, nil })
}

// wanted is what to read of a file: the columns of schema, of which those that
// added names may be missing and are read as null, empty or zero then.
type wanted struct {
	schema *arrow.Schema // nil: every column
	added  func(column string) bool
}

// openParquetFunc is OpenParquet where the schema follows from the metadata.
func openParquetFunc(path string, limits Limits, want func(map[string]string) (wanted, error)) (*ParquetFile, error) {
	f := &ParquetFile{path: path, limits: limits.orDefaults()}
	if err := f.open(want); err != nil {
		f.close()
		var in *os.PathError
		if errors.As(err, &in) && in.Path == path {
			err = in.Err
		}
		return nil, &FileError{path, err}
	}
	return f, nil
}

func (f *ParquetFile) open(want func(map[string]string) (wanted, error)) (err error) {
	defer recovered(&err)
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // a pipe would block
		return errors.New("not a Parquet file: not a regular file")
	}
	if f.file, err = os.Open(f.path); err != nil {
		return err
	}
	if err := f.checkFooter(info.Size()); err != nil {
		return err
	}
	f.parquet, err = parquet.OpenFile(f.file, info.Size(),
		parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.FileReadMode(parquet.ReadModeSync))
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if err := f.checkGroups(); err != nil {
		return err
	}
	f.metadata = map[string]string{}
	for _, pair := range f.parquet.Metadata().KeyValueMetadata {
		f.metadata[pair.Key] = pair.Value
	}
	columns, err := want(f.metadata)
	if err != nil {
		return err
	}
	return f.choose(columns.schema, columns.added)
}

// checkFooter refuses, before parquet-go decodes it, a footer that is not there
// or asks for more memory than its bytes can fill.
func (f *ParquetFile) checkFooter(size int64) error {
	const magic = "PAR1"
	ends := make([]byte, 12)
	if size < int64(len(ends)) {
		return fmt.Errorf("not a Parquet file: has %d bytes", size)
	}
	if _, err := f.file.ReadAt(ends[:4], 0); err != nil {
		return err
	}
	if _, err := f.file.ReadAt(ends[4:], size-8); err != nil {
		return err
	}
	begins := string(ends[:4]) == magic
	switch {
	case begins && string(ends[8:]) != magic:
		return errors.New("truncated Parquet: the file does not end with its footer")
	case !begins:
		return errors.New("not a Parquet file")
	}
	length := int64(binary.LittleEndian.Uint32(ends[4:]))
	if length > size-12 {
		return fmt.Errorf("truncated Parquet: a footer of %d bytes in a file of %d", length, size)
	}
	if length > f.limits.FooterBytes {
		return fmt.Errorf("footer of %d bytes: the limit is %d", length, f.limits.FooterBytes)
	}
	footer := make([]byte, length)
	if _, err := f.file.ReadAt(footer, size-8-length); err != nil {
		return err
	}
	n, err := thriftLen(footer, f.limits.FooterItems)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if n != len(footer) {
		return fmt.Errorf("footer: %d bytes after its end", len(footer)-n)
	}
	return nil
}

// checkGroups holds what the footer says against the limits and the file's size.
func (f *ParquetFile) checkGroups() error {
	meta, limits := f.parquet.Metadata(), &f.limits
	if n := len(f.parquet.Schema().Columns()); n > limits.Columns {
		return fmt.Errorf("%d columns: the limit is %d", n, limits.Columns)
	}
	if n := len(meta.RowGroups); n > limits.RowGroups {
		return fmt.Errorf("%d row groups: the limit is %d", n, limits.RowGroups)
	}
	rows := int64(0)
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		if group.NumRows < 0 || group.NumRows > limits.GroupRows {
			return fmt.Errorf("row group %d: %d rows: the limit is %d", g, group.NumRows, limits.GroupRows)
		}
		rows += group.NumRows
		for c := range group.Columns {
			chunk := &group.Columns[c].MetaData
			from, size := chunk.DataPageOffset, chunk.TotalCompressedSize
			if d := chunk.DictionaryPageOffset; d > 0 {
				from = min(from, d)
			}
			if from < 0 || size < 0 || from > f.parquet.Size() || size > f.parquet.Size()-from {
				return fmt.Errorf("row group %d: column %d: lies at %d, %d bytes, in a file of %d bytes",
					g, c, from, size, f.parquet.Size())
			}
			if group.Columns[c].FilePath != "" {
				return fmt.Errorf("row group %d: column %d: lies in another file", g, c)
			}
		}
	}
	if rows != meta.NumRows {
		return fmt.Errorf("%d rows in its row groups, %d in its footer", rows, meta.NumRows)
	}
	return nil
}

// choose finds the columns of want, or all columns. Those that added names may
// be missing.
func (f *ParquetFile) choose(want *arrow.Schema, added func(string) bool) error {
	root := f.parquet.Root()
	if want == nil {
		var fields []arrow.Field
		for _, c := range root.Columns() {
			t, err := arrowType(c)
			if err != nil {
				return fmt.Errorf("column %q: %w", c.Name(), err)
			}
			fields = append(fields, arrow.Field{Name: c.Name(), Type: t, Nullable: c.Optional()})
		}
		want = arrow.NewSchema(fields, nil)
	}
	f.schema = want
	for _, field := range want.Fields() {
		c := root.Column(field.Name)
		if c == nil {
			if added != nil && added(field.Name) {
				f.columns = append(f.columns, nil)
				continue
			}
			return fmt.Errorf("column %q: missing", field.Name)
		}
		got, err := arrowType(c)
		if err != nil {
			return fmt.Errorf("column %q: want %s, but it %w", field.Name, typeName(field.Type), err)
		}
		if typeName(got) != typeName(field.Type) {
			return fmt.Errorf("column %q: want %s, got %s", field.Name, typeName(field.Type), typeName(got))
		}
		for !c.Leaf() {
			c = c.Columns()[0]
		}
		f.columns = append(f.columns, c)
	}
	return nil
}

// only leaves all columns out but those that are named.
func (f *ParquetFile) only(columns []string) {
	for i, field := range f.schema.Fields() {
		if !slices.Contains(columns, field.Name) {
			f.columns[i] = nil
		}
	}
}

// Schema returns the schema of the records: want, as OpenParquet was given it.
func (f *ParquetFile) Schema() *arrow.Schema { return f.schema }

// NumRows returns the number of rows that the footer declares.
func (f *ParquetFile) NumRows() int64 { return f.parquet.NumRows() }

// Metadata returns the file's key-value metadata. Callers must not change it.
func (f *ParquetFile) Metadata() map[string]string { return f.metadata }

// Close closes the file.
func (f *ParquetFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// close is Close where an error has nothing to tell: the file was only read.
func (f *ParquetFile) close() { _ = f.Close() }

// NumGroups returns the number of row groups.
func (f *ParquetFile) NumGroups() int { return len(f.parquet.RowGroups()) }

// Records yields the rows in the order of the file, in records of at most
// limits.BatchRows rows that never reach over the end of a row group. The caller
// Releases each. An error ends the sequence and names file, row group and column.
func (f *ParquetFile) Records(ctx context.Context) iter.Seq2[arrow.Record, error] {
	return f.RecordsOf(ctx, func(int) bool { return true })
}

// RecordsOf is Records for the row groups, counted from 0, for which keep is true:
// of the others nothing is read.
func (f *ParquetFile) RecordsOf(ctx context.Context, keep func(group int) bool) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		c, err := f.cursor(f.limits.BatchRows)
		if err == nil {
			c.keep = keep
		}
		for err == nil {
			var rec arrow.Record
			if rec, err = c.next(ctx); errors.Is(err, io.EOF) {
				return
			}
			if err == nil && !yield(rec, nil) {
				return
			}
		}
		yield(nil, err)
	}
}

// recovered turns a panic into an error. Every page is decoded in the caller's
// goroutine, so that nothing a file makes parquet-go do escapes it.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
}

// typeName names a type as errors do.
func typeName(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.StringType:
		return "string"
	case *arrow.ListType:
		return "list of " + typeName(t.Elem())
	case *arrow.TimestampType:
		return "timestamp[" + t.Unit.String() + ", " + t.TimeZone + "]"
	}
	return t.String()
}

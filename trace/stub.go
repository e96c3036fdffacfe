package trace

import (
	"context"
	"errors"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
)

var errTODO = errors.New("not there yet")

type ParquetFile struct{}

func OpenParquet(path string, want *arrow.Schema, limits Limits) (*ParquetFile, error) {
	return nil, errTODO
}
func (f *ParquetFile) Schema() *arrow.Schema       { return nil }
func (f *ParquetFile) NumRows() int64              { return 0 }
func (f *ParquetFile) Metadata() map[string]string { return nil }
func (f *ParquetFile) Records(ctx context.Context) iter.Seq2[arrow.Record, error] {
	return func(func(arrow.Record, error) bool) {}
}
func (f *ParquetFile) Close() error { return nil }

type ParquetOptions struct {
	GroupRows int64
}

type ParquetWriter struct{}

func CreateParquet(path string, schema *arrow.Schema, metadata map[string]string, opts ParquetOptions) (*ParquetWriter, error) {
	return nil, errTODO
}
func (w *ParquetWriter) SetMetadata(key, value string) {}
func (w *ParquetWriter) Write(rec arrow.Record) error  { return errTODO }
func (w *ParquetWriter) Rows() int64                   { return 0 }
func (w *ParquetWriter) Close() error                  { return errTODO }
func (w *ParquetWriter) Abort() error                  { return nil }

type WriterOptions struct {
	GroupRows int64
}

func DefaultWriterOptions() WriterOptions { return WriterOptions{GroupRows: 1 << 17} }

type Writer struct{}

func NewWriter(dir string, meta Meta, opts WriterOptions) (*Writer, error) { return nil, errTODO }
func (w *Writer) Events(rows []Event) error                                { return errTODO }
func (w *Writer) Sequences(rows []Sequence) error                          { return errTODO }
func (w *Writer) Processes(rows []Process) error                           { return errTODO }
func (w *Writer) Containers(rows []Container) error                        { return errTODO }
func (w *Writer) Losses(rows []Loss) error                                 { return errTODO }
func (w *Writer) Seal(final bool) error                                    { return errTODO }
func (w *Writer) Close() error                                             { return errTODO }
func (w *Writer) Abort() error                                             { return errTODO }

type File struct {
	Path, Rel   string
	Table       Table
	Meta        Meta
	Rows, Bytes int64
}

func (f *File) SHA256() (string, error) { return "", errTODO }

type Trace struct{}

func Open(path string) (*Trace, error)    { return nil, errTODO }
func (t *Trace) Path() string             { return "" }
func (t *Trace) Hosts() []string          { return nil }
func (t *Trace) Files(table Table) []File { return nil }

type ScanOptions struct {
	Files     []File
	BatchRows int
}

func (t *Trace) Scan(ctx context.Context, table Table, opts ScanOptions) iter.Seq2[arrow.Record, error] {
	return func(func(arrow.Record, error) bool) {}
}
func (t *Trace) Containers(ctx context.Context) (map[string]Container, error) { return nil, errTODO }

func Rows[T Event | Sequence | Process | Container | Loss](rec arrow.Record) ([]T, error) {
	return nil, errTODO
}

type Row struct {
	TimeNS   int64
	Event    *EventBatch
	Sequence *SequenceBatch
	Index    int
	File     *File
	FileRow  int64
}

func Merge(ctx context.Context, traces ...*Trace) iter.Seq2[Row, error] {
	return func(func(Row, error) bool) {}
}

func MergeFiles(ctx context.Context, files []File) iter.Seq2[Row, error] {
	return func(func(Row, error) bool) {}
}

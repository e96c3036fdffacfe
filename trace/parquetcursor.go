package trace

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

// parquetCursor reads a file record by record.
type parquetCursor struct {
	f         *ParquetFile
	zstd      *zstd.Decoder
	batchRows int
	reuse     bool                 // a record is no longer needed when the next one is read
	group     int                  // the row group being read
	keep      func(group int) bool // nil: all
	left      int64                // rows of it not read yet
	columns   []*columnReader      // nil: absent
	absent    []arrow.Array        // of such columns, made once
	at        string               // the column being read, for errors
}

func (f *ParquetFile) cursor(batchRows int) (*parquetCursor, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(uint64(f.limits.PageBytes)))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	if batchRows <= 0 {
		batchRows = f.limits.BatchRows
	}
	return &parquetCursor{f: f, zstd: d, batchRows: batchRows, group: -1}, nil
}

// next returns the next record, or io.EOF.
func (c *parquetCursor) next(ctx context.Context) (rec arrow.Record, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && !errors.Is(err, io.EOF) {
			err = &FileError{c.f.path, fmt.Errorf("row group %d: column %q: %w", c.group, c.at, err)}
		}
	}()
	defer recovered(&err)
	for c.left == 0 {
		if c.group+1 >= len(c.f.parquet.RowGroups()) {
			return nil, io.EOF
		}
		if c.group++; c.keep == nil || c.keep(c.group) {
			c.begin()
		}
	}
	n := int(min(c.left, int64(c.batchRows)))
	c.left -= int64(n)
	arrays := make([]arrow.Array, len(c.columns))
	budget := c.f.limits.BatchBytes
	for i, r := range c.columns {
		if r == nil {
			arrays[i] = c.absentColumn(i, n)
			continue
		}
		c.at = r.field.Name
		if arrays[i], err = r.read(n, &budget); err != nil {
			return nil, unexpected(err)
		}
		if c.left == 0 {
			if err := r.drained(); err != nil {
				return nil, unexpected(err)
			}
		}
	}
	TellWatch(ctx, n)
	return array.NewRecord(c.f.schema, arrays, int64(n)), nil
}

// absentColumn returns n rows of a column that is not read. Records of one length
// share it.
func (c *parquetCursor) absentColumn(i, n int) arrow.Array {
	if c.absent == nil {
		c.absent = make([]arrow.Array, len(c.columns))
	}
	if c.absent[i] == nil || c.absent[i].Len() != n {
		c.absent[i] = absent(c.f.schema.Field(i), n)
	}
	return c.absent[i]
}

// unexpected keeps the end of a file in the middle of a page from looking like
// the end of the rows.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", "file is cut short", io.ErrUnexpectedEOF)
	}
	return err
}

// begin sets the readers to the pages of the current row group. They keep their
// buffers.
func (c *parquetCursor) begin() {
	group := &c.f.parquet.Metadata().RowGroups[c.group]
	c.left = group.NumRows
	if c.columns == nil {
		for i, field := range c.f.schema.Fields() {
			var r *columnReader
			if leaf := c.f.columns[i]; leaf != nil {
				r = newColumnReader(field, leaf, c)
			}
			c.columns = append(c.columns, r)
		}
	}
	for i, r := range c.columns {
		if r == nil {
			continue
		}
		chunk := &group.Columns[c.f.columns[i].Index()].MetaData
		from := chunk.DataPageOffset
		if d := chunk.DictionaryPageOffset; d > 0 {
			from = min(from, d)
		}
		r.reset(from, from+chunk.TotalCompressedSize, chunk.Codec)
	}
}

func newColumnReader(field arrow.Field, leaf *parquet.Column, c *parquetCursor) *columnReader {
	r := &columnReader{field: field, element: field.Type, reuse: c.reuse}
	if list, ok := field.Type.(*arrow.ListType); ok {
		r.list, r.element = true, list.Elem()
		if outer := c.f.parquet.Root().Column(field.Name); outer.Optional() {
			r.absent = 1
		}
	}
	r.pages = pageReader{
		r: c.f.file, kind: leaf.Type().Kind(), limits: &c.f.limits, zstd: c.zstd,
		maxRep: byte(leaf.MaxRepetitionLevel()), maxDef: byte(leaf.MaxDefinitionLevel()),
	}
	return r
}

package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// mapLeaf is a leaf column of the file that a column of the map is taken from.
type mapLeaf struct {
	at    int   // in the file's rows
	list  bool  // its values are a list
	scale int64 // of a timestamp, to nanoseconds; 0 is none
	text  bool
}

// parquet reads a file row by row. That the file is sound a process of its own has
// found out before; a reader that panics all the same costs the file.
func (d *mapReader) parquet(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the reader of Parquet failed: %v", p)
		}
	}()
	in, size := d.in.File, d.in.Size
	if in == nil { // where nobody asked for it
		content, err := io.ReadAll(io.LimitReader(d.in.Reader, d.in.Limits.Memory))
		if err != nil {
			return err
		}
		in, size = bytes.NewReader(content), int64(len(content))
	}
	f, err := parquet.OpenFile(in, size)
	if err != nil {
		return err
	}
	if n := len(f.Schema().Columns()); n > d.in.Limits.Columns {
		return fmt.Errorf("%d columns, want at most %d", n, d.in.Limits.Columns)
	}
	leaves, err := d.leaves(f.Schema())
	if err != nil {
		return err
	}
	n := int64(0)
	for _, group := range f.RowGroups() {
		if group.NumRows() > d.in.Limits.GroupRows {
			return fmt.Errorf("row group of %d rows, want at most %d", group.NumRows(), d.in.Limits.GroupRows)
		}
		rows := group.Rows()
		err := d.rows(ctx, rows, leaves, &n)
		if err = errors.Join(err, rows.Close()); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (d *mapReader) rows(ctx context.Context, rows parquet.Rows, leaves []mapLeaf, n *int64) error {
	buf := make([]parquet.Row, 256)
	for {
		got, err := rows.ReadRows(buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, row := range buf[:got] {
			if *n++; *n > d.in.Limits.Records {
				return fmt.Errorf("more than %d rows", d.in.Limits.Records)
			}
			why := d.record(func(i int, _ *mapColumn) (any, bool) { return leaves[i].value(row) })
			if why != nil && d.failed == nil {
				d.failed = d.out.Reject(Position{Record: *n}, nil, why)
			}
			if d.failed != nil {
				return d.failed
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// leaves finds the leaf of each column of the map: by its path, where a list has
// "list" and "element" behind its name.
func (d *mapReader) leaves(schema *parquet.Schema) ([]mapLeaf, error) {
	var names []string
	var found []mapLeaf
	for i, path := range schema.Columns() {
		leaf, ok := schema.Lookup(path...)
		if !ok {
			continue
		}
		l := mapLeaf{at: i, list: leaf.MaxRepetitionLevel > 0}
		name := strings.Join(path, ".")
		for _, end := range []string{".list.element", ".list.item", ".bag.array_element", ".array"} {
			name = strings.TrimSuffix(name, end)
		}
		if kind := leaf.Node.Type(); kind.Kind() == parquet.ByteArray || kind.Kind() == parquet.FixedLenByteArray {
			l.text = true
		} else if logical := kind.LogicalType(); logical != nil {
			if when, ok := logical.Value.(*format.TimestampType); ok {
				l.scale = timestampScale(when.Unit)
			}
		}
		names, found = append(names, name), append(found, l)
	}
	var leaves []mapLeaf
	for _, c := range d.m.all() {
		i := slices.Index(names, c.from)
		switch {
		case c.from == "":
			leaves = append(leaves, mapLeaf{})
		case i < 0:
			return nil, fmt.Errorf("no column %q, which the map takes for %s", c.from, c.name)
		default:
			leaves = append(leaves, found[i])
		}
	}
	return leaves, nil
}

func timestampScale(unit format.TimeUnit) int64 {
	switch unit.Value.(type) {
	case *format.MilliSeconds:
		return 1e6
	case *format.MicroSeconds:
		return 1e3
	}
	return 1
}

// value is the leaf's value in a row, as JSON would have it; false where it is
// null.
func (l *mapLeaf) value(row parquet.Row) (any, bool) {
	var list []any
	for _, v := range row {
		if v.Column() != l.at || v.IsNull() {
			continue
		}
		var one any
		switch {
		case l.text:
			one = string(v.ByteArray())
		case v.Kind() == parquet.Boolean:
			one = v.Boolean()
		case v.Kind() == parquet.Float:
			one = json.Number(strconv.FormatFloat(float64(v.Float()), 'f', -1, 32))
		case v.Kind() == parquet.Double:
			one = json.Number(strconv.FormatFloat(v.Double(), 'f', -1, 64))
		case v.Kind() == parquet.Int32:
			one = json.Number(strconv.FormatInt(int64(v.Int32()), 10))
		case v.Kind() == parquet.Int64:
			n := v.Int64()
			if l.scale != 0 {
				n *= l.scale
			}
			one = json.Number(strconv.FormatInt(n, 10))
		default:
			one = v.String()
		}
		if !l.list {
			return one, true
		}
		list = append(list, one)
	}
	return list, l.list && len(list) > 0
}

package trace

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/parquet-go/parquet-go"
)

// columnWriter takes rows of one Arrow array to one Parquet column.
type columnWriter struct {
	field  arrow.Field
	column int
	out    *parquet.ColumnWriter
	values []parquet.Value // of the rows at hand
}

func (c *columnWriter) write(a arrow.Array, from, to int) error {
	if typeName(a.DataType()) != typeName(c.field.Type) {
		return fmt.Errorf("want %s, got %s", typeName(c.field.Type), typeName(a.DataType()))
	}
	nulls := a.NullN() > 0
	if nulls && !c.field.Nullable {
		return errors.New("null where the column has none")
	}
	top := 0 // definition level of a row that is not null
	if c.field.Nullable {
		top = 1
	}
	c.values = c.values[:0]
	list, isList := a.(*array.List)
	if isList && list.ListValues().NullN() > 0 {
		return errors.New("null element of a list")
	}
	if !isList && !nulls {
		if err := c.append(a, from, to, 0, top); err != nil {
			return err
		}
		from = to
	}
	for i := from; i < to; i++ {
		var err error
		switch {
		case nulls && a.IsNull(i):
			c.values = append(c.values, parquet.NullValue().Level(0, 0, c.column))
		case isList:
			err = c.list(list, i, top)
		default:
			err = c.append(a, i, i+1, 0, top)
		}
		if err != nil {
			return err
		}
	}
	_, err := c.out.WriteRowValues(c.values)
	return err
}

func (c *columnWriter) list(a *array.List, i, top int) error {
	begin, end := a.ValueOffsets(i)
	if begin == end {
		c.values = append(c.values, parquet.NullValue().Level(0, top, c.column))
		return nil
	}
	if err := c.append(a.ListValues(), int(begin), int(begin)+1, 0, top+1); err != nil {
		return err
	}
	return c.append(a.ListValues(), int(begin)+1, int(end), 1, top+1)
}

// append appends the values [from, to) of an array, with their repetition and
// definition levels.
func (c *columnWriter) append(a arrow.Array, from, to, rep, def int) error {
	dst := c.values
	switch a := a.(type) {
	case *array.String:
		for i := from; i < to; i++ {
			dst = append(dst, parquet.ByteArrayValue(textBytes(a.Value(i))).Level(rep, def, c.column))
		}
	case *array.Int32:
		for _, n := range a.Int32Values()[from:to] {
			dst = append(dst, parquet.Int32Value(n).Level(rep, def, c.column))
		}
	case *array.Int64:
		for _, n := range a.Int64Values()[from:to] {
			dst = append(dst, parquet.Int64Value(n).Level(rep, def, c.column))
		}
	case *array.Timestamp:
		for _, n := range a.TimestampValues()[from:to] {
			dst = append(dst, parquet.Int64Value(int64(n)).Level(rep, def, c.column))
		}
	case *array.Uint16:
		for _, n := range a.Uint16Values()[from:to] {
			dst = append(dst, parquet.Int32Value(int32(n)).Level(rep, def, c.column))
		}
	case *array.Uint32:
		for _, n := range a.Uint32Values()[from:to] {
			dst = append(dst, parquet.Int32Value(int32(n)).Level(rep, def, c.column))
		}
	case *array.Uint64:
		for _, n := range a.Uint64Values()[from:to] {
			dst = append(dst, parquet.Int64Value(int64(n)).Level(rep, def, c.column))
		}
	case *array.Float32:
		for _, x := range a.Float32Values()[from:to] {
			dst = append(dst, parquet.FloatValue(x).Level(rep, def, c.column))
		}
	case *array.Float64:
		for _, x := range a.Float64Values()[from:to] {
			dst = append(dst, parquet.DoubleValue(x).Level(rep, def, c.column))
		}
	case *array.Boolean:
		for i := from; i < to; i++ {
			dst = append(dst, parquet.BooleanValue(a.Value(i)).Level(rep, def, c.column))
		}
	default:
		return fmt.Errorf("%s is not in use here", a.DataType())
	}
	c.values = dst
	return nil
}

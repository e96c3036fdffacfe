package trace

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

func number(a *array.Int64, i int) (int64, bool) {
	if a.IsNull(i) {
		return 0, false
	}
	return a.Value(i), true
}

// columns finds typed columns of a record of a table; err keeps the first that
// is missing or of another type. A column that was added later than the first
// version may be missing: its rows are null, empty or zero then.
type columns struct {
	rec   arrow.Record
	table Table
	err   error
}

// array returns the column, or what stands for it; nil where it must not be missing.
func (c *columns) array(name string) arrow.Array {
	if at := c.rec.Schema().FieldIndices(name); len(at) > 0 {
		return c.rec.Column(at[0])
	}
	if !c.table.added(name) {
		return nil
	}
	schema := ArrowSchema(c.table)
	return absent(schema.Field(schema.FieldIndices(name)[0]), int(c.rec.NumRows()))
}

func column[A arrow.Array](c *columns, name, want string) (a A) {
	got := c.array(name)
	if got == nil {
		c.fail(fmt.Errorf("column %q: missing", name))
		return a
	}
	a, ok := got.(A)
	if !ok {
		c.fail(fmt.Errorf("column %q: want %s, got %s", name, want, got.DataType()))
	}
	return a
}

func (c *columns) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *columns) times(name string) []int64 {
	if a := column[*array.Timestamp](c, name, "timestamp"); a != nil {
		return arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.TimestampValues()))
	}
	return nil
}

func (c *columns) int64s(name string) []int64 {
	if a := column[*array.Int64](c, name, "int64"); a != nil {
		return a.Int64Values()
	}
	return nil
}

func (c *columns) uint64s(name string) []uint64 {
	if a := column[*array.Uint64](c, name, "uint64"); a != nil {
		return a.Uint64Values()
	}
	return nil
}

func (c *columns) int32s(name string) []int32 {
	if a := column[*array.Int32](c, name, "int32"); a != nil {
		return a.Int32Values()
	}
	return nil
}

func (c *columns) nullable(name string) *array.Int64 { return column[*array.Int64](c, name, "int64") }
func (c *columns) strings(name string) *array.String { return column[*array.String](c, name, "utf8") }
func (c *columns) bools(name string) *array.Boolean  { return column[*array.Boolean](c, name, "bool") }

// stringLists reads a column of lists of strings.
type stringLists struct {
	offsets []int32
	values  *array.String
}

func (l stringLists) length(i int) int   { return int(l.offsets[i+1] - l.offsets[i]) }
func (l stringLists) at(i, j int) string { return l.values.Value(int(l.offsets[i]) + j) }
func (l stringLists) all(i int) []string {
	n := l.length(i)
	if n == 0 {
		return nil
	}
	all := make([]string, n)
	for j := range all {
		all[j] = l.at(i, j)
	}
	return all
}

func (c *columns) stringLists(name string) stringLists {
	list := column[*array.List](c, name, "list of utf8")
	if list == nil {
		return stringLists{}
	}
	values, ok := list.ListValues().(*array.String)
	if !ok {
		c.fail(fmt.Errorf("column %q: want list of utf8, got %s", name, list.DataType()))
	}
	return stringLists{listOffsets(list), values}
}

func (c *columns) uint16Lists(name string) ([]int32, []uint16) {
	list := column[*array.List](c, name, "list of uint16")
	if list == nil {
		return nil, nil
	}
	values, ok := list.ListValues().(*array.Uint16)
	if !ok {
		c.fail(fmt.Errorf("column %q: want list of uint16, got %s", name, list.DataType()))
		return nil, nil
	}
	return listOffsets(list), values.Uint16Values()
}

// listOffsets returns Len()+1 offsets into the list's values, for a slice of a
// list too.
func listOffsets(list *array.List) []int32 {
	offset := list.Data().Offset()
	return list.Offsets()[offset : offset+list.Len()+1]
}

package trace

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// timestampNS is the Arrow type of every column of TIMESTAMP(ns, UTC).
var timestampNS = &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}

// structSchema returns the Arrow schema of a row struct, from the same tags that
// make its Parquet schema. It panics on a struct that has no such schema.
func structSchema[T any]() *arrow.Schema {
	var fields []arrow.Field
	for _, f := range parquet.SchemaOf(new(T)).Fields() {
		t, err := arrowType(f)
		if err != nil {
			panic(fmt.Sprintf("column %q: %v", f.Name(), err))
		}
		fields = append(fields, arrow.Field{Name: f.Name(), Type: t, Nullable: f.Optional()})
	}
	return arrow.NewSchema(fields, nil)
}

// arrowType returns the Arrow type of a Parquet column, be it a scalar or a list
// of scalars.
func arrowType(n parquet.Node) (arrow.DataType, error) {
	if n.Repeated() {
		return nil, fmt.Errorf("repeated without a LIST around it")
	}
	if n.Leaf() {
		return scalarType(n.Type())
	}
	element := listElement(n)
	if element == nil {
		return nil, fmt.Errorf("is a group, not a scalar or a list of scalars")
	}
	t, err := scalarType(element.Type())
	if err != nil {
		return nil, err
	}
	return listOf(t), nil
}

// listOf returns the list type of scalars: its elements are never null.
func listOf(element arrow.DataType) *arrow.ListType {
	return arrow.ListOfField(arrow.Field{Name: "element", Type: element})
}

// listElement returns the leaf of a list in the three-level form (group LIST,
// repeated group, element), or nil where n is none.
func listElement(n parquet.Node) parquet.Node {
	if n.Leaf() || len(n.Fields()) != 1 {
		return nil
	}
	middle := n.Fields()[0]
	if !middle.Repeated() || middle.Leaf() || len(middle.Fields()) != 1 {
		return nil
	}
	element := middle.Fields()[0]
	if !element.Leaf() || element.Repeated() {
		return nil
	}
	return element
}

// scalarType returns the Arrow type of a leaf's physical and logical type.
func scalarType(t parquet.Type) (arrow.DataType, error) {
	var logical format.LogicalType
	if l := t.LogicalType(); l != nil {
		logical = *l
	}
	switch t.Kind() {
	case parquet.Boolean:
		return arrow.FixedWidthTypes.Boolean, nil
	case parquet.Float:
		return arrow.PrimitiveTypes.Float32, nil
	case parquet.Double:
		return arrow.PrimitiveTypes.Float64, nil
	case parquet.ByteArray:
		if _, ok := logical.Value.(*format.StringType); ok {
			return arrow.BinaryTypes.String, nil
		}
	case parquet.Int32, parquet.Int64:
		return integerType(t.Kind(), logical)
	}
	return nil, fmt.Errorf("is %s, which is not in use here", t)
}

func integerType(kind parquet.Kind, logical format.LogicalType) (arrow.DataType, error) {
	plain := map[parquet.Kind]arrow.DataType{
		parquet.Int32: arrow.PrimitiveTypes.Int32, parquet.Int64: arrow.PrimitiveTypes.Int64}[kind]
	switch l := logical.Value.(type) {
	case nil:
		return plain, nil
	case *format.TimestampType:
		if _, ok := l.Unit.Value.(*format.NanoSeconds); ok && l.IsAdjustedToUTC && kind == parquet.Int64 {
			return timestampNS, nil
		}
	case *format.IntType:
		unsigned := map[int8]arrow.DataType{16: arrow.PrimitiveTypes.Uint16,
			32: arrow.PrimitiveTypes.Uint32, 64: arrow.PrimitiveTypes.Uint64}[l.BitWidth]
		switch {
		case l.IsSigned && (l.BitWidth == 64) == (kind == parquet.Int64) && l.BitWidth >= 32:
			return plain, nil
		case !l.IsSigned && unsigned != nil && (l.BitWidth == 64) == (kind == parquet.Int64):
			return unsigned, nil
		}
	}
	return nil, fmt.Errorf("is %s of a logical type that is not in use here", kind)
}

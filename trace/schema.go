package trace

import (
	"fmt"
	"reflect"

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

// parquetSchema returns the Parquet schema of an Arrow schema, its columns in
// the same order.
func parquetSchema(schema *arrow.Schema) (*parquet.Schema, error) {
	group := parquet.Group{}
	var fields []parquet.Field
	for _, f := range schema.Fields() {
		n, err := parquetNode(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		if f.Nullable {
			n = parquet.Optional(n)
		}
		if _, ok := group[f.Name]; ok {
			return nil, fmt.Errorf("column %q: twice in one schema", f.Name)
		}
		group[f.Name] = n
		fields = append(fields, namedNode{n, f.Name})
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("schema without columns")
	}
	return parquet.NewSchema("mayfly", orderedGroup{group, fields}), nil
}

// orderedGroup is a group whose fields keep their order; parquet.Group sorts
// them by name.
type orderedGroup struct {
	parquet.Group
	fields []parquet.Field
}

// Fields returns the fields in their order.
func (g orderedGroup) Fields() []parquet.Field { return g.fields }

// namedNode is a field of an orderedGroup.
type namedNode struct {
	parquet.Node
	name string
}

// Name returns the column's name.
func (n namedNode) Name() string { return n.name }

// Value is for rows of Go structs and maps, which never come here.
func (n namedNode) Value(reflect.Value) reflect.Value { return reflect.Value{} }

func parquetNode(t arrow.DataType) (parquet.Node, error) {
	switch t := t.(type) {
	case *arrow.ListType:
		if _, ok := t.Elem().(*arrow.ListType); ok {
			return nil, fmt.Errorf("list of lists is not in use here")
		}
		element, err := parquetNode(t.Elem())
		if err != nil {
			return nil, err
		}
		return parquet.List(element), nil
	case *arrow.TimestampType:
		if typeName(t) != typeName(timestampNS) {
			return nil, fmt.Errorf("%s is not in use here", t)
		}
		return parquet.Encoded(parquet.Timestamp(parquet.Nanosecond), &parquet.DeltaBinaryPacked), nil
	}
	switch t.ID() {
	case arrow.STRING:
		return parquet.Encoded(parquet.String(), &parquet.RLEDictionary), nil
	case arrow.INT32:
		return parquet.Encoded(parquet.Leaf(parquet.Int32Type), &parquet.RLEDictionary), nil
	case arrow.INT64:
		return parquet.Encoded(parquet.Leaf(parquet.Int64Type), &parquet.RLEDictionary), nil
	case arrow.UINT16:
		return parquet.Encoded(parquet.Uint(16), &parquet.RLEDictionary), nil
	case arrow.UINT32:
		return parquet.Encoded(parquet.Uint(32), &parquet.RLEDictionary), nil
	case arrow.UINT64:
		return parquet.Encoded(parquet.Uint(64), &parquet.RLEDictionary), nil
	case arrow.FLOAT32:
		return parquet.Leaf(parquet.FloatType), nil
	case arrow.FLOAT64:
		return parquet.Leaf(parquet.DoubleType), nil
	case arrow.BOOL:
		return parquet.Leaf(parquet.BooleanType), nil
	}
	return nil, fmt.Errorf("%s is not in use here", t)
}

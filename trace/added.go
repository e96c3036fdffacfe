package trace

import (
	"reflect"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// firstColumns is how many columns a table had in the first files of version 1.
// Later columns stand behind these, and a file without them is sound.
var firstColumns = map[Table]int{Events: 29, Sequences: 11, Processes: 17, Containers: 26, Losses: 7}

// rowTables is the table of each row struct.
var rowTables = map[reflect.Type]Table{
	reflect.TypeFor[Event](): Events, reflect.TypeFor[Sequence](): Sequences, reflect.TypeFor[Process](): Processes,
	reflect.TypeFor[Container](): Containers, reflect.TypeFor[Loss](): Losses,
}

// added reports whether a column came after the table's first version, so that
// a file may lack it.
func (t Table) added(column string) bool {
	schema := ArrowSchema(t)
	if schema == nil {
		return false
	}
	at := schema.FieldIndices(column)
	return len(at) > 0 && at[0] >= firstColumns[t]
}

// absent returns n rows of a column that a file lacks: null where the column may
// be null, else empty lists, empty strings or zeros.
func absent(field arrow.Field, n int) arrow.Array {
	if field.Nullable {
		return array.MakeArrayOfNull(memory.DefaultAllocator, field.Type, n)
	}
	b := array.NewBuilder(memory.DefaultAllocator, field.Type)
	defer b.Release()
	b.AppendEmptyValues(n)
	return b.NewArray()
}

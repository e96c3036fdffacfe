package feature

import (
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
)

// The columns that are not counters, in the order of Schema.
const (
	colHost = iota
	colContainerID
	colContainerName
	colWorkload
	colStartNS
	colWidthNS
	colMissing
	colCounters   // the first of NumCounters
	colCalls      = colCounters + int(NumCounters)
	colCallCounts = colCalls + 1
	colTrigrams   = colCalls + 2
	colTriCounts  = colCalls + 3
	colItems      = colCalls + 4
	colItemCounts = colCalls + 5
	numColumns    = colCalls + 6
)

// Keys of the metadata of a FEATURES file. FORMAT.md says what they hold.
const (
	MetaSchema    = "mayfly.features.schema"      // SchemaVersion
	MetaWidth     = "mayfly.features.width_ns"    // of every window
	MetaLateness  = "mayfly.features.lateness_ns" // how late rows were waited for
	MetaHostToo   = "mayfly.features.host_too"    // true or false
	MetaBadInputs = "mayfly.features.bad_inputs"  // how many inputs were left out
	MetaInputs    = "mayfly.features.inputs"      // JSON list of InputFile
	MetaCounts    = "mayfly.features.counts"      // JSON of Counts
	MetaCreator   = "mayfly.features.creator"     // program and version
)

var schema = makeSchema()

func makeSchema() *arrow.Schema {
	fields := []arrow.Field{
		{Name: "host", Type: arrow.BinaryTypes.String},
		{Name: "container_id", Type: arrow.BinaryTypes.String},
		{Name: "container_name", Type: arrow.BinaryTypes.String},
		{Name: "workload", Type: arrow.BinaryTypes.String},
		{Name: "start_ns", Type: arrow.PrimitiveTypes.Int64},
		{Name: "width_ns", Type: arrow.PrimitiveTypes.Int64},
		{Name: "missing", Type: arrow.PrimitiveTypes.Uint32},
	}
	for _, c := range Counters {
		fields = append(fields, arrow.Field{Name: c.Name, Type: arrow.PrimitiveTypes.Uint32})
	}
	list := func(name string, of arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: arrow.ListOfNonNullable(of)}
	}
	fields = append(fields,
		list("calls", arrow.PrimitiveTypes.Uint16),
		list("call_counts", arrow.PrimitiveTypes.Uint32),
		list("trigrams", arrow.PrimitiveTypes.Uint32),
		list("trigram_counts", arrow.PrimitiveTypes.Uint32),
		list("items", arrow.BinaryTypes.String),
		list("item_counts", arrow.PrimitiveTypes.Uint32),
	)
	meta := arrow.NewMetadata([]string{MetaSchema}, []string{strconv.Itoa(SchemaVersion)})
	return arrow.NewSchema(fields, &meta)
}

// Schema returns the Arrow schema of windows: one row per Window, no nulls.
// The columns are those of FORMAT.md.
func Schema() *arrow.Schema { return schema }

package trace

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// SchemaVersion is the version of the tables that this package writes and the
// only one that it reads. FORMAT.md says what makes it change.
const SchemaVersion = 1

// Table names one of the five tables of a trace. The value is the name of the
// table's folder.
type Table string

// The tables, and the struct that is a row of each.
const (
	Events     Table = "events"     // Event
	Sequences  Table = "sequences"  // Sequence
	Processes  Table = "processes"  // Process
	Containers Table = "containers" // Container
	Losses     Table = "losses"     // Loss
)

// Tables lists every table, in the order of the constants above.
func Tables() []Table {
	return []Table{Events, Sequences, Processes, Containers, Losses}
}

var arrowSchemas = map[Table]*arrow.Schema{
	Events:     structSchema[Event](),
	Sequences:  structSchema[Sequence](),
	Processes:  structSchema[Process](),
	Containers: structSchema[Container](),
	Losses:     structSchema[Loss](),
}

// ArrowSchema returns the Arrow schema of the records that Scan yields for a
// table, or nil for a table that does not exist. Callers must not change it.
func ArrowSchema(t Table) *arrow.Schema { return arrowSchemas[t] }

// recorderSource is the Meta.Source of what mayfly recorded itself.
const recorderSource = "mayfly record"

// Meta is what a file says of itself: where and by whom its rows were recorded.
// It is kept in the Parquet file's key-value metadata.
type Meta struct {
	Host          string // name of the recording machine, as it was
	Arch          string // as GOARCH names it: what the numbers of sequences mean
	Kernel        string // release of the kernel
	BootID        string
	Recorder      string   // name and version of the program that wrote the file
	ClockOffsetNS int64    // wall clock minus time since boot
	Source        string   // "mayfly record", or the foreign format the rows were made from
	FromNS, ToNS  int64    // the file's rows lie in [FromNS, ToNS]; both 0 when it has none
	Blind         []string // what the recorder could not see because its kernel lacks a hook: clauses, none with a line break
	Final         bool     // the last file before the recorder stopped in good order
}

// The keys of Meta in a Parquet file's metadata.
const (
	keySchema      = "mayfly.schema"
	keyTable       = "mayfly.table"
	keyHost        = "mayfly.host"
	keyArch        = "mayfly.arch"
	keyKernel      = "mayfly.kernel"
	keyBootID      = "mayfly.boot_id"
	keyRecorder    = "mayfly.recorder"
	keyClockOffset = "mayfly.clock_offset_ns"
	keySource      = "mayfly.source"
	keyFrom        = "mayfly.from_ns"
	keyTo          = "mayfly.to_ns"
	keyFinal       = "mayfly.final"
	keyBlind       = "mayfly.blind" // a line each; missing where there is none
)

// pairs returns m as metadata of a file of the table, in a fixed order.
func (m Meta) pairs(t Table) [][2]string {
	pairs := [][2]string{
		{keySchema, strconv.Itoa(SchemaVersion)},
		{keyTable, string(t)},
		{keyHost, validText(m.Host)},
		{keyArch, validText(m.Arch)},
		{keyKernel, validText(m.Kernel)},
		{keyBootID, validText(m.BootID)},
		{keyRecorder, validText(m.Recorder)},
		{keyClockOffset, strconv.FormatInt(m.ClockOffsetNS, 10)},
		{keySource, validText(m.Source)},
		{keyFrom, strconv.FormatInt(m.FromNS, 10)},
		{keyTo, strconv.FormatInt(m.ToNS, 10)},
		{keyFinal, strconv.FormatBool(m.Final)},
	}
	if len(m.Blind) > 0 {
		pairs = append(pairs, [2]string{keyBlind, validText(strings.Join(m.Blind, "\n"))})
	}
	return pairs
}

// parseMeta reads what pairs wrote. Keys that are missing leave the zero value,
// except the version and the table, which a file of a trace must have.
func parseMeta(pairs map[string]string) (Table, Meta, error) {
	version, ok := pairs[keySchema]
	if !ok {
		return "", Meta{}, fmt.Errorf("not a file of a trace: no %q in its metadata", keySchema)
	}
	if version != strconv.Itoa(SchemaVersion) {
		return "", Meta{}, fmt.Errorf("schema version: want %d, got %.20q", SchemaVersion, version)
	}
	table := Table(pairs[keyTable])
	if !slices.Contains(Tables(), table) {
		return "", Meta{}, fmt.Errorf("metadata %q: no table %.40q", keyTable, table)
	}
	m := Meta{
		Host: pairs[keyHost], Arch: pairs[keyArch], Kernel: pairs[keyKernel],
		BootID: pairs[keyBootID], Recorder: pairs[keyRecorder], Source: pairs[keySource],
		Final: pairs[keyFinal] == "true",
	}
	if blind := pairs[keyBlind]; blind != "" {
		m.Blind = strings.Split(blind, "\n")
	}
	for key, value := range map[string]*int64{
		keyClockOffset: &m.ClockOffsetNS, keyFrom: &m.FromNS, keyTo: &m.ToNS,
	} {
		text, ok := pairs[key]
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", Meta{}, fmt.Errorf("metadata %q: %.40q is no whole number", key, text)
		}
		*value = n
	}
	if m.FromNS > m.ToNS {
		return "", Meta{}, fmt.Errorf("metadata %q: %d lies after %q, %d", keyFrom, m.FromNS, keyTo, m.ToNS)
	}
	return table, m, nil
}

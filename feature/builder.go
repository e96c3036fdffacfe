package feature

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Builder gathers windows into a record of Schema. It is not safe for
// concurrent use.
type Builder struct {
	rec   *array.RecordBuilder
	rows  int
	calls listColumn[*array.Uint16Builder]
	tris  listColumn[*array.Uint32Builder]
	items listColumn[*array.StringBuilder]
	texts [4]*array.StringBuilder // host, container_id, container_name, workload
	start *array.Int64Builder
	width *array.Int64Builder
	miss  *array.Uint32Builder
	count [NumCounters]*array.Uint32Builder
}

// listColumn is a column of lists beside the column of their counts.
type listColumn[B array.Builder] struct {
	keys, counts *array.ListBuilder
	key          B
	count        *array.Uint32Builder
}

// NewBuilder returns an empty Builder. Release it when done.
func NewBuilder() *Builder {
	rec := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b := &Builder{
		rec:   rec,
		calls: newList[*array.Uint16Builder](rec, colCalls),
		tris:  newList[*array.Uint32Builder](rec, colTrigrams),
		items: newList[*array.StringBuilder](rec, colItems),
		start: rec.Field(colStartNS).(*array.Int64Builder),
		width: rec.Field(colWidthNS).(*array.Int64Builder),
		miss:  rec.Field(colMissing).(*array.Uint32Builder),
	}
	for i := range b.texts {
		b.texts[i] = rec.Field(colHost + i).(*array.StringBuilder)
	}
	for i := range b.count {
		b.count[i] = rec.Field(colCounters + i).(*array.Uint32Builder)
	}
	return b
}

func newList[B array.Builder](rec *array.RecordBuilder, col int) listColumn[B] {
	keys, counts := rec.Field(col).(*array.ListBuilder), rec.Field(col+1).(*array.ListBuilder)
	return listColumn[B]{keys, counts, keys.ValueBuilder().(B), counts.ValueBuilder().(*array.Uint32Builder)}
}

// next begins the lists of one more row.
func (l *listColumn[B]) next(counts []uint32) {
	l.keys.Append(true)
	l.counts.Append(true)
	l.count.AppendValues(counts, nil)
}

// Append adds one window and keeps nothing of it. Calls, Trigrams and Items must
// be ascending and as long as their counts (View refuses the record otherwise).
func (b *Builder) Append(w *Window) {
	for i, text := range [...]string{w.Host, w.ContainerID, w.ContainerName, w.Workload} {
		b.texts[i].Append(text)
	}
	b.start.Append(w.StartNS)
	b.width.Append(w.WidthNS)
	b.miss.Append(uint32(w.Missing))
	for i, n := range w.Counters {
		b.count[i].Append(n)
	}
	b.calls.next(w.CallCounts)
	b.calls.key.AppendValues(w.Calls, nil)
	b.tris.next(w.TrigramCounts)
	b.tris.key.AppendValues(w.Trigrams, nil)
	b.items.next(w.ItemCounts)
	for _, item := range w.Items {
		b.items.key.Append(item)
	}
	b.rows++
}

// Len is the number of windows appended since the last Record.
func (b *Builder) Len() int { return b.rows }

// Record returns the windows appended since the last Record, and starts anew.
// The caller Releases it.
func (b *Builder) Record() arrow.Record {
	b.rows = 0
	return b.rec.NewRecord()
}

// Release frees the Builder.
func (b *Builder) Release() { b.rec.Release() }

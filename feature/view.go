package feature

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Windows is a typed view of a record of Schema. It is read-only and safe for
// concurrent use, and valid until the record is released.
type Windows struct {
	rows  int
	texts [4]*array.String
	start []int64
	width []int64
	miss  []uint32
	count [NumCounters][]uint32

	calls, tris, items spans
	callKeys           []uint16
	triKeys            []uint32
	itemKeys           *array.String
}

// spans are the lists of two columns that run side by side.
type spans struct {
	keys, values *array.List
	counts       []uint32
}

// span is where row i's list lies among the keys.
func (s *spans) span(i int) (from, to int64) { return s.keys.ValueOffsets(i) }

// at is row i's counts.
func (s *spans) at(i int) []uint32 {
	from, to := s.values.ValueOffsets(i)
	return s.counts[from:to:to]
}

// View checks a record against Schema and its rules (no nulls, lists as long as
// their counts, ascending without repeats, widths above zero) and returns it as
// windows. Errors name the column and the row.
func View(rec arrow.Record) (*Windows, error) {
	if err := checkColumns(rec); err != nil {
		return nil, err
	}
	v := &Windows{rows: int(rec.NumRows())}
	for i := range v.texts {
		v.texts[i] = rec.Column(colHost + i).(*array.String)
	}
	v.start = rec.Column(colStartNS).(*array.Int64).Int64Values()
	v.width = rec.Column(colWidthNS).(*array.Int64).Int64Values()
	v.miss = rec.Column(colMissing).(*array.Uint32).Uint32Values()
	for i := range v.count {
		v.count[i] = rec.Column(colCounters + i).(*array.Uint32).Uint32Values()
	}
	lists := func(col int) spans {
		values := rec.Column(col + 1).(*array.List)
		return spans{rec.Column(col).(*array.List), values, values.ListValues().(*array.Uint32).Uint32Values()}
	}
	v.calls, v.tris, v.items = lists(colCalls), lists(colTrigrams), lists(colItems)
	v.callKeys = v.calls.keys.ListValues().(*array.Uint16).Uint16Values()
	v.triKeys = v.tris.keys.ListValues().(*array.Uint32).Uint32Values()
	v.itemKeys = v.items.keys.ListValues().(*array.String)
	return v, v.check()
}

func checkColumns(rec arrow.Record) error {
	got := rec.Schema()
	if got.NumFields() != numColumns {
		return fmt.Errorf("windows: got %d columns, want %d", got.NumFields(), numColumns)
	}
	for i, want := range schema.Fields() {
		f, col := got.Field(i), rec.Column(i)
		if f.Name != want.Name {
			return fmt.Errorf("windows: column %d: got %q, want %q", i, f.Name, want.Name)
		}
		nulls := col.NullN()
		if l, ok := col.(*array.List); ok && f.Type.ID() == want.Type.ID() {
			elem := want.Type.(*arrow.ListType).Elem()
			if !arrow.TypeEqual(l.ListValues().DataType(), elem) {
				return fmt.Errorf("windows: column %q: got lists of %v, want of %v", f.Name, l.ListValues().DataType(), elem)
			}
			nulls += l.ListValues().NullN()
		} else if !arrow.TypeEqual(f.Type, want.Type) {
			return fmt.Errorf("windows: column %q: got %v, want %v", f.Name, f.Type, want.Type)
		}
		if nulls > 0 {
			return fmt.Errorf("windows: column %q: %d nulls, want none", f.Name, nulls)
		}
	}
	return nil
}

// check holds every row to the rules that At's readers rely on.
func (v *Windows) check() error {
	for i := range v.rows {
		if v.width[i] <= 0 || v.start[i] > v.start[i]+v.width[i] {
			return fmt.Errorf("windows: row %d: start %d ns, width %d ns: not a span of time", i, v.start[i], v.width[i])
		}
		for _, s := range []struct {
			name string
			*spans
			less func(a, b int64) bool
		}{
			{"calls", &v.calls, func(a, b int64) bool { return v.callKeys[a] < v.callKeys[b] }},
			{"trigrams", &v.tris, func(a, b int64) bool { return v.triKeys[a] < v.triKeys[b] }},
			{"items", &v.items, func(a, b int64) bool { return v.itemKeys.Value(int(a)) < v.itemKeys.Value(int(b)) }},
		} {
			from, to := s.span(i)
			if counts := s.at(i); int64(len(counts)) != to-from {
				return fmt.Errorf("windows: row %d: %d %s beside %d counts", i, to-from, s.name, len(counts))
			}
			for j := from + 1; j < to; j++ {
				if !s.less(j-1, j) {
					return fmt.Errorf("windows: row %d: %s are not ascending", i, s.name)
				}
			}
		}
	}
	return nil
}

// Len is the number of windows.
func (v *Windows) Len() int { return v.rows }

// At fills w with window i, 0 ≤ i < Len. Slices and strings of w are views of
// the record; w.Items is reused as the place for its strings.
func (v *Windows) At(i int, w *Window) {
	w.Host, w.ContainerID = v.texts[0].Value(i), v.texts[1].Value(i)
	w.ContainerName, w.Workload = v.texts[2].Value(i), v.texts[3].Value(i)
	w.StartNS, w.WidthNS, w.Missing = v.start[i], v.width[i], Missing(v.miss[i])
	for c := range w.Counters {
		w.Counters[c] = v.count[c][i]
	}
	from, to := v.calls.span(i)
	w.Calls, w.CallCounts = v.callKeys[from:to:to], v.calls.at(i)
	from, to = v.tris.span(i)
	w.Trigrams, w.TrigramCounts = v.triKeys[from:to:to], v.tris.at(i)
	from, to = v.items.span(i)
	w.Items, w.ItemCounts = w.Items[:0], v.items.at(i)
	for j := from; j < to; j++ {
		w.Items = append(w.Items, v.itemKeys.Value(int(j)))
	}
}

// StartNS is the start of window i.
func (v *Windows) StartNS(i int) int64 { return v.start[i] }

// ContainerID is the container of window i.
func (v *Windows) ContainerID(i int) string { return v.texts[1].Value(i) }

// Workload is the workload of window i.
func (v *Windows) Workload(i int) string { return v.texts[3].Value(i) }

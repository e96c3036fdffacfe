package record

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"mayfly/trace"
)

// TestSortRows wants what a stable sort gives, of rows in every state of disorder.
func TestSortRows(t *testing.T) {
	type row struct{ key, number int }
	compare := func(x, y *row) int { return cmp.Compare(x.key, y.key) }
	chance := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 3, 50, 1000} {
		for _, jitter := range []int{1, 3, 10 * n} {
			rows := make([]row, n)
			for i := range rows {
				rows[i] = row{i + chance.IntN(max(1, jitter)), i}
			}
			want := slices.Clone(rows)
			slices.SortStableFunc(want, func(x, y row) int { return compare(&x, &y) })
			sortRows(rows, compare)
			if !slices.Equal(rows, want) {
				t.Errorf("%d rows, jitter %d: not as a stable sort has them", n, jitter)
			}
		}
	}
}

// BenchmarkSortRows sorts a batch of events of which one in twenty is late, as two
// CPUs make them.
func BenchmarkSortRows(b *testing.B) {
	events := make([]trace.Event, batchRows)
	for b.Loop() {
		for i := range events {
			events[i].TimeNS = int64(i)
			if i%20 == 0 {
				events[i].TimeNS -= 3
			}
		}
		sortRows(events, func(x, y *trace.Event) int { return cmp.Compare(x.TimeNS, y.TimeNS) })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batchRows, "ns/row")
}

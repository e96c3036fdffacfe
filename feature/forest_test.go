package feature

import (
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mayfly/forest"
)

func columnsOf(rec arrow.Record) (x [][]float32) {
	for _, col := range rec.Columns() {
		x = append(x, col.(*array.Float32).Float32Values())
	}
	return x
}

// One thing that the workload never did, in a window that is ordinary otherwise,
// stands out, although no training window had a new thing: all replicas do the
// same, so the columns of new items are constant there.
func TestForestSeesOneNewItem(t *testing.T) {
	windows := sampleWindows(6, 200)
	s := learn(t, windows)
	enc, err := s.NewTrainingEncoder()
	if err != nil {
		t.Fatal(err)
	}
	rec, err := enc.Encode(record(t, windows))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	train := columnsOf(rec)
	model, err := forest.FitIsolation(train, forest.DefaultIsolationOptions())
	if err != nil {
		t.Fatal(err)
	}
	usual := make([]float32, len(windows))
	if err := model.Score(train, usual, 1); err != nil {
		t.Fatal(err)
	}
	slices.Sort(usual)
	for name, change := range map[string]func(*Window){
		"a secret read": func(w *Window) { w.Items, w.ItemCounts = []string{"exec /bin/web", "read /etc/shadow"}, []uint32{1, 1} },
		"a shell": func(w *Window) {
			w.Items, w.ItemCounts = []string{"exec /bin/sh", "exec /bin/web", "read /etc/passwd"}, []uint32{1, 1, 3}
			w.Counters[NExecs] = 1
		},
		"a peer": func(w *Window) {
			w.Items, w.ItemCounts = []string{"connect inet:10.0.0.9:4444", "exec /bin/web"}, []uint32{1, 1}
		},
	} {
		w := sampleWindows(1, 1)[0]
		w.Calls[0], w.CallCounts = 0, []uint32{60, 24, 1}
		change(&w)
		out, err := s.NewEncoder().Encode(record(t, []Window{w}))
		if err != nil {
			t.Fatal(err)
		}
		score := make([]float32, 1)
		if err := model.Score(columnsOf(out), score, 1); err != nil {
			t.Fatal(err)
		}
		out.Release()
		rank, _ := slices.BinarySearch(usual, score[0])
		t.Logf("%s: score %.3f, above %.2f %% of training (median %.3f, 99 %% %.3f, most %.3f)", name, score[0], 100*float64(rank)/float64(len(usual)),
			usual[len(usual)/2], usual[len(usual)*99/100], usual[len(usual)-1])
		if score[0] <= usual[len(usual)*99/100] {
			t.Errorf("%s: got score %.3f, want it above 99 %% of training windows (%.3f)", name, score[0], usual[len(usual)*99/100])
		}
	}
}

package feature

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

// ofCalls is a window of one container that makes calls in this order.
func ofCalls(id string, second int64, calls ...trace.Call) Window {
	w := Window{ContainerID: id, Workload: "w", StartNS: second * 1e9, WidthNS: 1e9}
	trigrams := map[uint32]uint32{}
	counts := map[trace.Call]uint32{}
	for i, c := range calls {
		counts[c]++
		if i >= 2 {
			trigrams[Trigram(calls[i-2], calls[i-1], c)]++
		}
	}
	for c := trace.Call(0); c < 512; c++ {
		if counts[c] > 0 {
			w.Calls, w.CallCounts = append(w.Calls, c), append(w.CallCounts, counts[c])
		}
	}
	for t := range trigrams {
		w.Trigrams = append(w.Trigrams, t)
	}
	slices.Sort(w.Trigrams)
	for _, t := range w.Trigrams {
		w.TrigramCounts = append(w.TrigramCounts, trigrams[t])
	}
	w.Counters[NCalls] = uint32(len(calls))
	return w
}

// twoKinds are four containers that read and write, and four that connect.
func twoKinds() []Window {
	var all []Window
	for c := range 8 {
		for s := range int64(6) {
			calls := []trace.Call{0, 1, 0, 1, 3, 0, 1, 0, 1, 3}
			if c%2 == 1 {
				calls = []trace.Call{41, 42, 3, 41, 42, 3, 41, 42, 3}
			}
			for range s {
				calls = append(calls, calls[:3]...) // the windows differ
			}
			all = append(all, ofCalls(string(rune('a'+c)), s, calls...))
		}
	}
	return all
}

func learnAll(t *testing.T, windows []Window) *Space {
	t.Helper()
	s, err := Learn(context.Background(), records(record(t, windows)), LearnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// named encodes windows and returns the columns by name.
func named(t *testing.T, e *Encoder, windows ...Window) map[string][]float32 {
	t.Helper()
	out, err := e.Encode(record(t, windows))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Release()
	columns := map[string][]float32{}
	for i, column := range columnsOf(out) {
		columns[features[i].Name] = slices.Clone(column)
	}
	return columns
}

func TestNearestTellsAMixOfKindsFromEachKind(t *testing.T) {
	s := learnAll(t, twoKinds())
	got := named(t, s.NewEncoder(),
		ofCalls("x", 0, 0, 1, 0, 1, 3, 0, 1, 0, 1, 3),                   // the first kind
		ofCalls("y", 0, 0, 1, 0, 1, 3, 41, 42, 3, 41),                   // both, no call of it new
		ofCalls("z", 0, slices.Repeat([]trace.Call{90, 91, 92}, 12)...), // neither
	)
	for _, name := range []string{"nearest_order", "nearest_calls", "nearest_calls_long"} {
		if v := got[name]; v[0] > 1e-6 || v[1] < 0.1 || v[2] < 0.99 {
			t.Errorf("%s: got %v, want 0 for what was learned, more for a mix, 1 for what is foreign", name, v)
		}
	}
	if got["surprise_excess"][2] < 9 || got["surprise_median"][2] < 9 {
		t.Errorf("foreign calls: median %v, excess %v, want 9 bits and more", got["surprise_median"], got["surprise_excess"])
	}
}

// A training window is not its own neighbour, nor is its container's time.
func TestTrainingWindowsAreNotTheirOwnNeighbours(t *testing.T) {
	windows := twoKinds()
	odd := ofCalls("odd", 0, 90, 91, 92, 90, 91, 92, 90, 91)
	s := learnAll(t, append(windows, odd))
	e, err := s.NewTrainingEncoder()
	if err != nil {
		t.Fatal(err)
	}
	got := named(t, e, windows[0], odd)
	for _, name := range []string{"nearest_order", "nearest_calls", "nearest_calls_long"} {
		if v := got[name]; v[0] > 1e-6 || v[1] < 0.99 {
			t.Errorf("%s: got %v, want 0 where other containers did the same and 1 where none did", name, v)
		}
	}
}

func TestSamplesDoNotDependOnOrder(t *testing.T) {
	var windows []Window
	for i := range int64(3 * maxSamples) {
		calls := []trace.Call{1, 2, 3}
		for v := i; v > 0; v /= 7 {
			calls = append(calls, trace.Call(4+v%7))
		}
		windows = append(windows, ofCalls(string(rune('a'+i%5)), i, calls...))
	}
	want := learnAll(t, windows).global.Neighbours
	byContainer := slices.Clone(windows)
	slices.SortStableFunc(byContainer, func(a, b Window) int { return int(a.ContainerID[0]) - int(b.ContainerID[0]) })
	got := learnAll(t, byContainer).global.Neighbours
	got.Long, want.Long = nil, nil // which windows stand together in time is the same, but five tails at once are not
	if diff := cmp.Diff(want, got); diff != "" || len(want.Windows) != maxSamples {
		t.Errorf("%d windows remembered; in another order (-want +got):\n%s", len(want.Windows), diff)
	}
}

func TestNeighboursSurviveTheFile(t *testing.T) {
	s := learnAll(t, twoKinds())
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Space
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	probe := ofCalls("y", 0, 0, 1, 0, 1, 3, 41, 42, 3, 41)
	if diff := cmp.Diff(named(t, s.NewEncoder(), probe), named(t, back.NewEncoder(), probe), cmp.Comparer(func(a, b float32) bool {
		return a == b || a != a && b != b
	})); diff != "" {
		t.Errorf("decoded space (-before +after):\n%s", diff)
	}
}

func TestSurprises(t *testing.T) {
	steps := []step{{count: 50, bits: 1, excess: -1}, {count: 30, bits: 2, excess: 0.5}, {count: 10, bits: 10, excess: 9}}
	var scratch []weighed
	mean, median, excess := surprises(steps, fewSteps, &scratch)
	if math.Abs(mean-21.0/9) > 1e-12 || median != 1 || excess != -1 {
		t.Errorf("got mean %g, median %g, excess %g; want 2.33, 1, -1", mean, median, excess)
	}
	if _, median, _ = surprises([]step{{count: 15, bits: 9}}, fewSteps, &scratch); median != 0 {
		t.Errorf("fifteen odd steps: got median %g, want 0: they are too few", median)
	}
	if mean, median, excess = surprises(nil, fewSteps, &scratch); mean != 0 || median != 0 || excess != 0 {
		t.Errorf("no steps: got %g, %g, %g, want zeros", mean, median, excess)
	}
}

package evaluate

import (
	"math"
	"testing"

	"mayfly/feature"
	"mayfly/trace"
)

// learned is a baseline that learned some traces.
func learned(b baseline, traces ...[]trace.Call) learner {
	m := b.new()
	for _, calls := range traces {
		s := traceSample(calls)
		m.learn(&s)
	}
	return m
}

func TestBaselinesByHand(t *testing.T) {
	training := [][]trace.Call{{1, 2, 3, 1, 2, 3}, {1, 2, 1, 2}}
	for _, tc := range []struct {
		method baseline
		calls  []trace.Call
		want   float64
	}{
		{stide(2), []trace.Call{1, 2, 3, 1}, 0},
		{stide(2), []trace.Call{1, 2, 3, 2, 1}, 1.0 / 4}, // 3 2 is new
		{stide(3), []trace.Call{2, 2, 2, 2}, 1},
		{stide(6), []trace.Call{1, 2}, 0}, // too short to say
		// Four calls to choose from (three, and one never seen): of 4 steps from 1 all go to 2.
		{markovChain(), []trace.Call{1, 2}, math.Log2((4.0 + 4) / (4 + 1))},
		{markovChain(), []trace.Call{9, 9}, math.Log2(4)},
		{bagNeighbours(), []trace.Call{9, 9, 9}, 1},
	} {
		s := traceSample(tc.calls)
		if got := learned(tc.method, training...).score(&s); math.Abs(got-tc.want) > 1e-12 {
			t.Errorf("%s of %v: got %g, want %g", tc.method.name, tc.calls, got, tc.want)
		}
	}
	known, mixed, foreign := traceSample([]trace.Call{1, 2, 3, 1, 2, 3}), traceSample([]trace.Call{1, 1, 1, 3}), traceSample([]trace.Call{7, 7})
	for _, b := range []baseline{bagNeighbours(), zScore()} {
		score := learned(b, training...).score
		if k, m, f := score(&known), score(&mixed), score(&foreign); !(k < m && m < f) {
			t.Errorf("%s: known %g, mixed %g, foreign %g: want them to rise", b.name, k, m, f)
		}
	}
}

// A window tells trigrams only, and these as the trace would.
func TestWindowSample(t *testing.T) {
	w := feature.Window{Calls: []trace.Call{1, 2}, CallCounts: []uint32{2, 3},
		Trigrams: []uint32{feature.Trigram(1, 2, 2), feature.Trigram(2, 2, 1)}, TrigramCounts: []uint32{1, 2}}
	s := windowSample(&w)
	if got := s.grams(3)[gramOf([]trace.Call{2, 2, 1})]; got != 2 {
		t.Errorf("trigram: got %g, want 2", got)
	}
	if got := s.grams(2); got[gramOf([]trace.Call{2, 2})] != 1 || got[gramOf([]trace.Call{2, 1})] != 2 || len(got) != 2 {
		t.Errorf("pairs: got %v", got)
	}
	if got := len(baselines(3)); got != len(baselines(8))-1 {
		t.Errorf("for windows: got %d baselines, want STIDE once", got)
	}
}

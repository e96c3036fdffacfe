package evaluate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Scores that overstate are set right, and a constant is not made worse.
func TestPlattSetsScoresRight(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) (scores []float64, truth []bool) {
		for range n {
			p := random.Float64() * random.Float64()
			truth = append(truth, random.Float64() < p)
			odds := math.Exp(3*math.Log(p/(1-p)) + 2) // far too sure
			scores = append(scores, odds/(1+odds))
		}
		return scores, truth
	}
	scores, truth := draw(4000)
	s := fitPlatt(scores, truth, 1)
	if math.Abs(s.slope-1.0/3) > 0.05 || math.Abs(s.offset+2.0/3) > 0.2 {
		t.Errorf("got %+v, want a slope of 1/3 and an offset of -2/3", *s)
	}
	scores, truth = draw(4000)
	var right []float64
	for _, v := range scores {
		right = append(right, s.of(v))
	}
	before, after := measureCalibration(scores, truth), measureCalibration(right, truth)
	if after.Brier >= before.Brier || after.Brier >= after.BaseBrier {
		t.Errorf("Brier score: got %g after %g, a constant has %g", after.Brier, before.Brier, after.BaseBrier)
	}
	for _, b := range after.Bins {
		if b.Count > 200 && math.Abs(b.Said-b.Observed) > 0.1 {
			t.Errorf("bin from %g: said %g, observed %g", b.From, b.Said, b.Observed)
		}
	}
}

func TestPlattStaysFinite(t *testing.T) {
	for name, tc := range map[string]struct {
		scores []float64
		truth  []bool
	}{
		"apart":   {[]float64{0, 0, 1, 1}, []bool{false, false, true, true}},
		"inverse": {[]float64{1, 1, 0, 0}, []bool{false, false, true, true}},
		"one":     {[]float64{0.5}, []bool{true}},
		"none":    {nil, nil},
	} {
		s := fitPlatt(tc.scores, tc.truth, 4)
		if low, high := s.of(0), s.of(1); !(low >= 0 && low <= high && high <= 1) {
			t.Errorf("%s: %+v gives %g and %g, want 0 ≤ low ≤ high ≤ 1", name, *s, low, high)
		}
	}
}

func TestMeasureCalibration(t *testing.T) {
	c := measureCalibration([]float64{0, 0.1, 1, 0.95}, []bool{false, true, true, true})
	if want := (0.81 + 0.0025) / 4; math.Abs(c.Brier-want) > 1e-12 || math.Abs(c.BaseBrier-0.1875) > 1e-12 {
		t.Errorf("got Brier %g, constant %g; want %g and 0.1875", c.Brier, c.BaseBrier, want)
	}
	if len(c.Bins) != 3 || c.Bins[2].Count != 2 || c.Bins[2].To != 1 {
		t.Errorf("bins: got %+v", c.Bins)
	}
}

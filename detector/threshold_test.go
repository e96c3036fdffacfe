package detector

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestThresholdSpendsAtMostTheBudget(t *testing.T) {
	day := func(alarms float64) Budget { return Budget{AlarmsPerContainerDay: alarms} }
	rate := func(fpr float64) Budget { return Budget{FalsePositiveRate: fpr} }
	ramp := make([]float64, 1000)
	for i := range ramp {
		ramp[i] = float64(i) / 1000
	}
	flat := []float64{0.5, 0.5, 0.5, 0.5}
	for _, tc := range []struct {
		name   string
		scores []float64
		budget Budget
		width  time.Duration
		want   float64 // threshold
		alarms int     // scores above it
	}{
		{"one in a hundred", ramp, rate(0.01), time.Second, 0.99, 9},
		{"finer than the sample resolves", ramp, rate(1e-6), time.Second, 0.999, 0},
		{"864 alarms a day of one-second windows are 1 %", ramp, day(864), time.Second, 0.99, 9},
		{"the same of ten-second windows are 10 %", ramp, day(864), 10 * time.Second, 0.9, 99},
		{"equal scores are never split", flat, rate(0.5), time.Second, 0.5, 0},
		{"a budget above every window", ramp, day(1e9), time.Second, 0, 999},
	} {
		got, budget := threshold(append([]float64(nil), tc.scores...), tc.budget, tc.width.Nanoseconds(), false)
		above := 0
		for _, s := range tc.scores {
			if s > got {
				above++
			}
		}
		if got != tc.want || above != tc.alarms {
			t.Errorf("%s: threshold %g with %d alarms, want %g with %d", tc.name, got, above, tc.want, tc.alarms)
		}
		if budget.Resolved <= 0 {
			t.Errorf("%s: resolved rate %g, want more than 0", tc.name, budget.Resolved)
		}
	}
}

// TestThresholdIsConformal: over samples, the rate is the budget.
func TestThresholdIsConformal(t *testing.T) {
	const budget, n, samples = 0.02, 99, 4000
	r := rand.New(rand.NewPCG(1, 2))
	rate := 0.0
	for range samples {
		scores := make([]float64, n)
		for i := range scores {
			scores[i] = r.Float64()
		}
		got, _ := threshold(scores, Budget{FalsePositiveRate: budget}, 1e9, false)
		rate += (1 - got) / samples // of a uniform score
	}
	if rate > budget*1.05 || rate < budget*0.9 {
		t.Errorf("got a rate of %.4f over samples, want %.4f", rate, budget)
	}
}

// TestTailHoldsTheBudget draws samples of known tails and asks for less than they
// resolve: one window in three times as many. The tails are of the odds, as threshold
// takes them.
func TestTailHoldsTheBudget(t *testing.T) {
	const samples = 100
	for _, tc := range []struct {
		name     string
		quantile func(share float64) float64 // that so large a share lies above
		most     float64                     // rate, in budgets
	}{
		{"exponential", func(p float64) float64 { return -math.Log(p) }, 1.5},
		{"uniform", func(p float64) float64 { return 1 - p }, 0.1},
		{"Weibull, lighter than exponential", func(p float64) float64 { return math.Sqrt(-math.Log(p)) }, 1},
		{"logistic", func(p float64) float64 { return 10 + math.Log(1/p-1) }, 1.5},
		{"Pareto of shape 1/4", func(p float64) float64 { return math.Pow(p, -0.25) }, 2},
		{"Weibull, heavier than exponential", func(p float64) float64 { return math.Pow(-math.Log(p), 1.5) }, 2},
	} {
		for _, n := range []int{1000, 2000} {
			r := rand.New(rand.NewPCG(3, uint64(n)))
			rate, budget := 0.0, 1/float64(3*n)
			for range samples {
				scores := make([]float64, n)
				for i := range scores {
					z := max(0, tc.quantile(1-r.Float64()))
					scores[i] = z / (1 + z)
				}
				got, b := threshold(scores, Budget{FalsePositiveRate: budget}, 1e9, true)
				if b.Estimate != EstimateTail {
					t.Fatalf("%s: estimate: got %q", tc.name, b.Estimate)
				}
				rate += above(tc.quantile, odds(got)) / samples
			}
			t.Logf("%s, %d windows: %.2f budgets", tc.name, n, rate/budget)
			if rate > tc.most*budget {
				t.Errorf("%s, %d windows: got a rate of %.2f budgets over samples, want at most %g", tc.name, n, rate/budget, tc.most)
			}
		}
	}
}

// above is the share that lies above z, by bisection.
func above(quantile func(float64) float64, z float64) float64 {
	low, high := -60.0, 0.0 // ln of the share
	for range 60 {
		if mid := (low + high) / 2; quantile(math.Exp(mid)) > z {
			low = mid
		} else {
			high = mid
		}
	}
	return math.Exp(low)
}

// What is rarer than the sample can say anything of does not raise the threshold.
func TestTailEnds(t *testing.T) {
	scores := make([]float64, 1000)
	r := rand.New(rand.NewPCG(5, 5))
	for i := range scores {
		z := r.ExpFloat64()
		scores[i] = z / (1 + z)
	}
	fine, b := threshold(slices.Clone(scores), Budget{FalsePositiveRate: 1.0 / 4000}, 1e9, true)
	finer, _ := threshold(slices.Clone(scores), Budget{FalsePositiveRate: 1e-9}, 1e9, true)
	if fine != finer || b.Resolved < 1.0/4100 || b.Resolved > 1.0/4000 {
		t.Errorf("got %g and, finer, %g (resolved %g), want the same", fine, finer, b.Resolved)
	}
}

func TestTailNeedsATail(t *testing.T) {
	few := []float64{0.1, 0.2, 0.3, 0.4}
	if got, b := threshold(few, Budget{FalsePositiveRate: 1e-6}, 1e9, true); got != 0.4 || b.Estimate != EstimateSample {
		t.Errorf("four scores: got %g by %s, want the highest", got, b.Estimate)
	}
	if got, b := threshold(slices.Repeat([]float64{0.5}, 1000), Budget{FalsePositiveRate: 1e-6}, 1e9, true); got != 0.5 || b.Estimate != EstimateSample {
		t.Errorf("equal scores: got %g by %s, want the highest", got, b.Estimate)
	}
	ones := slices.Repeat([]float64{0.5, 1}, 500)
	if got, _ := threshold(ones, Budget{FalsePositiveRate: 1e-6}, 1e9, true); !(got >= 0 && got <= 1) {
		t.Errorf("scores of 1: got %g", got)
	}
}

func TestBudgetWantsExactlyOneWish(t *testing.T) {
	for _, tc := range []struct {
		budget Budget
		ok     bool
	}{
		{Budget{}, false},
		{Budget{AlarmsPerContainerDay: 1}, true},
		{Budget{FalsePositiveRate: 0.01}, true},
		{Budget{AlarmsPerContainerDay: 1, FalsePositiveRate: 0.01}, false},
		{Budget{AlarmsPerContainerDay: -1}, false},
		{Budget{FalsePositiveRate: 1}, false},
	} {
		if err := tc.budget.check(); (err == nil) != tc.ok {
			t.Errorf("%+v: got error %v, want ok %v", tc.budget, err, tc.ok)
		}
	}
}

package detector

import (
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
		{"one in a hundred", ramp, rate(0.01), time.Second, 0.989, 10},
		{"finer than the sample resolves", ramp, rate(1e-6), time.Second, 0.999, 0},
		{"864 alarms a day of one-second windows are 1 %", ramp, day(864), time.Second, 0.989, 10},
		{"the same of ten-second windows are 10 %", ramp, day(864), 10 * time.Second, 0.899, 100},
		{"equal scores are never split", flat, rate(0.5), time.Second, 0.5, 0},
		{"a budget above every window", ramp, day(1e9), time.Second, 0, 999},
		{"a budget above what an int holds", ramp, day(1e300), time.Second, 0, 999},
	} {
		got, budget := threshold(append([]float64(nil), tc.scores...), tc.budget, tc.width.Nanoseconds())
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

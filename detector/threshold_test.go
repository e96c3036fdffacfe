package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
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
		want   float64 // threshold
		alarms int     // scores above it
	}{
		{"one in a hundred, of windows of a container each: the next is the tenth", ramp, rate(0.01), 0.990, 9},
		{"finer than the sample resolves", ramp, rate(1e-6), 0.999, 0},
		{"all but a few", ramp, rate(0.9999), 0.001, 998},
		{"equal scores are never split", flat, rate(0.5), 0.5, 0},
		{"864 alarms a day of a thousand seconds are ten, of windows that lie apart", ramp, day(864), 0.990, 9},
		{"one alarm a day is finer than a thousand seconds resolve", ramp, day(1), 0.999, 0},
		{"equal scores of several episodes", flat, day(3 * 86400 / 1000), 0.5, 0},
		{"a budget above every window", ramp, day(1e9), 0, 999},
		{"a budget above what an int holds", ramp, day(1e300), 0, 999},
	} {
		var windows []scoredWindow
		for i, s := range tc.scores {
			windows = append(windows, scoredWindow{containerKey{"h", fmt.Sprint(i)}, int64(i) * 60 * second, s})
		}
		slices.Reverse(windows)
		got, budget := threshold(windows, tc.budget, 1000.0/86400, 60*second, second)
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

// TestThresholdCountsTheWorstContainerTwice: ten containers of a hundred windows, one of
// which has the eight highest.
func TestThresholdCountsTheWorstContainerTwice(t *testing.T) {
	var windows []HeldOut
	for c := range 10 {
		for i := range 100 {
			w := HeldOut{"h", fmt.Sprint(c), int64(c*100+i) * 100 * second, float64(i*10+c) / 10_000}
			if c == 3 && i >= 92 {
				w.Score += 0.8
			}
			windows = append(windows, w)
		}
	}
	for _, tc := range []struct {
		budget Budget
		alarms int
	}{
		{Budget{FalsePositiveRate: 0.01}, 5},  // five of the burst, twice
		{Budget{FalsePositiveRate: 0.016}, 8}, // eight of it, twice
		{Budget{FalsePositiveRate: 0.02}, 12}, // and four others
		{Budget{AlarmsPerContainerDay: 16}, 8},
	} {
		got, above := tc.budget.Threshold(windows, 1, second), 0
		for _, w := range windows {
			if w.Score > got {
				above++
			}
		}
		if above != tc.alarms {
			t.Errorf("%+v: got %d alarms in training, want %d", tc.budget, above, tc.alarms)
		}
	}
}

// TestThresholdCountsTheWorstMinuteTwice: a hundred containers of two hosts, the eight
// highest windows of which stand in one minute of one of them.
func TestThresholdCountsTheWorstMinuteTwice(t *testing.T) {
	burst := func(host string) (windows []HeldOut) {
		for c := range 100 {
			for i := range 10 {
				w := HeldOut{"h", fmt.Sprint(c), int64(c*10+i) * 100 * second, float64(i*100+c) / 10_000}
				if i == 9 && c < 8 {
					w.StartNS, w.Score = 6_000_000*second+int64(c)*second, w.Score+0.8
					if c%2 == 1 {
						w.Host = host
					}
				}
				windows = append(windows, w)
			}
		}
		return windows
	}
	for _, tc := range []struct {
		windows []HeldOut
		budget  Budget
		alarms  int
	}{
		{burst("h"), Budget{FalsePositiveRate: 0.01}, 5},
		{burst("h"), Budget{AlarmsPerContainerDay: 10}, 5},
		{burst("other"), Budget{FalsePositiveRate: 0.01}, 6}, // six, and three of one host
		{burst("other"), Budget{AlarmsPerContainerDay: 10}, 6},
	} {
		got, above := tc.budget.Threshold(tc.windows, 1, second), 0
		for _, w := range tc.windows {
			if w.Score > got {
				above++
			}
		}
		if above != tc.alarms {
			t.Errorf("%+v: got %d alarms in training, want %d", tc.budget, above, tc.alarms)
		}
	}
}

// TestThresholdKeepsItsBudgetOnNewContainers: containers whose odd windows come in bursts
// of ten, scored where the threshold was not set: a threshold that lets as many windows
// pass as the budget allows spends a third more than it.
func TestThresholdKeepsItsBudgetOnNewContainers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	draw := func() (windows []HeldOut) {
		for c := range 50 {
			level := 0.0
			for i := range 100 {
				if i%10 == 0 {
					level = rnd.ExpFloat64()
				}
				windows = append(windows, HeldOut{fmt.Sprint("h", c), "c", int64(i) * second, level + rnd.Float64()/100})
			}
		}
		return windows
	}
	budget, sum := Budget{FalsePositiveRate: 0.006}, 0.0 // three bursts
	const times = 100
	for range times {
		threshold := budget.Threshold(draw(), 1, second)
		for _, w := range draw() {
			if w.Score > threshold {
				sum += 1.0 / 5000 / times
			}
		}
	}
	if sum > budget.FalsePositiveRate || sum < budget.FalsePositiveRate/2 {
		t.Errorf("new containers alarm in %.5f of their windows, want at most %g and no less than half of it", sum, budget.FalsePositiveRate)
	}
}

// TestEpisodesAreCountedAsTheyAreFound: windows in order of their scores, counted one
// by one, are as many episodes as those that Episodes makes of them.
func TestEpisodesAreCountedAsTheyAreFound(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	for _, gap := range []int64{0, 1, 10, 60} {
		c := newEpisodeCounter(gap*second, second)
		var alarms []Alarm
		for range 400 {
			id, at := fmt.Sprint(rnd.IntN(3)), rnd.Int64N(2000)*second
			c.add(scoredWindow{containerKey{"h", id}, at, 0})
			alarms = append(alarms, Alarm{Host: "h", ContainerID: id, FromNS: at, ToNS: at + second})
			if want := len(Episodes(alarms, gap*second)); c.n != want {
				t.Fatalf("gap %d s, %d windows: got %d episodes, want %d", gap, len(alarms), c.n, want)
			}
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

package detector

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestEpisodes(t *testing.T) {
	at := func(id string, from int64, score float64) Alarm {
		return Alarm{"h", id, from * second, (from + 1) * second, score}
	}
	for _, tc := range []struct {
		name   string
		alarms []Alarm
		gapNS  int64
		want   []Episode
	}{
		{"none", nil, second, nil},
		{"one", []Alarm{at("a", 5, 0.9)}, second, []Episode{{"h", "a", 5 * second, 6 * second, 5 * second, 0.9, 1}}},
		{"neighbours without a gap", []Alarm{at("a", 5, 0.8), at("a", 6, 0.9)}, 0, []Episode{{"h", "a", 5 * second, 7 * second, 6 * second, 0.9, 2}}},
		{"a silence as long as the gap", []Alarm{at("a", 5, 0.9), at("a", 8, 0.8)}, 2 * second, []Episode{{"h", "a", 5 * second, 9 * second, 5 * second, 0.9, 2}}},
		{"a longer one", []Alarm{at("a", 5, 0.9), at("a", 9, 0.8)}, 2 * second, []Episode{
			{"h", "a", 5 * second, 6 * second, 5 * second, 0.9, 1}, {"h", "a", 9 * second, 10 * second, 9 * second, 0.8, 1}}},
		{"the first of equal peaks", []Alarm{at("a", 6, 0.9), at("a", 5, 0.9)}, 0, []Episode{{"h", "a", 5 * second, 7 * second, 5 * second, 0.9, 2}}},
		{"two containers at a time", []Alarm{at("b", 5, 0.9), at("a", 5, 0.8), at("b", 6, 0.7)}, 0, []Episode{
			{"h", "a", 5 * second, 6 * second, 5 * second, 0.8, 1}, {"h", "b", 5 * second, 7 * second, 5 * second, 0.9, 2}}},
		{"the same id on two hosts", []Alarm{at("a", 5, 0.9), {"g", "a", 5 * second, 6 * second, 0.8}}, second, []Episode{
			{"g", "a", 5 * second, 6 * second, 5 * second, 0.8, 1}, {"h", "a", 5 * second, 6 * second, 5 * second, 0.9, 1}}},
	} {
		if got := Episodes(tc.alarms, tc.gapNS); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// The order of the alarms does not matter, none is lost, and a wider gap never
// makes more episodes.
func TestEpisodesOfAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	alarms := make([]Alarm, 300)
	for i := range alarms {
		from := r.Int64N(1000)
		alarms[i] = Alarm{"h", string(rune('a' + r.IntN(3))), from * second, (from + 1) * second, r.Float64()}
	}
	last := len(alarms)
	for gap := range int64(8) {
		want := Episodes(alarms, gap*second)
		r.Shuffle(len(alarms), func(i, j int) { alarms[i], alarms[j] = alarms[j], alarms[i] })
		if got := Episodes(alarms, gap*second); !slices.Equal(got, want) {
			t.Fatalf("gap of %d s: another order gives other episodes", gap)
		}
		total := 0
		for _, e := range want {
			total += e.Alarms
		}
		if total != len(alarms) || len(want) > last {
			t.Errorf("gap of %d s: %d episodes of %d alarms, %d with a gap a second less", gap, len(want), total, last)
		}
		last = len(want)
	}
}

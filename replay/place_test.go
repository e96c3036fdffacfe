package replay

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Places are in the order in which one pass over all hosts closes episodes.
func TestPlacesAreInTheOrderOfClosing(t *testing.T) {
	want := []Place{
		{AtNS: 1, FromNS: 9, Host: "b", ID: "c"},
		{AtNS: 2, FromNS: 1, Host: "a", ID: "d"}, // silence: by begin, host, container
		{AtNS: 2, FromNS: 1, Host: "b", ID: "a"},
		{AtNS: 2, FromNS: 2, Host: "a", ID: "a"},
		{AtNS: 2, ByAlarm: true, FromNS: 5, Host: "b", ID: "a", Number: 7}, // alarms: in the order of windows
		{AtNS: 2, ByAlarm: true, FromNS: 0, Host: "a", ID: "b", Number: 1},
		{AtNS: 2, ByAlarm: true, FromNS: 0, Host: "a", ID: "b", Number: 2},
		{AtNS: 3, FromNS: 0, Host: "a", ID: "a"},
	}
	for seed := range uint64(20) {
		got := slices.Clone(want)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, func(a, b Place) int { return a.Compare(&b) })
		if !slices.Equal(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}

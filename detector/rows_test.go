package detector

import (
	"fmt"
	"math"
	"testing"
)

// TestDaysIsTheSameInAnyOrder: years of container time are more ns than a float64 can
// tell apart, so that a sum of them would depend on the order of the map of containers.
func TestDaysIsTheSameInAnyOrder(t *testing.T) {
	const containers, each = 2000, 40*24*60*60*int64(1e9) + 1
	r := &rows{class: make([]uint8, 1), counts: Counts{Windows: 1}, containers: map[containerKey]*seen{}}
	for i := range containers {
		from := int64(i) * 1e9
		r.containers[containerKey{"h", fmt.Sprint(i)}] = &seen{spans: []stretch{{from, from + each + int64(i)}}}
	}
	r.containers[containerKey{"h", "set aside"}] = &seen{ordinal: -1, spans: []stretch{{0, each}}}
	want := r.days()
	if math.Abs(want-40*containers) > 1 {
		t.Fatalf("got %g days, want %d", want, 40*containers)
	}
	for range 20 {
		if got := r.days(); got != want {
			t.Fatalf("got %.17g days, then %.17g", want, got)
		}
	}
}

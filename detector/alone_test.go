package detector

import (
	"slices"
	"testing"

	"mayfly/feature"
)

// strays is quiet time of replicas, the first windows of some of which no other's are
// like.
func strays(containers int, odd ...int) []feature.Window {
	windows := quiet(containers, 60)
	for n, c := range odd {
		for i := range 3 {
			w := &windows[c*60+i]
			*w = attack(*w)
			for range n { // each odder than the one before
				w.Items = append(w.Items, "write /etc/"+string(rune('a'+n)))
				w.ItemCounts = append(w.ItemCounts, 1)
			}
		}
	}
	return windows
}

func TestNoContainerSetsTheThresholdAlone(t *testing.T) {
	clean := fit(t, Training{Windows: source(strays(45))}, nil)
	if n := clean.Manifest.Training; n.Trimmed != 0 {
		t.Fatalf("got %d windows of quiet replicas set aside, want none: %+v", n.Trimmed, clean.Manifest.Oddest)
	}
	for _, odd := range [][]int{{7}, {7, 30}} {
		windows := strays(45, odd...)
		d := fit(t, Training{Windows: source(windows)}, nil)
		m := d.Manifest
		found := 0
		for _, o := range m.Oddest {
			if slices.Contains(o.New, "exec /bin/sh") {
				found++
			}
		}
		// The longer time scale remembers each stray for nine windows more.
		if found != 3*len(odd) || m.Training.Trimmed > int64(found+9*len(odd)) {
			t.Errorf("strays %v: got %d of their windows among %d set aside, want %d and what remembers them: %+v", odd, found, m.Training.Trimmed, 3*len(odd), m.Oddest)
		}
		late := attack(windows[1000])
		late.StartNS = 1000 * second
		if got, _ := score(t, d, late); got <= m.Threshold || m.Threshold > clean.Manifest.Threshold+0.02 {
			t.Errorf("strays %v: the same again scores %g beside a threshold of %g (%g without them), want an alarm", odd, got, m.Threshold, clean.Manifest.Threshold)
		}
	}
}

// What the only container of a workload does is what it does.
func TestTheOnlyOneOfItsKindIsNotAlone(t *testing.T) {
	windows := strays(45, 7)
	for i := 7 * 60; i < 8*60; i++ {
		windows[i].Workload = "db"
	}
	d := fit(t, Training{Windows: source(windows)}, nil)
	if n := d.Manifest.Training.Trimmed; n != 0 {
		t.Errorf("got %d windows of the only db set aside, want none", n)
	}
	few := fit(t, Training{Windows: source(strays(aloneFew-1, 7))}, nil)
	if n := few.Manifest.Training.Trimmed; n != 0 {
		t.Errorf("got %d windows set aside of one among %d containers, want none: too few to tell", n, aloneFew-1)
	}
}

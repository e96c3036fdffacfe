package evaluate

import (
	"testing"
	"time"

	"mayfly/feature"
)

// Ten alarms of one event are one finding; those of an attack are not among those
// of normal time, and windows that were learned from are in neither.
func TestFindings(t *testing.T) {
	const second = int64(time.Second)
	w := &Windows{Threshold: 0.5, Containers: []Container{{ID: "aaaaaaaaaaaa"}, {ID: "bbbbbbbbbbbb"}}}
	add := func(container int32, from, to int64, score float64, trained bool) {
		for s := from; s < to; s++ {
			w.Rows = append(w.Rows, Scored{Container: container, Trained: trained, StartNS: s * second, WidthNS: second, Score: score})
		}
	}
	add(0, 0, 10, 0.9, true)
	add(0, 100, 110, 0.9, false) // one
	add(0, 110, 115, 0.1, false) // a silence shorter than the gap
	add(0, 115, 117, 0.8, false) // still the same
	add(0, 200, 201, 0.9, false) // another
	add(0, 300, 304, 0.9, false) // the attack, and what follows
	add(0, 304, 308, 0.9, false)
	add(1, 100, 101, 0.9, false) // another container
	labels := []feature.Label{{Container: "aaaaaaaaaaaa", FromNS: 300 * second, ToNS: 303 * second, Attack: "x"}}
	opts := DefaultMeasureOptions()
	opts.Aftermath = 10 * time.Second
	r, err := Measure(w, labels, opts)
	if err != nil {
		t.Fatal(err)
	}
	if at := r.AtThreshold; at.NormalFindings != 3 || at.AttackFindings != 1 || at.NormalAlarms != 14 {
		t.Errorf("got %d findings of %d alarms in normal time and %d of attacks, want 3 of 14 and 1", at.NormalFindings, at.NormalAlarms, at.AttackFindings)
	}
}

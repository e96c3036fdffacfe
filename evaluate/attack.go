package evaluate

import (
	"cmp"
	"math"
	"slices"
	"time"

	"mayfly/feature"
)

// attacks fills in one Attack per label, and returns which labels were found.
func (r *Report) attacks(w *Windows, byContainer [][]int, labels []feature.Label) []bool {
	r.Attacks = make([]Attack, len(labels))
	peaks := slices.Repeat([]int{-1}, len(labels))
	first := slices.Repeat([]int64{math.MaxInt64}, len(labels))
	for l := range labels {
		r.Attacks[l] = Attack{Attack: labels[l].Attack, Container: labels[l].Container,
			From: time.Unix(0, labels[l].FromNS).UTC(), To: time.Unix(0, labels[l].ToNS).UTC(), Carried: []string{}}
	}
	for i := range w.Rows {
		row := &w.Rows[i]
		for _, l := range byContainer[row.Container] {
			a := &r.Attacks[l]
			if !shares(row, &labels[l]) {
				continue
			}
			a.Name, a.Workload = w.Containers[row.Container].Name, w.Containers[row.Container].Workload
			if row.Trained {
				a.Trained++
				continue
			}
			a.Windows++
			if peaks[l] < 0 || row.Score > w.Rows[peaks[l]].Score {
				peaks[l] = i
			}
			if row.Score > w.Threshold {
				a.Alarms++
				first[l] = min(first[l], row.EndNS())
			}
		}
	}
	found := make([]bool, len(labels))
	for l := range r.Attacks {
		a := &r.Attacks[l]
		if p := peaks[l]; p >= 0 {
			a.PeakScore, a.PeakNS = finite(w.Rows[p].Score), w.Rows[p].StartNS
			if w.Carried != nil {
				a.Carried = append(a.Carried, w.Carried(p)...)
			}
		}
		if found[l] = a.Alarms > 0; found[l] {
			a.Found = true
			r.Found++
			a.TimeToDetectS = finite(float64(max(0, first[l]-labels[l].FromNS)) / 1e9)
		} else if a.Measured() {
			r.Missed++
		}
	}
	slices.SortStableFunc(r.Attacks, func(a, b Attack) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Container, b.Container), cmp.Compare(a.Attack, b.Attack))
	})
	return found
}

package evaluate

import (
	"cmp"
	"slices"

	"mayfly/feature"
)

// containers fills in one row per container that has windows, the most telling
// first, and the timelines of the first of them, which it returns by container.
func (r *Report) containers(w *Windows, classes []class, opts MeasureOptions) []*Timeline {
	rows := make([]ContainerSummary, len(w.Containers))
	index := make([]int, len(w.Containers))
	for c, about := range w.Containers {
		index[c] = c
		rows[c] = ContainerSummary{Host: about.Host, ContainerID: about.ID, Name: about.Name, Workload: about.Workload}
	}
	for i := range w.Rows {
		row, out := &w.Rows[i], &rows[w.Rows[i].Container]
		out.Windows.add(classes[i])
		if classes[i] == trained {
			continue
		}
		if out.Peak == nil || row.Score > *out.Peak {
			out.Peak = finite(row.Score)
		}
		if row.Score > w.Threshold {
			switch classes[i] {
			case normal:
				out.NormalAlarms++
			case attacked:
				out.AttackAlarms++
			}
		}
	}
	index = slices.DeleteFunc(index, func(c int) bool { return rows[c].Windows.Total == 0 })
	peak := func(c int) float64 {
		if rows[c].Peak == nil {
			return 0
		}
		return *rows[c].Peak
	}
	slices.SortStableFunc(index, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(rows[b].Windows.Attack, rows[a].Windows.Attack),
			cmp.Compare(rows[b].NormalAlarms, rows[a].NormalAlarms),
			cmp.Compare(peak(b), peak(a)),
			cmp.Compare(rows[a].ContainerID, rows[b].ContainerID))
	})
	r.PerContainer = make([]ContainerSummary, len(index))
	drawn := make([]*Timeline, len(w.Containers))
	for i, c := range index {
		if i < opts.Timelines {
			rows[c].Timeline = &Timeline{Peaks: []*float64{}, Alarms: []int{}, Attacks: []Stretch{}, Trained: []Stretch{}}
			drawn[c] = rows[c].Timeline
		}
		r.PerContainer[i] = rows[c]
	}
	fillTimelines(w, classes, drawn, max(1, 4*opts.Bins))
	return drawn
}

// mark puts the labelled attacks onto the timelines.
func mark(timelines []*Timeline, byContainer [][]int, labels []feature.Label, found []bool) {
	for c, t := range timelines {
		if t == nil {
			continue
		}
		for _, l := range byContainer[c] {
			label := &labels[l]
			t.Attacks = append(t.Attacks, Stretch{label.Attack, label.FromNS, label.ToNS, found[l]})
		}
		slices.SortStableFunc(t.Attacks, func(a, b Stretch) int {
			return cmp.Or(cmp.Compare(a.FromNS, b.FromNS), cmp.Compare(a.Name, b.Name))
		})
	}
}

// fillTimelines puts every window's score into its bucket.
func fillTimelines(w *Windows, classes []class, drawn []*Timeline, buckets int) {
	began := make([]bool, len(drawn))
	for i := range w.Rows {
		row, t := &w.Rows[i], drawn[w.Rows[i].Container]
		if t == nil {
			continue
		}
		if !began[row.Container] {
			began[row.Container], t.FromNS, t.ToNS = true, row.StartNS, row.EndNS()
		}
		t.FromNS, t.ToNS = min(t.FromNS, row.StartNS), max(t.ToNS, row.EndNS())
	}
	for i := range w.Rows {
		row, t := &w.Rows[i], drawn[w.Rows[i].Container]
		if t == nil {
			continue
		}
		if len(t.Peaks) == 0 {
			// No finer than the windows are, so that a bucket between two
			// windows does not read as a hole in the recording.
			n := int(min(int64(buckets), max(1, (t.ToNS-t.FromNS)/row.WidthNS)))
			t.Peaks, t.Alarms = make([]*float64, n), make([]int, n)
		}
		if classes[i] == trained {
			t.learned(row)
			continue
		}
		n := len(t.Peaks)
		at := int(float64(n) * (float64(row.StartNS-t.FromNS) + float64(row.WidthNS)/2) / float64(t.ToNS-t.FromNS))
		at = min(max(at, 0), n-1)
		if t.Peaks[at] == nil || row.Score > *t.Peaks[at] {
			t.Peaks[at] = finite(row.Score)
		}
		if row.Score > w.Threshold {
			t.Alarms[at]++
		}
	}
}

// learned adds a window that the detector was trained on to the stretches.
func (t *Timeline) learned(row *Scored) {
	if n := len(t.Trained); n > 0 && t.Trained[n-1].ToNS == row.StartNS {
		t.Trained[n-1].ToNS = row.EndNS()
		return
	}
	t.Trained = append(t.Trained, Stretch{Name: "learned from", FromNS: row.StartNS, ToNS: row.EndNS()})
}

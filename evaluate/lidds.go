package evaluate

import (
	"cmp"
	"slices"
)

// consecutiveFalseAlarms counts runs of false alarms: normal windows of a container
// that alarm one after the other are one, for a person looks once.
func consecutiveFalseAlarms(w *Windows, classes []class) (runs int) {
	alarming := make([]bool, len(w.Containers))
	for i := range w.Rows {
		row := &w.Rows[i]
		now := classes[i] == normal && row.Score > w.Threshold
		if now && !alarming[row.Container] {
			runs++
		}
		alarming[row.Container] = now
	}
	return runs
}

// precisionAtK is the share of attack windows among the k highest of the normal and
// attack windows, k being the number of attack windows; nil where there are none.
// Of equal scores normal windows come first: a tie is no merit.
func precisionAtK(w *Windows, classes []class) *float64 {
	var rows []int
	k := 0
	for i, c := range classes {
		if c == normal || c == attacked {
			rows = append(rows, i)
		}
		if c == attacked {
			k++
		}
	}
	if k == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		return cmp.Or(cmp.Compare(w.Rows[b].Score, w.Rows[a].Score), cmp.Compare(classes[a], classes[b]))
	})
	hits := 0
	for _, i := range rows[:k] {
		if classes[i] == attacked {
			hits++
		}
	}
	return finite(float64(hits) / float64(k))
}

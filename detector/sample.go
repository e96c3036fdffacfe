package detector

import (
	"slices"

	"mayfly/forest"
)

// sample decides which windows of a class are held.
type sample struct {
	*forest.Reservoir
	slots []int // where in rows each of them is
}

// newRows returns rows that hold at most most windows of each class.
func newRows(features, most int, seed uint64) *rows {
	r := &rows{columns: make([][]float32, features), containers: map[containerKey]*seen{}}
	for class := range r.sample {
		r.sample[class].Reservoir = forest.NewReservoir(most, seed+uint64(class))
	}
	return r
}

// keep offers row i of columns to the sample of its class.
func (r *rows) keep(columns [][]float32, i int, class uint8, container int32, startNS int64) {
	s := &r.sample[class]
	slot, kept := s.Offer()
	if !kept {
		return
	}
	if slot == len(s.slots) {
		s.slots = append(s.slots, len(r.class))
		for c := range r.columns {
			r.columns[c] = append(r.columns[c], columns[c][i])
		}
		r.class = append(r.class, class)
		r.container = append(r.container, container)
		r.number = append(r.number, r.counts.Windows)
		r.start = append(r.start, startNS)
		return
	}
	at := s.slots[slot]
	for c := range r.columns {
		r.columns[c][at] = columns[c][i]
	}
	r.container[at], r.number[at], r.start[at] = container, r.counts.Windows, startNS
}

// settle puts the rows into the order of the windows, which a full sample has
// left. Nothing is kept after it.
func (r *rows) settle() {
	if slices.IsSorted(r.number) {
		return
	}
	order := make([]int32, len(r.number))
	for k := range order {
		order[k] = int32(k)
	}
	slices.SortFunc(order, func(a, b int32) int { return int(r.number[a] - r.number[b]) })
	for c, column := range r.columns {
		r.columns[c] = permuted(column, order)
	}
	r.class, r.container, r.number = permuted(r.class, order), permuted(r.container, order), permuted(r.number, order)
	r.start = permuted(r.start, order)
}

// permuted is the values of a column at the places given, in their order.
func permuted[T any](column []T, order []int32) []T {
	out := make([]T, len(order))
	for k, at := range order {
		out[k] = column[at]
	}
	return out
}

package forest

import (
	"math"
	"slices"
)

const (
	missingBin = 255
	// edgeRows is how many rows, evenly spaced, a feature's edges come from
	// where it has more.
	edgeRows = 1 << 18
)

// binned is a table with each feature cut into bins.
type binned struct {
	// edges of a feature ascend; bin k holds the values v with
	// edges[k-1] < v <= edges[k]. So a split after bin k is v <= edges[k].
	edges [][]float32
	codes [][]uint8 // bin of each row, per feature; missingBin where missing
}

// cut bins every column into at most bins bins.
func cut(x [][]float32, bins, threads int) *binned {
	b := &binned{edges: make([][]float32, len(x)), codes: make([][]uint8, len(x))}
	sorted := make([][]float32, workers(len(x), threads))
	parallel(len(x), threads, func(w, f int) {
		sorted[w] = sortedValues(sorted[w][:0], x[f])
		b.edges[f] = edges(sorted[w], bins)
		b.codes[f] = encode(x[f], b.edges[f])
	})
	return b
}

// sortedValues appends the values that a column's edges come from, ascending.
func sortedValues(to, col []float32) []float32 {
	rows := min(len(col), edgeRows)
	for k := range rows {
		if v := col[k*len(col)/rows]; v == v {
			to = append(to, clamp(v))
		}
	}
	slices.Sort(to)
	return to
}

// edges returns at most bins-1 thresholds: one between any two neighbouring
// values where so many bins suffice, else those that make the bins about
// equally full.
func edges(sorted []float32, bins int) []float32 {
	distinct := 0
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			distinct++
		}
	}
	var out []float32
	filled, begun := 0, 0 // rows of the open bin, first row of it
	for i := 0; i < len(sorted); {
		end := i + 1
		for end < len(sorted) && sorted[end] == sorted[i] {
			end++
		}
		left := bins - len(out) // bins that are not closed
		want := (len(sorted) - begun + left - 1) / left
		run := end - i
		if filled > 0 && left > 1 && (distinct <= bins || filled+run-want > want-filled) {
			lo, hi := sorted[i-1], sorted[i]
			out = append(out, between((float64(lo)+float64(hi))/2, lo, hi))
			begun, filled = i, 0
		}
		filled += run
		i = end
	}
	return out
}

// encode returns the bin of each value.
func encode(col, edges []float32) []uint8 {
	out := make([]uint8, len(col))
	// Padded to a power of two, the search has the same steps for each value.
	var padded [256]float32
	copy(padded[:], edges)
	for k := len(edges); k < len(padded); k++ {
		padded[k] = math.MaxFloat32
	}
	for i, v := range col {
		if v != v {
			out[i] = missingBin
			continue
		}
		var k uint8
		for step := uint8(128); step > 0; step >>= 1 {
			if v > padded[k+step-1] {
				k += step
			}
		}
		out[i] = min(k, uint8(len(edges)))
	}
	return out
}

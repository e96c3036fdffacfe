package forest

import "math"

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
	lines []uint8   // the same, row after row
}

// cut bins every column into at most bins bins.
func cut(x [][]float32, bins, threads int) *binned {
	b := &binned{edges: make([][]float32, len(x)), codes: make([][]uint8, len(x))}
	cutters := make([]cutter, workers(len(x), threads))
	parallel(len(x), threads, func(w, f int) {
		c := &cutters[w]
		b.edges[f] = edges(c.sorted(x[f]), bins)
		b.codes[f] = c.encode(x[f], b.edges[f])
	})
	b.transpose(threads)
	return b
}

// transpose makes lines from codes.
func (b *binned) transpose(threads int) {
	const block = 256 // rows; the part of a column that a block reads is four cache lines
	features, rows := len(b.codes), len(b.codes[0])
	b.lines = make([]uint8, features*rows)
	parallel((rows+block-1)/block, threads, func(_, i int) {
		from, to := i*block, min((i+1)*block, rows)
		for f, codes := range b.codes {
			at := from*features + f
			for _, code := range codes[from:to] {
				b.lines[at] = code
				at += features
			}
		}
	})
}

// edges returns at most bins-1 thresholds: one between any two neighbouring
// values where so many bins suffice. Else they make bins that are about equally
// heavy, where a bin weighs half by its share of the rows and half by its share of
// the reach of the values: bins of equally many rows alone put all of a tail into
// one bin, and what sets attacks apart is mostly in tails.
func edges(sorted []float32, bins int) []float32 {
	at := reach(sorted)
	weight := func(i, end int) float64 { // of sorted[i:end], equal values
		w := float64(end-i) / float64(len(sorted))
		if i > 0 {
			w += min(at(sorted[i])-at(sorted[i-1]), 1/float64(bins)) // a gap fills no more than a bin
		}
		return w
	}
	distinct, rest := 0, 0.0 // rest: weight of the open bin and of what comes after
	for i, end := 0, 0; i < len(sorted); i = end {
		end = run(sorted, i)
		distinct++
		rest += weight(i, end)
	}
	var out []float32
	filled := 0.0 // weight of the open bin
	for i, end := 0, 0; i < len(sorted); i = end {
		end = run(sorted, i)
		w := weight(i, end)
		left := bins - len(out) // bins that are not closed
		want := rest / float64(left)
		if i > 0 && left > 1 && (distinct <= bins || filled+w-want > want-filled) {
			lo, hi := sorted[i-1], sorted[i]
			out = append(out, between((float64(lo)+float64(hi))/2, lo, hi))
			rest -= filled
			filled = 0
		}
		filled += w
	}
	return out
}

// run returns the end of the equal values that begin at i.
func run(sorted []float32, i int) int {
	end := i + 1
	for end < len(sorted) && sorted[end] == sorted[i] {
		end++
	}
	return end
}

// reach returns where in the span of a column a value lies, in [0, 1]. The reach
// ends reachSpreads interquartile ranges from the median, so that a single huge
// value does not take all the bins.
func reach(sorted []float32) func(v float32) float64 {
	if len(sorted) == 0 {
		return nil
	}
	const reachSpreads = 8
	last := len(sorted) - 1
	lo, hi := float64(sorted[0]), float64(sorted[last])
	if spread := float64(sorted[3*last/4]) - float64(sorted[last/4]); spread > 0 {
		middle := float64(sorted[last/2])
		lo, hi = max(lo, middle-reachSpreads*spread), min(hi, middle+reachSpreads*spread)
	}
	return func(v float32) float64 {
		return (min(max(float64(v), lo), hi) - lo) / max(hi-lo, math.SmallestNonzeroFloat64)
	}
}

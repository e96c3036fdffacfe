package forest

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

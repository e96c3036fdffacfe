package forest

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// maxSamples is the most rows a tree of an isolation forest grows from.
const maxSamples = 1 << 24

// IsolationOptions say how an isolation forest is grown. The zero value of a
// field is not its default: begin with DefaultIsolationOptions.
type IsolationOptions struct {
	NEstimators int    // trees, in [1, 65536]; default 100
	MaxSamples  int    // rows per tree (psi), in [1, 2^24]; default 256. All rows where there are fewer.
	Seed        uint64 // of all chance; default 0
	Threads     int    // goroutines; below 1: all processors. No influence on the model.

	// Box keeps the box that the training rows fill, so that rows outside of it
	// score higher the farther they lie; see the box type. Default off: the
	// forest of the paper, which cannot tell them apart.
	Box bool
}

// DefaultIsolationOptions returns the options of Liu, Ting, Zhou 2008.
func DefaultIsolationOptions() IsolationOptions {
	return IsolationOptions{NEstimators: 100, MaxSamples: 256}
}

// Isolation is an isolation forest: Liu, Ting, Zhou, "Isolation Forest",
// ICDM 2008. It is read-only once fitted or decoded and safe for concurrent use.
// The zero value is only of use to UnmarshalBinary.
type Isolation struct {
	model
	samples int         // psi: rows that each tree grew from
	usual   float64     // c(psi)
	means   [][]float64 // mean path length of the training rows, per tree and node
	box     *box        // nil without IsolationOptions.Box
}

// newIsolation takes over linked trees.
func newIsolation(features, samples int, trees []tree) *Isolation {
	f := &Isolation{samples: samples, usual: meanPath(samples), means: make([][]float64, len(trees))}
	f.set(features, trees, pathUnit)
	for i, t := range trees {
		f.means[i] = t.means()
	}
	return f
}

// FitIsolation grows an isolation forest from x: n columns, each of length m,
// read and never kept or copied as a whole. NaN is missing; see the package
// comment.
//
// Each tree grows from MaxSamples rows drawn without replacement, to the height
// ceil(log2 psi) (Algorithms 1 and 2). A split takes a feature uniformly among
// those that are not constant in the node's rows, and a threshold uniformly
// between the least and the greatest value there. A node in which all features
// are constant is a leaf. scikit-learn grows the same way, but for counting a
// feature as constant when its range is at most 1e-7, and for other random
// numbers.
//
// With one row, or only constant columns, every score is 0.5. No columns,
// columns of unlike lengths, zero rows and options out of range are errors.
func FitIsolation(x [][]float32, opts IsolationOptions) (*Isolation, error) {
	return FitIsolationRows(x, nil, opts)
}

// FitIsolationRows is FitIsolation of the rows of x whose numbers are given, in their
// order, without a copy of them. nil is all rows.
func FitIsolationRows(x [][]float32, at []int32, opts IsolationOptions) (*Isolation, error) {
	rows, err := checkColumns(x, 0)
	if err == nil && at != nil {
		if i := slices.IndexFunc(at, func(row int32) bool { return row < 0 || int(row) >= rows }); i >= 0 {
			err = fmt.Errorf("rows: want 0 to %d, got %d", rows-1, at[i])
		}
		rows = len(at)
	}
	switch {
	case err != nil:
		return nil, err
	case rows == 0:
		return nil, errors.New("columns: want at least one row, got none")
	case opts.NEstimators < 1 || opts.NEstimators > maxTrees:
		return nil, fmt.Errorf("NEstimators: want 1 to %d, got %d", maxTrees, opts.NEstimators)
	case opts.MaxSamples < 1 || opts.MaxSamples > maxSamples:
		return nil, fmt.Errorf("MaxSamples: want 1 to %d, got %d", maxSamples, opts.MaxSamples)
	}
	samples := min(opts.MaxSamples, rows)
	trees := make([]tree, opts.NEstimators)
	growers := make([]isolationGrower, workers(len(trees), opts.Threads))
	parallel(len(trees), opts.Threads, func(w, i int) {
		trees[i] = growers[w].grow(x, at, rows, samples, opts.Seed, i)
	})
	total := 0
	for _, t := range trees {
		total += len(t)
	}
	if total > maxNodes {
		return nil, fmt.Errorf("forest: want at most %d nodes, got %d", maxNodes, total)
	}
	f := newIsolation(len(x), samples, trees)
	if opts.Box {
		f.box = newBox(x, at)
	}
	return f, nil
}

// Score writes each row's anomaly score into out, in (0, 1]; higher is stranger.
// The score is 2^(-E[h(x)]/c(psi)) (equation 2), with E[h(x)] the mean path length over
// the trees, a leaf of n rows adding c(n). x must have the columns of training
// and out the length of a column; zero rows are no error. threads below 1 means
// all processors; a score does not depend on it. Memory does not grow with rows.
// With a box, E[h(x)] is that of box's comment, E[h'].
func (f *Isolation) Score(x [][]float32, out []float32, threads int) error {
	if f.plan == nil {
		return errors.New("isolation forest: neither fitted nor decoded")
	}
	return f.plan().score(x, out, threads, f.box, func(sum, distance float64) float32 {
		return float32(f.anomaly(shorten(sum/float64(len(f.trees)), distance)))
	})
}

// anomaly is equation 2 for a mean path length. Where c(psi) is 0, because trees grew
// from one row, nothing is known and every score is that of a mean path.
func (f *Isolation) anomaly(path float64) float64 {
	if f.usual == 0 {
		return 0.5
	}
	return power(max(-path/f.usual, -1000))
}

// Samples returns psi, the number of rows that each tree grew from.
func (f *Isolation) Samples() int { return f.samples }

// meanPath is c(n), the mean path length of an unsuccessful search in a binary
// search tree of n rows (equation 1), with H(i) taken as ln(i) plus Euler's
// constant; c(2) = 1 and c(n) = 0 below.
func meanPath(n int) float64 {
	switch {
	case n < 2:
		return 0
	case n == 2:
		return 1
	}
	const euler = 0.57721566490153286060651209008240243
	m := float64(n)
	return 2*(math.Log(m-1)+euler) - 2*(m-1)/m
}

// pathLength is what a leaf at a depth with n rows answers.
func pathLength(depth, n int) float32 { return float32(float64(depth) + meanPath(n)) }

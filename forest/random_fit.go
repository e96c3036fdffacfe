package forest

import (
	"errors"
	"fmt"
	"math"
)

// FitRandom grows a random forest from x, n columns of length m, and y, the class
// of each row, 0 or 1. Both are read and never kept; two bytes per value are made
// of x. NaN is missing; see the package comment.
//
// Each feature is cut into at most Bins bins, or one per value where they suffice;
// a bin weighs half by its rows and half by the reach of its values. Thresholds lie
// halfway between the values on both
// sides. Above 2^18 rows the cuts come from 2^18 evenly spaced ones. Each tree
// grows from m rows drawn with replacement. At each node MaxFeatures features
// that are not constant there are drawn, and the split is the one of them that
// takes away the most class-weighted Gini impurity; a node is a leaf when its
// rows are of one class, when all features are constant, or when no split leaves
// MinSamplesLeaf rows on both sides. scikit-learn grows the same way, but for the
// bins, and for counting a row that was drawn twice once in MinSamplesLeaf.
//
// No columns, columns of unlike lengths, zero rows, a y of another length or with
// other values, one class only, and options out of range are errors. Constant
// columns give a forest that answers the class-weighted share of class 1.
func FitRandom(x [][]float32, y []uint8, opts RandomOptions) (*Random, error) {
	rows, err := checkColumns(x, 0)
	if err != nil {
		return nil, err
	}
	if err := opts.check(len(x)); err != nil {
		return nil, err
	}
	weights, err := classWeights(y, rows, opts.ClassWeight)
	if err != nil {
		return nil, err
	}
	g := growth{binned: cut(x, opts.Bins, opts.Threads), y: y, weights: weights, RandomOptions: opts}
	if g.MaxDepth == 0 {
		g.MaxDepth = maxDepth
	}
	if g.MaxFeatures == 0 {
		g.MaxFeatures = max(1, int(math.Sqrt(float64(len(x)))))
	}
	trees := make([]tree, opts.NEstimators)
	bags := make([]bag, len(trees))
	gains := make([][]float64, len(trees))
	growers := make([]*randomGrower, workers(len(trees), opts.Threads))
	parallel(len(trees), opts.Threads, func(w, i int) {
		if growers[w] == nil {
			growers[w] = newRandomGrower(&g)
		}
		trees[i], gains[i] = growers[w].grow(i)
		if opts.Permute {
			bags[i] = newBag(growers[w].times)
		}
	})
	total := 0
	for _, t := range trees {
		total += len(t)
	}
	if total > maxNodes {
		return nil, fmt.Errorf("forest: want at most %d nodes, got %d", maxNodes, total)
	}
	votes := addVotes(growers, rows)
	f := newRandom(len(x), trees, meanShares(gains, len(x)), measureVotes(votes, y))
	if opts.Permute {
		f.permutation = g.permutation(x, trees, bags, votes)
	}
	return f, nil
}

func (o *RandomOptions) check(features int) error {
	for _, c := range []struct {
		name          string
		got, from, to int
	}{
		{"NEstimators", o.NEstimators, 1, maxTrees},
		{"MaxDepth", o.MaxDepth, 0, maxDepth},
		{"MinSamplesLeaf", o.MinSamplesLeaf, 1, math.MaxInt32},
		{"MaxFeatures", o.MaxFeatures, 0, features},
		{"Bins", o.Bins, 2, 255},
		{"ClassWeight", int(o.ClassWeight), int(Balanced), int(Uniform)},
	} {
		if c.got < c.from || c.got > c.to {
			return fmt.Errorf("%s: want %d to %d, got %d", c.name, c.from, c.to, c.got)
		}
	}
	return nil
}

// classWeights checks y and returns how much a row of each class counts.
func classWeights(y []uint8, rows int, how ClassWeight) ([2]float64, error) {
	if rows == 0 {
		return [2]float64{}, errors.New("columns: want at least one row, got none")
	}
	if len(y) != rows {
		return [2]float64{}, fmt.Errorf("classes: want %d rows, got %d", rows, len(y))
	}
	var count [2]int
	for i, c := range y {
		if c > 1 {
			return [2]float64{}, fmt.Errorf("classes: row %d: want 0 or 1, got %d", i, c)
		}
		count[c]++
	}
	if count[0] == 0 || count[1] == 0 {
		return [2]float64{}, fmt.Errorf("classes: want rows of both, got %d of class 0 and %d of class 1", count[0], count[1])
	}
	if how == Uniform {
		return [2]float64{1, 1}, nil
	}
	m := float64(rows)
	return [2]float64{m / 2 / float64(count[0]), m / 2 / float64(count[1])}, nil
}

// meanShares returns each feature's share of the gains of a tree, meaned over the
// trees that have a split.
func meanShares(gains [][]float64, features int) []float64 {
	out := make([]float64, features)
	total := 0.0
	for _, tree := range gains {
		sum := 0.0
		for _, gain := range tree {
			sum += gain
		}
		if sum <= 0 {
			continue
		}
		for f, gain := range tree {
			out[f] += gain / sum
			total += gain / sum
		}
	}
	if total > 0 {
		for f := range out {
			out[f] = min(out[f]/total, 1)
		}
	}
	return out
}

package forest

import (
	"errors"
	"fmt"
)

// Contributions writes into out how much each feature moved the row's mean path
// length E[h(x)] away from base, the mean path length of the rows that the trees
// grew from: base + sum(out) = E[h(x)], and the row's score is
// 2^(-(base+sum(out))/c(psi)). Below zero, the feature shortened the path: it makes
// the row stranger.
//
// A split's feature is given the difference between the mean path length of the
// training rows in the child that the row goes to and that of the training rows
// in the split (the path attribution that Saabas gave for decision trees, 2014). It
// costs one walk down each tree. What a box takes from the path is shared among
// the features outside of it by their distance. row and out have length n.
func (f *Isolation) Contributions(row []float32, out []float64) (base float64, err error) {
	if err := f.checkRow(row, out); err != nil {
		return 0, err
	}
	for k, t := range f.trees {
		means := f.means[k]
		base += means[0]
		for i := uint32(0); !t[i].leaf(); {
			next := t[i].next(i, clamp(row[t[i].feature()]))
			out[t[i].feature()] += means[next] - means[i]
			i = next
		}
	}
	base = f.meanOut(base, out)
	if f.box != nil {
		f.box.attribute(row, base, out)
	}
	return base, nil
}

// Contributions writes into out each feature's part in the row's probability of
// class 1: base + sum(out) is the row's score, and base the score of an average
// row of training (class-weighted). They are the Shapley values of the
// path-dependent expectation, exactly: TreeSHAP, Algorithm 2 of Lundberg, Erion,
// Lee, "Consistent Individualized Feature Attribution for Tree Ensembles", 2018.
// The time is that of the forest's leaves times their depth squared; see
// BENCHMARKS.md. row and out have length n.
func (f *Random) Contributions(row []float32, out []float64) (base float64, err error) {
	if err := f.checkRow(row, out); err != nil {
		return 0, err
	}
	deepest := 0
	for _, root := range f.plan.roots {
		deepest = max(deepest, root.depth)
	}
	s := newShapley(row, out, deepest)
	for _, t := range f.trees {
		s.tree = t
		s.node(0, 0, 0, fraction{feature: -1, zero: 1, one: 1})
	}
	return f.meanOut(f.base, out), nil
}

// checkRow checks the lengths and zeroes out.
func (m *model) checkRow(row []float32, out []float64) error {
	switch {
	case m.plan == nil:
		return errors.New("forest: neither fitted nor decoded")
	case len(row) != m.features:
		return fmt.Errorf("row: want %d features, got %d", m.features, len(row))
	case len(out) != m.features:
		return fmt.Errorf("out: want %d features, got %d", m.features, len(out))
	}
	clear(out)
	return nil
}

// meanOut divides sums over the trees by their number.
func (m *model) meanOut(base float64, out []float64) float64 {
	for i := range out {
		out[i] /= float64(len(m.trees))
	}
	return base / float64(len(m.trees))
}

// means returns, for each node of a linked tree, the mean answer of the training
// rows that reached it.
func (t tree) means() []float64 {
	out := make([]float64, len(t))
	for i := len(t) - 1; i >= 0; i-- {
		n := &t[i]
		if n.leaf() {
			out[i] = float64(n.value)
			continue
		}
		l, r := float64(t[i+1].cover), float64(t[n.right].cover)
		out[i] = (l*out[i+1] + r*out[n.right]) / (l + r)
	}
	return out
}

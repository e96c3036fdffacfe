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
// path-dependent expectation, exactly, as TreeSHAP gives them; see shapley.
// row and out have length n.
func (f *Random) Contributions(row []float32, out []float64) (base float64, err error) {
	if err := f.checkRow(row, out); err != nil {
		return 0, err
	}
	s := newShapley(f.features, f.depth)
	for _, t := range f.trees {
		s.add(t, row, out)
	}
	return f.meanOut(f.base, out), nil
}

// explainRows is how many rows pass through a tree while it is in the cache.
const explainRows = 16

// Explain is Contributions for many rows of x, columns as Score takes them: out[k],
// of length n, becomes what Contributions writes for row rows[k]. threads below 1
// means all processors; the result does not depend on it.
func (f *Isolation) Explain(x [][]float32, rows []int, out [][]float64, threads int) (base float64, err error) {
	if err := f.checkExplain(x, rows, out); err != nil {
		return 0, err
	}
	scratch := make([][]float32, workers(len(rows), threads))
	parallel(len(rows), threads, func(w, k int) {
		if scratch[w] == nil {
			scratch[w] = make([]float32, f.features)
		}
		gather(x, rows[k], scratch[w])
		_, _ = f.Contributions(scratch[w], out[k]) // the lengths are right
	})
	for _, means := range f.means {
		base += means[0]
	}
	return base / float64(len(f.trees)), nil
}

// Explain is Contributions for many rows of x, columns as Score takes them: out[k],
// of length n, becomes what Contributions writes for row rows[k]. threads below 1
// means all processors; the result does not depend on it.
func (f *Random) Explain(x [][]float32, rows []int, out [][]float64, threads int) (base float64, err error) {
	if err := f.checkExplain(x, rows, out); err != nil {
		return 0, err
	}
	blocks := (len(rows) + explainRows - 1) / explainRows
	type scratch struct {
		*shapley
		rows [explainRows][]float32
	}
	scratches := make([]scratch, workers(blocks, threads))
	parallel(blocks, threads, func(w, block int) {
		s := &scratches[w]
		if s.shapley == nil {
			s.shapley = newShapley(f.features, f.depth)
			for k := range s.rows {
				s.rows[k] = make([]float32, f.features)
			}
		}
		from, to := block*explainRows, min((block+1)*explainRows, len(rows))
		for k := from; k < to; k++ {
			gather(x, rows[k], s.rows[k-from])
			clear(out[k])
		}
		for _, t := range f.trees {
			for k := from; k < to; k++ {
				s.add(t, s.rows[k-from], out[k])
			}
		}
		for k := from; k < to; k++ {
			f.meanOut(0, out[k])
		}
	})
	return f.base / float64(len(f.trees)), nil
}

// gather copies a row out of columns.
func gather(x [][]float32, row int, into []float32) {
	for f, column := range x {
		into[f] = column[row]
	}
}

// checkExplain checks what Explain is given.
func (m *model) checkExplain(x [][]float32, rows []int, out [][]float64) error {
	if m.plan == nil {
		return errors.New("forest: neither fitted nor decoded")
	}
	n, err := checkColumns(x, m.features)
	if err != nil {
		return err
	}
	if len(out) != len(rows) {
		return fmt.Errorf("out: want %d rows, got %d", len(rows), len(out))
	}
	for k, row := range rows {
		if row < 0 || row >= n {
			return fmt.Errorf("rows: entry %d: want 0 to %d, got %d", k, n-1, row)
		}
		if len(out[k]) != m.features {
			return fmt.Errorf("out: row %d: want %d features, got %d", k, m.features, len(out[k]))
		}
	}
	return nil
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

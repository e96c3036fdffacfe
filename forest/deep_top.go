package forest

import "slices"

// newTopBuilder returns a builder of the programs of the tops of trees.
func newTopBuilder(unit fixed, k *kernel) *builder {
	b := newBuilder(unit, k.coarse)
	b.fold = func(f *folded, t tree) {
		f.fold(t, unit)
		f.keepTop(t, k.topSplits)
	}
	return b
}

// newTops returns programs for the tops of the trees in b, in order, which answer
// branches: where says the branch of each node of a tree.
func newTops(b *builder, k *kernel, where [][]uint32) (tops []group) {
	top := newTopBuilder(b.unit, k)
	var f folded
	for _, t := range b.trees {
		top.fold(&f, t)
		if !top.add(t, &f) {
			tops = append(tops, top.group())
			top = newTopBuilder(b.unit, k)
			top.add(t, &f) // one top has fewer cuts than a group has room for
		}
	}
	tops = append(tops, top.group())
	for _, g := range tops {
		for i := range g.programs {
			for code, n := range g.programs[i].values {
				g.programs[i].values[code] = where[0][n]
			}
			where = where[1:]
		}
	}
	return tops
}

// keepTop leaves of a folded tree at most so many splits: those by which most
// training rows came, which are a tree themselves. The nodes where it ends answer
// their own number.
func (f *folded) keepTop(t tree, most int) {
	leaf := make([]bool, len(t))
	for i := range leaf {
		leaf[i] = true
	}
	f.splits = 0
	var open []uint32 // splits whose parents are kept
	if !f.leaf[0] {
		open = append(open, 0)
	}
	for len(open) > 0 && f.splits < most {
		heaviest := 0
		for k, i := range open {
			if t[i].cover > t[open[heaviest]].cover {
				heaviest = k
			}
		}
		i := open[heaviest]
		open = slices.Delete(open, heaviest, heaviest+1)
		leaf[i] = false
		f.splits++
		for _, child := range []uint32{i + 1, t[i].right} {
			if !f.leaf[child] {
				open = append(open, child)
			}
		}
	}
	f.leaf = leaf
	f.answers[0] = 0
	for i := range t {
		if t[i].leaf() {
			continue
		}
		for _, child := range []uint32{uint32(i) + 1, t[i].right} {
			if f.answers[child] = child; leaf[i] {
				f.answers[child] = f.answers[i]
			}
		}
	}
	for i := len(t) - 1; i >= 0; i-- {
		if !leaf[i] {
			f.answers[i] = f.answers[i+1]
		}
	}
}

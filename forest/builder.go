package forest

import (
	"cmp"
	"math"
	"slices"
)

// builder collects the trees of a group, or of a deep.
type builder struct {
	unit   fixed
	coarse bool
	fold   func(f *folded, t tree) // what add wants
	trees  []tree
	cuts   map[boundary]ways
	count  map[int]int // cuts per feature
	new    []boundary  // of the tree that is being added

	// Limits of trees, columns and cuts together, and of the splits of one tree.
	mostTrees, mostColumns, mostCuts, mostSplits int
}

type boundary struct {
	feature   int
	threshold float32
}

// ways says which ways missing values go at a cut.
type ways uint8

const (
	goLeft ways = 1 << iota
	goRight
)

func newBuilder(unit fixed, coarse bool) *builder {
	return &builder{
		unit: unit, coarse: coarse, cuts: map[boundary]ways{}, count: map[int]int{},
		fold:      func(f *folded, t tree) { f.fold(t, unit) },
		mostTrees: maxTrees, mostColumns: maxFeatures, mostCuts: mostMasks, mostSplits: maxNodes,
	}
}

// newDeepBuilder returns a builder of a deep.
func newDeepBuilder(unit fixed, coarse bool) *builder {
	b := newBuilder(unit, coarse)
	b.mostTrees, b.mostColumns, b.mostCuts, b.mostSplits = mostDeepTrees, mostDeepColumns, maxNodes, mostBranches/2-1
	return b
}

func (n *node) boundary() (boundary, ways) {
	w := goRight
	if n.tag&missingLeft != 0 {
		w = goLeft
	}
	return boundary{n.feature(), cutAt(n.value)}, w
}

// add takes a tree into the group, or returns false when the group has no room.
func (b *builder) add(t tree, f *folded) bool {
	b.new = b.new[:0]
	fits := len(b.trees) < b.mostTrees && f.splits <= b.mostSplits
	for i := range t {
		if f.leaf[i] {
			continue
		}
		c, _ := t[i].boundary()
		if _, ok := b.cuts[c]; !ok {
			b.cuts[c] = 0
			b.count[c.feature]++
			b.new = append(b.new, c)
			fits = fits && b.count[c.feature] <= mostCuts
		}
	}
	if !fits || len(b.cuts) > b.mostCuts || len(b.count) > b.mostColumns {
		for _, c := range b.new {
			delete(b.cuts, c)
			if b.count[c.feature]--; b.count[c.feature] == 0 {
				delete(b.count, c.feature)
			}
		}
		return false
	}
	for i := range t {
		if !f.leaf[i] {
			c, w := t[i].boundary()
			b.cuts[c] |= w
		}
	}
	b.trees = append(b.trees, t)
	return true
}

// cutColumns returns a group without programs, and the mask of each cut.
func (b *builder) cutColumns() (group, map[boundary]place) {
	all := make([]boundary, 0, len(b.cuts))
	for c := range b.cuts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y boundary) int {
		return cmp.Or(cmp.Compare(x.feature, y.feature), cmp.Compare(x.threshold, y.threshold))
	})
	g := group{masks: len(all)}
	places := make(map[boundary]place, len(all))
	for from := 0; from < len(all); {
		col := column{feature: all[from].feature, first: from}
		var sorted []float32
		for ; from < len(all) && all[from].feature == col.feature; from++ {
			c, at := all[from], place{uint32(from), uint32(from)}
			sorted = append(sorted, c.threshold)
			switch b.cuts[c] {
			case goRight:
				col.right = append(col.right, int32(from))
			case goLeft | goRight:
				g.both = append(g.both, bothWay{int32(len(g.columns)), int32(from), int32(g.masks)})
				at.right = uint32(g.masks)
				g.masks++
			}
			places[c] = at
		}
		col.cuts = newCuts(sorted, b.coarse)
		g.columns = append(g.columns, col)
	}
	return g, places
}

// group numbers the cuts and writes the programs.
func (b *builder) group() group {
	g, places := b.cutColumns()
	var f folded
	most := uint32(1)
	for _, t := range b.trees {
		b.fold(&f, t)
		g.programs = append(g.programs, newProgram(t, &f, places))
		most = max(most, slices.Max(f.answers))
	}
	g.flush = int(math.MaxUint32 / most)
	return g
}

package forest

import (
	"math"
	"math/bits"
	"slices"
)

// isolationGrower grows one tree after another in the same memory.
type isolationGrower struct {
	x        [][]float32
	chance   chance
	limit    int // height limit
	drawn    map[int32]struct{}
	rows     []int32   // the sample; a node owns a range of it
	spare    []int32   // rows that go right, while a range is parted
	values   []float32 // the values of the feature looked at, over the node's range
	features []int32   // a permutation of the feature indices
	nodes    tree
}

// grow returns a linked tree of some of the rows at, or of all where that is nil.
func (g *isolationGrower) grow(x [][]float32, at []int32, rows, samples int, seed uint64, number int) tree {
	if g.x == nil {
		g.x = x
		g.limit = bits.Len(uint(samples - 1)) // ceil(log2 samples)
		g.drawn = make(map[int32]struct{}, samples)
		g.rows = make([]int32, 0, samples)
		g.spare = make([]int32, samples)
		g.values = make([]float32, samples)
		g.features = make([]int32, len(x))
		g.nodes = make(tree, 0, 2*samples)
	}
	for i := range g.features {
		g.features[i] = int32(i)
	}
	g.chance.seed(seed, number)
	g.sample(rows, samples)
	if at != nil {
		for k, row := range g.rows {
			g.rows[k] = at[row]
		}
	}
	g.nodes = g.nodes[:0]
	g.node(0, samples, 0, 0)
	t := slices.Clone(g.nodes)
	_, _ = t.link() // a tree that was grown is sound
	return t
}

// sample draws rows without replacement (Floyd's algorithm: Bentley, Floyd 1987).
func (g *isolationGrower) sample(rows, samples int) {
	clear(g.drawn)
	g.rows = g.rows[:0]
	for last := rows - samples; last < rows; last++ {
		row := int32(g.chance.below(last + 1))
		if _, ok := g.drawn[row]; ok {
			row = int32(last)
		}
		g.drawn[row] = struct{}{}
		g.rows = append(g.rows, row)
	}
}

// node appends the subtree of the sample's range [from, to) at a depth. The first
// constants entries of g.features are known to be constant there.
func (g *isolationGrower) node(from, to, depth, constants int) {
	at := len(g.nodes)
	g.nodes = append(g.nodes, node{})
	if to-from > 1 && depth < g.limit {
		for ; constants < len(g.features); constants++ {
			pick := constants + g.chance.below(len(g.features)-constants)
			feature := g.features[pick]
			span := g.span(int(feature), from, to)
			if span.constant() {
				// The subtrees only permute what comes after constants, so
				// what is known here stays known for both of them.
				g.features[pick] = g.features[constants]
				g.features[constants] = feature
				continue
			}
			tag, threshold, middle := g.split(uint32(feature), span, from, to)
			g.nodes[at].tag, g.nodes[at].value = tag, threshold
			g.node(from, middle, depth+1, constants)
			g.node(middle, to, depth+1, constants)
			return
		}
	}
	g.nodes[at] = node{tag: leafTag, value: pathLength(depth, to-from), cover: float32(to - from)}
}

// span is what a node needs to know of a feature's values in its rows.
type span struct {
	lo, hi  float32
	present int // rows with a value
	missing int // rows without
}

func (s span) constant() bool {
	return s.present == 0 || s.missing == 0 && !(s.lo < s.hi)
}

// span reads a feature of the rows in a range into g.values.
func (g *isolationGrower) span(feature, from, to int) span {
	col := g.x[feature]
	s := span{lo: math.MaxFloat32, hi: -math.MaxFloat32}
	values := g.values[from:to]
	// A loop of its own, with nothing in it to wait for a value: columns do not fit
	// into the cache, and so many reads are under way at a time.
	for k, row := range g.rows[from:to] {
		values[k] = col[row]
	}
	for k, v := range values {
		if v != v {
			s.missing++
		} else {
			v = clamp(v)
			s.lo, s.hi = min(s.lo, v), max(s.hi, v)
		}
		values[k] = v
	}
	s.present = to - from - s.missing
	return s
}

// split draws the threshold and the missing direction for the feature that
// g.values holds, parts the rows of the range, and returns the split and the
// first row of its right side.
func (g *isolationGrower) split(feature uint32, s span, from, to int) (tag uint32, threshold float32, middle int) {
	missingGoesLeft := false
	switch {
	case s.lo < s.hi:
		lo, hi := float64(s.lo), float64(s.hi)
		threshold = between(lo+float64(g.chance.unit()*(hi-lo)), s.lo, s.hi)
		missingGoesLeft = s.missing > 0 && g.chance.coin()
	case g.chance.coin() && s.lo > -math.MaxFloat32:
		// Missing rows go left, the one value right.
		threshold, missingGoesLeft = math.Nextafter32(s.lo, -math.MaxFloat32), true
	default:
		threshold = s.lo
	}
	middle = from
	right := 0
	for k := from; k < to; k++ {
		v := g.values[k]
		if v <= threshold || v != v && missingGoesLeft {
			g.rows[middle] = g.rows[k]
			middle++
		} else {
			g.spare[right] = g.rows[k]
			right++
		}
	}
	copy(g.rows[middle:to], g.spare[:right])
	if s.missing == 0 {
		missingGoesLeft = middle-from >= to-middle
	}
	if missingGoesLeft {
		feature |= missingLeft
	}
	return feature, threshold, middle
}

package forest

// narrow is trees that are walked down like those of a deep, in a form so small that
// a tree is about as large as the first-level cache: 8 bytes for a split with its two
// children. It has room for 128 columns and trees of 65,000 splits.
//
// A row of a block is its ranks, one byte per column, beside each other. Walking
// takes eight rows at a time, so that the processor has the next step of seven
// others to do while it waits for a child.
type narrow struct {
	columns []column
	half    int // bytes from a rank to its copy for missing values that go left
	trees   []narrowTree
	pairs   [][2]uint32 // of all trees, and behind them what narrowTree.pairs may point at
}

// narrowTree is one tree. What stands for a node is a word:
//
//	bits 16 to 31  the pair that holds its children's words, left and right
//	bits 8 to 15   what, added to a rank above the split's, is at least 256; 0 in a leaf
//	bits 0 to 7    the column, plus narrow.half where missing values go left
//
// A leaf's word leads to a pair that has this very word on the left, so that walking on
// from it changes nothing. These pairs are the first ones, and their numbers those of the answers.
type narrowTree struct {
	pairs   *[mostPairs][2]uint32
	size    int // pairs that are the tree's
	root    uint32
	answers []uint32
	steps   int // after which most rows have come to a leaf
}

const (
	mostPairs         = 1 << 16
	mostNarrowColumns = 1 << 7
	leastHalf         = 1 << 6
	walkedTogether    = 8 // rows
	moreSteps         = 8 // of the rows that have not come to a leaf yet
)

// openBits are not all zero in the word of a split.
const openBits = 0xff00

// newNarrow lays out the trees that were added to b. It returns false where a
// narrow has no room for them.
func newNarrow(b *builder) (narrow, bool) {
	if len(b.count) > mostNarrowColumns {
		return narrow{}, false
	}
	g, places := b.cutColumns()
	n := narrow{columns: g.columns, half: leastHalf}
	for n.half < len(g.columns) {
		n.half *= 2
	}
	number := make(map[int]uint32, len(g.columns))
	for i := range g.columns {
		number[g.columns[i].feature] = uint32(i)
	}
	split := func(to *node) uint32 {
		c, way := to.boundary()
		i := number[c.feature]
		word := (mostCuts-(places[c].left-uint32(g.columns[i].first)))<<8 | i
		if way == goLeft {
			word += uint32(n.half)
		}
		return word
	}
	var f folded
	var begins []int
	for _, t := range b.trees {
		b.fold(&f, t)
		begin := len(n.pairs)
		begins = append(begins, begin)
		tree := n.add(t, &f, split)
		if tree.size = len(n.pairs) - begin; tree.size > mostPairs {
			return narrow{}, false
		}
		n.trees = append(n.trees, tree)
	}
	n.pairs = append(n.pairs, make([][2]uint32, mostPairs)...)
	for i, begin := range begins {
		n.trees[i].pairs = (*[mostPairs][2]uint32)(n.pairs[begin:])
	}
	return n, true
}

// add lays out a folded tree that has splits; split returns the word of a split without the
// pair. Of a tree that is too large the words are wrong.
func (n *narrow) add(t tree, f *folded, split func(*node) uint32) (to narrowTree) {
	begin := len(n.pairs)
	leaves := map[uint32]uint32{} // answers' words
	for i := range t {
		if _, ok := leaves[f.answers[i]]; f.leaf[i] && !ok {
			word := uint32(len(to.answers)) << 16
			leaves[f.answers[i]] = word
			to.answers = append(to.answers, f.answers[i])
			n.pairs = append(n.pairs, [2]uint32{word, word})
		}
	}
	shared := map[[2]uint32]uint32{} // pairs of leaves
	type place struct {
		node  uint32
		depth int
		word  *uint32
	}
	n.pairs = append(n.pairs, make([][2]uint32, f.splits)...)[:len(n.pairs)] // words stay where they are
	var beyond []float32                                                     // cover of the splits by depth
	open := []place{{0, 0, &to.root}}
	for len(open) > 0 {
		p := open[len(open)-1]
		open = open[:len(open)-1]
		if p.depth == len(beyond) {
			beyond = append(beyond, 0)
		}
		beyond[p.depth] += t[p.node].cover
		left, right := p.node+1, t[p.node].right
		var pair [2]uint32
		both := f.leaf[left] && f.leaf[right]
		if f.leaf[left] {
			pair[0] = leaves[f.answers[left]]
		}
		if f.leaf[right] {
			pair[1] = leaves[f.answers[right]]
		}
		at, ok := shared[pair]
		if !both || !ok {
			at = uint32(len(n.pairs) - begin)
			n.pairs = append(n.pairs, pair)
		}
		if both {
			shared[pair] = at
		}
		*p.word = at<<16 | split(&t[p.node])
		light, heavy := 0, 1
		children := [2]uint32{left, right}
		if t[left].cover > t[right].cover {
			light, heavy = 1, 0
		}
		for _, side := range []int{light, heavy} {
			if child := children[side]; !f.leaf[child] {
				open = append(open, place{child, p.depth + 1, &n.pairs[begin+int(at)][side]})
			}
		}
	}
	for to.steps = 1; to.steps < len(beyond) && beyond[to.steps] > beyond[0]/4; to.steps++ {
	}
	return to
}

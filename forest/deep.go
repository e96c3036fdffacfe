package forest

import "math/bits"

// deep is trees with so many splits that evaluating all of them takes longer than
// walking down, and too many of them, or too many columns, for a narrow. The top of a tree, the splits by which most rows come, is a
// program like that of a small tree, and says where in the tree each row of the
// block goes on (top). From there rows are walked, not by their values but by
// their ranks among the cuts of the column, which are bytes: a block of 64 columns
// fits the first-level cache, and a split 8 bytes.
type deep struct {
	columns []column
	half    uint32 // see branch.at
	sweep   int    // blocks that are walked down a tree while it is in the cache
	trees   []deepTree
	tops    []group // a program for each tree, in order; none when kernel.topSplits is 0
}

// deepTree is one tree as walking executes it. The two children of a split lie
// beside each other, at an even index the left one; the root is branch 0. Splits
// whose children are leaves with the same answers share them.
type deepTree struct {
	branches []branch
	answers  []uint32 // of the branches that are leaves
}

// branch is a split, or a leaf, which points at itself, so that walking on from it
// changes nothing.
type branch struct {
	// next is 256 times the index of the left child plus what, added to a rank
	// that is above the split's, makes the next multiple of 256. So the sum divided
	// by 256 is the child that a row goes to. In a leaf it is 256 times its own index.
	next uint32
	// at is where in a block's ranks those of the column begin; deep.half is
	// added to it when missing values go left.
	at uint32
}

const (
	// mostBranches is how many branches a tree has at most.
	mostBranches = 1 << 24
	// Limits of the trees that share ranks, so that a thread's memory is bounded:
	// by 8 MB of ranks (1 MB of 64 columns, half of it only used where values are
	// missing) and 2 MB of what the tops say.
	mostDeepColumns = 1 << 13
	mostDeepTrees   = 256
	tileBytes       = 4 << 20
)

// newDeep lays out the trees that were added to b, for a kernel.
func newDeep(b *builder, k *kernel) deep {
	g, places := b.cutColumns()
	d := deep{columns: g.columns, half: 1 << bits.Len(uint(len(g.columns)*blockRows-1))}
	d.sweep = max(1, min(chunkRows/blockRows, tileBytes/int(2*d.half)))
	number := make(map[int]uint32, len(g.columns))
	for i := range g.columns {
		number[g.columns[i].feature] = uint32(i)
	}
	var f folded
	var wheres [][]uint32
	for _, t := range b.trees {
		b.fold(&f, t)
		tree, where := newDeepTree(t, &f, func(n *node) branch {
			c, way := n.boundary()
			i := number[c.feature]
			to := branch{next: mostCuts - (places[c].left - uint32(g.columns[i].first)), at: i * blockRows}
			if way == goLeft {
				to.at |= d.half
			}
			return to
		})
		d.trees = append(d.trees, tree)
		wheres = append(wheres, where)
	}
	if k.topSplits > 0 {
		d.tops = newTops(b, k, wheres)
	}
	return d
}

// newDeepTree lays out a folded tree that has splits; split returns the branch of a
// split without the left child. where is the branch of each node that is not below a leaf.
// A split's heavier child is followed by its own children, so that what most rows
// come by lies together.
func newDeepTree(t tree, f *folded, split func(n *node) branch) (d deepTree, where []uint32) {
	where = make([]uint32, len(t))
	shared := map[[2]uint32]uint32{}
	pair := func(left, right uint32) uint32 {
		at := uint32(len(d.branches))
		d.branches = append(d.branches, branch{next: at << 8}, branch{next: (at + 1) << 8})
		d.answers = append(d.answers, left, right)
		return at
	}
	pair(0, 0) // the root, and one that nothing points at
	open := []uint32{0}
	for len(open) > 0 {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		left, right := i+1, t[i].right
		answers := [2]uint32{f.answers[left], f.answers[right]}
		both := f.leaf[left] && f.leaf[right]
		children, ok := shared[answers]
		if !both || !ok {
			children = pair(answers[0], answers[1])
		}
		if both {
			shared[answers] = children
		}
		where[left], where[right] = children, children+1
		to := split(&t[i])
		to.next |= children << 8
		d.branches[where[i]] = to
		light, heavy := left, right
		if t[left].cover > t[right].cover {
			light, heavy = right, left
		}
		for _, child := range []uint32{light, heavy} {
			if !f.leaf[child] {
				open = append(open, child)
			}
		}
	}
	return d, where
}

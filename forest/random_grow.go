package forest

import (
	"math"
	"slices"
)

// growth is what the growers of one forest share and only read.
type growth struct {
	*binned
	RandomOptions
	y       []uint8
	weights [2]float64
}

// draw is a row of a tree's bootstrap sample.
type draw struct {
	row   uint32
	times uint32 // how often it was drawn, shifted left by one, plus its class
}

// counts returns the draws of class 0 in the lower half and of class 1 in the
// upper half, so that one addition counts both. Sums are exact whatever their
// order.
func (d draw) counts() uint64 { return uint64(d.times>>1) << (d.times & 1 << 5) }

// randomGrower grows one tree after another in the same memory.
type randomGrower struct {
	*growth
	chance   chance
	times    []uint32 // draws of each row
	drawn    []draw   // the sample; a node owns a range of it
	spare    []draw
	unseen   []uint32 // rows that are not in the sample; a node owns a range
	unspare  []uint32
	features []int32 // a permutation of the feature indices
	nodes    tree
	gains    []float64 // of the tree, per feature
	hist     [batch][256]uint64
	occupied [batch]bins
	tallies  *tallies // counts of the node that is searched; nil: to be counted
	free     []*tallies
	keepFrom int // siblingDraws
	// votes sums, per row that a tree had not seen, its answer in units of
	// 2^-voteBits in the lower bits, and the number of trees above them. Being
	// integers, they add up the same in any order.
	votes []uint64
}

const (
	voteBits  = 30
	voteWidth = 47 // of the sum over at most maxTrees answers
)

func newRandomGrower(g *growth) *randomGrower {
	rows := len(g.y)
	return &randomGrower{
		growth: g, keepFrom: siblingDraws, times: make([]uint32, rows), votes: make([]uint64, rows),
		drawn: make([]draw, 0, rows), spare: make([]draw, rows),
		unseen: make([]uint32, 0, rows), unspare: make([]uint32, rows),
		features: make([]int32, len(g.codes)), gains: make([]float64, len(g.codes)),
	}
}

// grow returns a linked tree and the impurity that each feature took away.
func (g *randomGrower) grow(number int) (tree, []float64) {
	for i := range g.features {
		g.features[i] = int32(i)
	}
	clear(g.gains)
	clear(g.times)
	g.chance.seed(g.Seed, number)
	for range g.times {
		g.times[g.chance.below(len(g.times))]++
	}
	g.drawn, g.unseen, g.nodes = g.drawn[:0], g.unseen[:0], g.nodes[:0]
	var counts uint64
	for row, times := range g.times {
		if times == 0 {
			g.unseen = append(g.unseen, uint32(row))
			continue
		}
		d := draw{row: uint32(row), times: times<<1 | uint32(g.y[row])}
		counts += d.counts()
		g.drawn = append(g.drawn, d)
	}
	g.node(part{0, len(g.drawn), 0, len(g.unseen)}, counts, 0, 0, nil)
	t := slices.Clone(g.nodes)
	_, _ = t.link() // a tree that was grown is sound
	return t, slices.Clone(g.gains)
}

// part is the ranges of drawn and unseen that a node owns.
type part struct{ from, to, unseenFrom, unseenTo int }

// node appends the subtree of a part, whose draws are counted, at a depth. The
// first constants entries of g.features are known to be constant there. own is the
// counts of its bins where they are known; node takes it over.
func (g *randomGrower) node(p part, counts uint64, depth, constants int, own *tallies) {
	at := len(g.nodes)
	g.nodes = append(g.nodes, node{})
	n0, n1 := counts&math.MaxUint32, counts>>32
	best := cutoff{impurity: math.Inf(1)}
	if n0 > 0 && n1 > 0 && depth < g.MaxDepth && n0+n1 >= 2*uint64(g.MinSamplesLeaf) {
		if own == nil && g.subtracts(p) {
			own = g.count(p, constants)
		}
		g.tallies = own
		best, constants = g.search(p, counts, constants)
		g.tallies = nil
	}
	if math.IsInf(best.impurity, 1) {
		g.leaf(at, p, counts)
		g.release(own)
		return
	}
	g.gains[best.feature] += max(g.impurity(counts)-best.impurity, 0)
	n := &g.nodes[at]
	n.tag, n.value = uint32(best.feature), best.threshold(g.edges[best.feature])
	if best.missingLeft {
		n.tag |= missingLeft
	}
	left, right := g.divide(p, best)
	ofLeft, ofRight := g.part(own, left, right, constants)
	g.node(left, best.left, depth+1, constants, ofLeft)
	g.node(right, counts-best.left, depth+1, constants, ofRight)
}

// leaf writes a leaf and lets it vote on the rows that the tree has not seen.
func (g *randomGrower) leaf(at int, p part, counts uint64) {
	w0, w1 := g.weigh(counts)
	share := float32(w1 / (w0 + w1)) // in [0, 1]
	g.nodes[at] = node{tag: leafTag, value: share, cover: float32(w0 + w1)}
	vote := quantised(share) | 1<<voteWidth
	for _, row := range g.unseen[p.unseenFrom:p.unseenTo] {
		g.votes[row] += vote
	}
}

func (g *randomGrower) weigh(counts uint64) (w0, w1 float64) {
	// From signed integers, for which processors have an instruction.
	return float64(g.weights[0] * float64(int64(counts&math.MaxUint32))), float64(g.weights[1] * float64(int64(counts>>32)))
}

// divide parts the rows of a node, keeping their order on both sides, and returns
// the left part and the right one.
func (g *randomGrower) divide(p part, c cutoff) (_, _ part) {
	codes, stride := g.codes[c.feature], 1
	if p.to-p.from < lineDraws {
		codes, stride = g.lines[c.feature:], len(g.codes)
	}
	var left [256]int // 1 for the bins that go left
	for code := range left[:c.lastLeft()+1] {
		left[code] = 1
	}
	left[missingBin] = 0
	if c.missingLeft {
		left[missingBin] = 1
	}
	middle, spare := p.from, 0
	for _, d := range g.drawn[p.from:p.to] {
		g.drawn[middle], g.spare[spare] = d, d
		n := left[codes[int(d.row)*stride]]
		middle += n
		spare += 1 - n
	}
	copy(g.drawn[middle:p.to], g.spare[:spare])
	unseen, spare := p.unseenFrom, 0
	for _, row := range g.unseen[p.unseenFrom:p.unseenTo] {
		g.unseen[unseen], g.unspare[spare] = row, row
		n := left[codes[int(row)*stride]]
		unseen += n
		spare += 1 - n
	}
	copy(g.unseen[unseen:p.unseenTo], g.unspare[:spare])
	return part{p.from, middle, p.unseenFrom, unseen}, part{middle, p.to, unseen, p.unseenTo}
}

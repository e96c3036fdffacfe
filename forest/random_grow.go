package forest

import (
	"math"
	"math/bits"
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
	hist     [256]uint64
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
		growth: g, times: make([]uint32, rows), votes: make([]uint64, rows),
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
	g.node(part{0, len(g.drawn), 0, len(g.unseen)}, counts, 0, 0)
	t := slices.Clone(g.nodes)
	_, _ = t.link() // a tree that was grown is sound
	return t, slices.Clone(g.gains)
}

// part is the ranges of drawn and unseen that a node owns.
type part struct{ from, to, unseenFrom, unseenTo int }

// node appends the subtree of a part, whose draws are counted, at a depth. The
// first constants entries of g.features are known to be constant there.
func (g *randomGrower) node(p part, counts uint64, depth, constants int) {
	at := len(g.nodes)
	g.nodes = append(g.nodes, node{})
	n0, n1 := counts&math.MaxUint32, counts>>32
	best := cutoff{purity: -1}
	if n0 > 0 && n1 > 0 && depth < g.MaxDepth && n0+n1 >= 2*uint64(g.MinSamplesLeaf) {
		best, constants = g.search(p, counts, constants)
	}
	if best.purity < 0 {
		g.leaf(at, p, counts)
		return
	}
	g.gains[best.feature] += max(best.purity-g.purity(counts), 0)
	n := &g.nodes[at]
	n.tag, n.value = uint32(best.feature), best.threshold(g.edges[best.feature])
	if best.missingLeft {
		n.tag |= missingLeft
	}
	left, right := g.divide(p, best)
	g.node(left, best.left, depth+1, constants)
	g.node(right, counts-best.left, depth+1, constants)
}

// leaf writes a leaf and lets it vote on the rows that the tree has not seen.
func (g *randomGrower) leaf(at int, p part, counts uint64) {
	w0, w1 := g.weigh(counts)
	share := float32(w1 / (w0 + w1)) // in [0, 1]
	g.nodes[at] = node{tag: leafTag, value: share, cover: float32(w0 + w1)}
	vote := uint64(float64(share)*(1<<voteBits)+0.5) | 1<<voteWidth
	for _, row := range g.unseen[p.unseenFrom:p.unseenTo] {
		g.votes[row] += vote
	}
}

func (g *randomGrower) weigh(counts uint64) (w0, w1 float64) {
	return float64(g.weights[0] * float64(counts&math.MaxUint32)), float64(g.weights[1] * float64(counts>>32))
}

// search draws features until MaxFeatures of them are not constant, and returns
// the best cutoff (purity below zero when there is none) and the new count of constants.
func (g *randomGrower) search(p part, counts uint64, constants int) (cutoff, int) {
	best := cutoff{purity: -1}
	end := len(g.features) // features from here on have been looked at
	for tried := 0; tried < g.MaxFeatures && constants < end; {
		pick := constants + g.chance.below(end-constants)
		feature := g.features[pick]
		occupied := g.fill(int(feature), p)
		if occupied.single() {
			g.features[pick], g.features[constants] = g.features[constants], feature
			g.hist[occupied.first()] = 0
			constants++
			continue
		}
		end--
		g.features[pick], g.features[end] = g.features[end], feature
		tried++
		if c := g.best(occupied, counts); c.purity > best.purity {
			best = c
			best.feature = int(feature)
		}
	}
	return best, constants
}

// bins is a set of bins.
type bins [4]uint64

func (b *bins) single() bool {
	return bits.OnesCount64(b[0])+bits.OnesCount64(b[1])+bits.OnesCount64(b[2])+bits.OnesCount64(b[3]) == 1
}

func (b *bins) first() int {
	for i, word := range b {
		if word != 0 {
			return i*64 + bits.TrailingZeros64(word)
		}
	}
	return missingBin
}

// fill counts the draws of a part in the bins of a feature, and returns which
// bins hold any. g.hist must be zero.
func (g *randomGrower) fill(feature int, p part) bins {
	codes := g.codes[feature]
	var occupied bins
	drawn := g.drawn[p.from:p.to]
	if len(drawn) < 1024 {
		for _, d := range drawn {
			code := codes[d.row]
			g.hist[code] += d.counts()
			occupied[code>>6] |= 1 << (code & 63)
		}
		return occupied
	}
	for _, d := range drawn {
		g.hist[codes[d.row]] += d.counts()
	}
	for code, n := range g.hist {
		if n != 0 {
			occupied[code>>6] |= 1 << (code & 63)
		}
	}
	return occupied
}

// divide parts the rows of a node, keeping their order on both sides.
func (g *randomGrower) divide(p part, c cutoff) (left, right part) {
	codes := g.codes[c.feature]
	var goes [256]bool
	for code := range goes {
		goes[code] = code <= c.bin
	}
	goes[missingBin] = c.missingLeft
	middle, spare := p.from, 0
	for _, d := range g.drawn[p.from:p.to] {
		g.drawn[middle], g.spare[spare] = d, d
		if goes[codes[d.row]] {
			middle++
		} else {
			spare++
		}
	}
	copy(g.drawn[middle:p.to], g.spare[:spare])
	unseen, spare := p.unseenFrom, 0
	for _, row := range g.unseen[p.unseenFrom:p.unseenTo] {
		g.unseen[unseen], g.unspare[spare] = row, row
		if goes[codes[row]] {
			unseen++
		} else {
			spare++
		}
	}
	copy(g.unseen[unseen:p.unseenTo], g.unspare[:spare])
	return part{p.from, middle, p.unseenFrom, unseen}, part{middle, p.to, unseen, p.unseenTo}
}

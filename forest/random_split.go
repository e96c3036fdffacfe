package forest

import (
	"math"
	"math/bits"
)

// cutoff is a candidate split of a node.
type cutoff struct {
	feature     int
	bin         int     // the last bin that goes left
	next        int     // the next bin that holds a row; missingBin when there is none
	missingLeft bool    // where missing values go
	impurity    float64 // the sum of impurity over both sides
	left        uint64  // draws that go left, as draw.counts packs them
	constant    bool    // all draws lie in one bin: there is no cutoff
}

// threshold returns the edge in the middle of the gap between the bins, so that
// a column has no more thresholds than edges. With no bin on the right, all
// values go left, and missing ones right.
func (c *cutoff) threshold(edges []float32) float32 {
	if c.next == missingBin {
		return math.MaxFloat32
	}
	return edges[c.lastLeft()]
}

// lastLeft is the last bin below the threshold. Only rows that the tree was not
// grown from lie between bin and next, and they go as scoring would send them.
func (c *cutoff) lastLeft() int {
	if c.next == missingBin {
		return missingBin - 1
	}
	return (c.bin + c.next - 1) / 2
}

// best returns the best cutoff of the feature in g.hist[k], of a node with the
// given counts, and clears g.hist[k]. The impurity is +Inf when no cutoff leaves
// MinSamplesLeaf draws on both sides.
//
// Between two bins of draws of one and the same class no cutoff can be the only
// best one, because impurity is concave in the counts of a side (Fayyad, Irani,
// "On the Handling of Continuous-Valued Attributes in Decision Tree Generation",
// 1992), so it is not tried, unless MinSamplesLeaf forbids better ones.
func (g *randomGrower) best(k int, counts uint64) cutoff {
	hist, occupied := &g.hist[k], g.occupied[k]
	missing := hist[missingBin]
	hist[missingBin] = 0
	occupied[3] &^= 1 << 63
	best := cutoff{impurity: math.Inf(1)}
	var left, before uint64 // draws up to the last bin, draws of it
	last := -1
	for i, word := range occupied {
		for ; word != 0; word &= word - 1 {
			bin := i*64 + bits.TrailingZeros64(word)
			n := hist[bin]
			if n == 0 {
				continue
			}
			hist[bin] = 0
			if last >= 0 && (mixed(n|before) || g.MinSamplesLeaf > 1) {
				if impurity := g.sides(left, counts); impurity < best.impurity {
					best = cutoff{bin: last, next: bin, left: left, impurity: impurity}
				}
				if missing != 0 {
					if impurity := g.sides(left+missing, counts); impurity < best.impurity {
						best = cutoff{bin: last, next: bin, left: left + missing, missingLeft: true, impurity: impurity}
					}
				}
			}
			left += n
			last, before = bin, n
		}
	}
	best.constant = left == counts && before == counts || missing == counts
	if missing == 0 {
		best.missingLeft = 2*draws(best.left) >= draws(counts)
	} else if impurity := g.sides(left, counts); missing != counts && impurity < best.impurity {
		best = cutoff{bin: last, next: missingBin, left: left, impurity: impurity}
	}
	return best
}

// mixed reports whether packed counts hold both classes.
func mixed(counts uint64) bool { return counts&math.MaxUint32 != 0 && counts>>32 != 0 }

// sides returns the impurity of both sides of a cutoff together, or +Inf when one
// of them has too few draws; see impurity. The conversions to float64 keep
// compilers from fusing the operations, which would round otherwise on some
// machines; those from signed integers are one instruction.
func (g *randomGrower) sides(left, counts uint64) float64 {
	right := counts - left
	if least := uint64(g.MinSamplesLeaf); least > 1 && (draws(left) < least || draws(right) < least) {
		return math.Inf(1)
	}
	l0, l1 := float64(int64(left&math.MaxUint32)), float64(int64(left>>32))
	r0, r1 := float64(int64(right&math.MaxUint32)), float64(int64(right>>32))
	l := float64(g.weights[0]*l0) + float64(g.weights[1]*l1)
	r := float64(g.weights[0]*r0) + float64(g.weights[1]*r1)
	return (float64(float64(l0*l1)*r) + float64(float64(r0*r1)*l)) / float64(l*r)
}

// impurity is the weight of the draws times their Gini impurity, over twice the
// product of the classes' weights, which is the same in all nodes.
func (g *randomGrower) impurity(counts uint64) float64 {
	w0, w1 := g.weigh(counts)
	return float64(float64(int64(counts&math.MaxUint32))*float64(int64(counts>>32))) / (w0 + w1)
}

// draws adds up both classes of packed counts.
func draws(counts uint64) uint64 { return counts&math.MaxUint32 + counts>>32 }

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
	purity      float64 // the sum of purity over both sides
	left        uint64  // draws that go left, as draw.counts packs them
}

// threshold returns the edge in the middle of the gap between the bins, so that
// a column has no more thresholds than edges. With no bin on the right, all
// values go left, and missing ones right.
func (c *cutoff) threshold(edges []float32) float32 {
	if c.next == missingBin {
		return math.MaxFloat32
	}
	return edges[(c.bin+c.next-1)/2]
}

// best returns the best cutoff of the feature in g.hist, of a node with the given
// counts, and clears g.hist. The purity is below zero when no cutoff leaves
// MinSamplesLeaf draws on both sides.
func (g *randomGrower) best(occupied bins, counts uint64) cutoff {
	missing := g.hist[missingBin]
	g.hist[missingBin] = 0
	occupied[3] &^= 1 << 63
	best := cutoff{purity: -1}
	var left uint64
	last := -1 // the last bin that was added to left
	for i, word := range occupied {
		for ; word != 0; word &= word - 1 {
			bin := i*64 + bits.TrailingZeros64(word)
			if last >= 0 {
				if purity := g.sides(left, counts); purity > best.purity {
					best = cutoff{bin: last, next: bin, left: left, purity: purity}
				}
				if missing != 0 {
					if purity := g.sides(left+missing, counts); purity > best.purity {
						best = cutoff{bin: last, next: bin, left: left + missing, missingLeft: true, purity: purity}
					}
				}
			}
			left += g.hist[bin]
			g.hist[bin] = 0
			last = bin
		}
	}
	if missing == 0 {
		best.missingLeft = 2*draws(best.left) >= draws(counts)
	} else if purity := g.sides(left, counts); purity > best.purity {
		best = cutoff{bin: last, next: missingBin, left: left, purity: purity}
	}
	return best
}

// sides returns the purity of both sides of a cutoff together, or -1 when one of
// them has too few draws.
func (g *randomGrower) sides(left, counts uint64) float64 {
	right := counts - left
	if least := uint64(g.MinSamplesLeaf); draws(left) < least || draws(right) < least {
		return -1
	}
	return g.purity(left) + g.purity(right)
}

// purity is the weight of the draws times (1 - Gini impurity). The conversions
// keep compilers from fusing the operations, which would round otherwise on some
// machines.
func (g *randomGrower) purity(counts uint64) float64 {
	w0, w1 := g.weigh(counts)
	return (float64(w0*w0) + float64(w1*w1)) / (w0 + w1)
}

// draws adds up both classes of packed counts.
func draws(counts uint64) uint64 { return counts&math.MaxUint32 + counts>>32 }

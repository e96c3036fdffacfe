package forest

import (
	"math"
	"math/bits"
)

// cuts are the distinct thresholds at which a column is cut. A forest knows a
// value by its rank only: how many of the cuts it exceeds.
type cuts struct {
	count  int
	levels int // steps of the search: the least with 2^levels > count
	// sorted are the cuts in ascending order, filled up to 2^levels with +Inf,
	// which no value exceeds.
	sorted []float32
	// tables are what each step of the search compares with, as assembly reads
	// them: bit j of an entry's index is the outcome of step j. The tables of
	// the steps 0 to 3 are repeated up to tableWidth.
	tables []float32
	// coarse says how many cuts lie below all values that agree in the highest
	// bits of their keys; a search in keys then makes out the rest.
	// keys are those of sorted, and of +Inf as often as a search can look behind it.
	coarse []uint8
	fine   int64 // the first step, a power of two, or 0
	keys   []uint32
}

// tableWidth is how many float32 an AVX-512 register has.
const tableWidth = 16

// newCuts takes over ascending thresholds, 1 to mostCuts, none of them equal.
// Without coarse, what the portable kernel needs is left out.
func newCuts(sorted []float32, coarse bool) cuts {
	c := cuts{count: len(sorted), levels: bits.Len(uint(len(sorted)))}
	for len(sorted) < 1<<c.levels {
		sorted = append(sorted, float32(math.Inf(1)))
	}
	c.sorted = sorted
	for level := range c.levels {
		size := 1 << level
		span := 1 << (c.levels - level)
		for i := range max(size, tableWidth) {
			node := int(bits.Reverse8(uint8(i%size)) >> (8 - level)) // outcomes, the first highest
			c.tables = append(c.tables, sorted[node*span+span/2-1])
		}
	}
	if coarse {
		c.index()
	}
	return c
}

// coarseBits is how many bits of a key the coarse search looks at: sign, exponent
// and four bits of the fraction.
const coarseBits = 13

// leastCoarse is from how many cuts on a coarse search pays.
const leastCoarse = 16

// index prepares the coarse search.
func (c *cuts) index() {
	for _, v := range c.sorted[:c.count] {
		c.keys = append(c.keys, key(v))
	}
	most := c.count
	c.coarse = make([]uint8, 1)
	if c.count >= leastCoarse {
		c.coarse = make([]uint8, 1<<coarseBits)
		below := 0
		most = 0
		for i := range c.coarse {
			from := below
			for below < c.count && c.keys[below]>>(32-coarseBits) == uint32(i) {
				below++
			}
			c.coarse[i] = uint8(from)
			most = max(most, below-from)
		}
	}
	c.fine = 1 << bits.Len(uint(most)) >> 1
	for range 2*c.fine + 1 {
		c.keys = append(c.keys, key(float32(math.Inf(1))))
	}
}

// cutAt is a threshold as plans compare with it: infinities are not clamped there,
// so that nothing may exceed the greatest number.
func cutAt(v float32) float32 {
	if v >= math.MaxFloat32 {
		return float32(math.Inf(1))
	}
	return v + 0 // no negative zero
}

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
}

// tableWidth is how many float32 an AVX-512 register has.
const tableWidth = 16

// newCuts takes over ascending thresholds, 1 to mostCuts, none of them equal.
func newCuts(sorted []float32) cuts {
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
	return c
}

// cutAt is a threshold as plans compare with it: infinities are not clamped there,
// so that nothing may exceed the greatest number.
func cutAt(v float32) float32 {
	if v >= math.MaxFloat32 {
		return float32(math.Inf(1))
	}
	return v + 0 // no negative zero
}

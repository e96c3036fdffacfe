package forest

import "math"

// cutter cuts one column after another in the same memory.
type cutter struct {
	keys, spare []uint32
	values      []float32
	begin       [1<<16 + 1]uint8 // edges before those whose keys have these upper bits
}

// key orders float32 values as unsigned numbers; zero has one key.
func key(v float32) uint32 {
	b := math.Float32bits(v + 0) // no negative zero
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// sorted returns the values that a column's edges come from, ascending,
// infinities clamped, without the missing ones. They are valid until the next call.
func (c *cutter) sorted(col []float32) []float32 {
	c.keys = c.keys[:0]
	rows := min(len(col), edgeRows)
	for k := range rows {
		if v := col[k*len(col)/rows]; v == v {
			c.keys = append(c.keys, key(clamp(v)))
		}
	}
	c.radix()
	c.values = c.values[:0]
	for _, k := range c.keys {
		c.values = append(c.values, math.Float32frombits(k^(^uint32(int32(k)>>31)|1<<31)))
	}
	return c.values
}

// radix sorts the keys by 11, 11 and 10 bits, from the lowest.
func (c *cutter) radix() {
	if len(c.spare) < len(c.keys) {
		c.spare = make([]uint32, len(c.keys))
	}
	from, to := c.keys, c.spare[:len(c.keys)]
	for shift := 0; shift < 32; shift += 11 {
		var at [1 << 11]int
		for _, k := range from {
			at[k>>shift&(1<<11-1)]++
		}
		sum := 0
		for d, n := range at {
			at[d] = sum
			sum += n
		}
		for _, k := range from {
			d := k >> shift & (1<<11 - 1)
			to[at[d]] = k
			at[d]++
		}
		from, to = to, from
	}
	c.keys, c.spare = from, to[:cap(to)]
}

// encode returns the bin of each value.
func (c *cutter) encode(col, edges []float32) []uint8 {
	before := 0
	for bucket := range c.begin {
		for before < len(edges) && int(key(edges[before])>>16) < bucket {
			before++
		}
		c.begin[bucket] = uint8(before)
	}
	out := make([]uint8, len(col))
	for i, v := range col {
		if v != v {
			out[i] = missingBin
			continue
		}
		bucket := key(v) >> 16
		bin, last := c.begin[bucket], c.begin[bucket+1]
		for bin < last {
			if middle := bin + (last-bin)/2; v > edges[middle] {
				bin = middle + 1
			} else {
				last = middle
			}
		}
		out[i] = bin
	}
	return out
}

package forest

import (
	"math"
	"math/bits"
)

// portable is the kernel for every processor, and the reference for the others.
var portable = kernel{
	name: "portable", mostSplits: 1 << 8, topSplits: 127, coarse: true,
	cut: cutPortable, expand: expandPortable, route: routePortable,
	add: addPortable, flush: flushPortable, walk: walkPortable, outside: outsidePortable,
}

func cutPortable(x, _ *[blockRows]float32, c *cuts, rank *planes, missing *mask) bool {
	seen := uint64(0)
	for w := range missing {
		var ranks [8]uint64
		gone := uint64(0)
		for i := range ranks {
			r, none := c.rank8((*[8]float32)(x[w*64+8*i:]))
			ranks[i] = r
			gone |= none << (8 * i)
		}
		missing[w] = gone
		seen |= gone
		for l := range c.levels {
			shift := uint(c.levels-1-l) & 7
			plane := lowest(ranks[0]>>shift) | lowest(ranks[1]>>shift)<<8 |
				lowest(ranks[2]>>shift)<<16 | lowest(ranks[3]>>shift)<<24
			plane |= lowest(ranks[4]>>shift)<<32 | lowest(ranks[5]>>shift)<<40 |
				lowest(ranks[6]>>shift)<<48 | lowest(ranks[7]>>shift)<<56
			rank[l&7][w] = plane
		}
	}
	return seen != 0
}

// lowest returns the lowest bits of the bytes, side by side.
func lowest(bytes uint64) uint64 { return bytes & 0x0101010101010101 * 0x0102040810204080 >> 56 }

// rank8 returns the ranks of eight values as bytes, the first lowest, and bit i
// of none set where value i is missing.
func (c *cuts) rank8(x *[8]float32) (ranks, none uint64) {
	coarse, keys := c.coarse, c.keys
	shift := 32 - uint(bits.Len(uint(len(coarse)-1)))
	for i := 0; i < 8; i += 4 {
		k0, n0 := keyOf(x[i])
		k1, n1 := keyOf(x[i+1])
		k2, n2 := keyOf(x[i+2])
		k3, n3 := keyOf(x[i+3])
		r0, r1 := int64(coarse[k0>>shift]), int64(coarse[k1>>shift])
		r2, r3 := int64(coarse[k2>>shift]), int64(coarse[k3>>shift])
		for step := c.fine; step > 0; step >>= 1 {
			last := keys[step-1:]
			r0 += step & ((int64(last[r0]) - k0) >> 63)
			r1 += step & ((int64(last[r1]) - k1) >> 63)
			r2 += step & ((int64(last[r2]) - k2) >> 63)
			r3 += step & ((int64(last[r3]) - k3) >> 63)
		}
		ranks |= uint64(r0&^n0|r1&^n1<<8|r2&^n2<<16|r3&^n3<<24) << (8 * i)
		none |= uint64(n0&1|n1&2|n2&4|n3&8) << i
	}
	return ranks, none
}

// keyOf returns a value's key, and -1 when it is missing, else 0.
func keyOf(v float32) (k, missing int64) {
	return int64(key(v)), (0x7f800000 - int64(math.Float32bits(v)&^(1<<31))) >> 63
}

// above returns 1 when v > threshold, else 0.
func above(v, threshold float32) uint32 {
	var n uint32
	if v > threshold {
		n = 1
	}
	return n
}

func expandPortable(rank *planes, levels int, exceeds []mask) {
	out, count := exceeds, len(exceeds)
	// out[:known] says, of the lowest bits of the ranks, whether they are above
	// 0, 1, …; with one bit more, the ranks above t are those that are above t
	// without the bit, or have it; and those above t plus the bit have both.
	out[0] = rank[levels-1]
	known := 1
	for l := levels - 2; l >= 0; l-- {
		bit := &rank[l]
		for t := range known {
			low := &out[t]
			if t+known+1 < count {
				high := &out[t+known+1]
				for w, b := range bit {
					high[w] = low[w] & b
				}
			}
			for w, b := range bit {
				low[w] |= b
			}
		}
		out[known] = *bit
		known += known + 1
	}
}

func routePortable(exceeds []mask, at []uint32, turns []uint16, width int, slots *[maxDepth + 1]mask, code *planes) {
	for w := range slots[0] {
		slots[0][w] = ^uint64(0)
	}
	clear(code[:width])
	for i, offset := range at {
		c := &exceeds[offset/maskBytes]
		slot := turns[2*i] / maskBytes
		here, left := &slots[slot], &slots[slot+1]
		// Unrolled by hand: Go does not.
		h0, h1, h2, h3 := here[0], here[1], here[2], here[3]
		r0, r1, r2, r3 := h0&c[0], h1&c[1], h2&c[2], h3&c[3]
		left[0], left[1], left[2], left[3] = h0^r0, h1^r1, h2^r2, h3^r3
		here[0], here[1], here[2], here[3] = r0, r1, r2, r3
		h4, h5, h6, h7 := here[4], here[5], here[6], here[7]
		r4, r5, r6, r7 := h4&c[4], h5&c[5], h6&c[6], h7&c[7]
		left[4], left[5], left[6], left[7] = h4^r4, h5^r5, h6^r6, h7^r7
		here[4], here[5], here[6], here[7] = r4, r5, r6, r7
		for flips := uint(turns[2*i+1] / flipBytes); flips != 0; flips &= flips - 1 {
			plane := &code[bits.TrailingZeros(flips)&7]
			plane[0] ^= r0
			plane[1] ^= r1
			plane[2] ^= r2
			plane[3] ^= r3
			plane[4] ^= r4
			plane[5] ^= r5
			plane[6] ^= r6
			plane[7] ^= r7
		}
	}
}

// spread[b] has bit i of b as byte i.
var spread = func() (t [256]uint64) {
	for b := range t {
		for i := range 8 {
			t[b] |= uint64(b>>i&1) << (8 * i)
		}
	}
	return t
}()

func addPortable(code *planes, width int, values []uint32, sums *[blockRows]uint32) {
	for r := 0; r < blockRows; r += 8 {
		codes := uint64(0)
		for p := range width {
			codes |= spread[uint8(code[p&7][r/64]>>(r%64))] << p
		}
		eight := (*[8]uint32)(sums[r:])
		for i := range eight {
			eight[i] += values[uint8(codes>>(8*i))]
		}
	}
}

func flushPortable(sums *[blockRows]uint32, totals *[blockRows]uint64) {
	for r, s := range sums {
		totals[r] += uint64(s)
	}
	clear(sums[:])
}

func outsidePortable(x *[blockRows]float32, low, high float32, out *mask) bool {
	some := uint64(0)
	for w := range out {
		bits := uint64(0)
		for i, v := range (*[64]float32)(x[w*64:]) {
			bits |= uint64(above(v, high)|above(low, v)) << i
		}
		out[w] = bits
		some |= bits
	}
	return some != 0
}

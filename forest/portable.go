package forest

// portable is the kernel for every processor, and the reference for the others.
var portable = kernel{
	name: "portable", mostSplits: 1 << 11,
	cut: cutPortable, expand: expandPortable, route: routePortable,
	add: addPortable, flush: flushPortable, outside: outsidePortable,
}

func cutPortable(x, _ *[blockRows]float32, c *cuts, rank *planes, missing *mask) bool {
	const ones = 0x0101010101010101
	seen := uint64(0)
	for w := range missing {
		missing[w] = 0
		for l := range c.levels {
			rank[l][w] = 0
		}
		for shift := 0; shift < 64; shift += 8 {
			eight := (*[8]float32)(x[w*64+shift:])
			ranks, none := c.rank8(eight)
			missing[w] |= none << shift
			for l := range c.levels {
				// The lowest bit of each byte, put side by side.
				bit := ranks >> ((c.levels - 1 - l) & 7) & ones * 0x0102040810204080 >> 56
				rank[l][w] |= bit << shift
			}
		}
		seen |= missing[w]
	}
	return seen != 0
}

// rank8 returns the ranks of eight values as bytes, the first lowest, and bit i
// of none set where value i is missing.
func (c *cuts) rank8(x *[8]float32) (ranks, none uint64) {
	a := c.sorted
	for i := 0; i < 8; i += 4 {
		v0, v1, v2, v3 := x[i], x[i+1], x[i+2], x[i+3]
		var r0, r1, r2, r3 uint32
		for step := uint32(1) << c.levels >> 1; step > 0; step >>= 1 {
			r0 += step & -above(v0, a[(r0+step-1)])
			r1 += step & -above(v1, a[(r1+step-1)])
			r2 += step & -above(v2, a[(r2+step-1)])
			r3 += step & -above(v3, a[(r3+step-1)])
		}
		ranks |= uint64(r0|r1<<8|r2<<16|r3<<24) << (8 * i)
		none |= uint64(isNaN(v0)|isNaN(v1)<<1|isNaN(v2)<<2|isNaN(v3)<<3) << i
	}
	return ranks, none
}

// above returns 1 when v > threshold, else 0.
func above(v, threshold float32) uint32 {
	var n uint32
	if v > threshold {
		n = 1
	}
	return n
}

// isNaN returns 1 when v is missing, else 0.
func isNaN(v float32) uint32 {
	var n uint32
	if v != v {
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
		for w, rows := range here {
			right := rows & c[w]
			left[w] = rows ^ right
			here[w] = right
		}
		flips := turns[2*i+1] / flipBytes
		for p := 0; flips != 0; p, flips = p+1, flips>>1 {
			if flips&1 == 0 {
				continue
			}
			plane := &code[p&7]
			for w, right := range here {
				plane[w] ^= right
			}
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

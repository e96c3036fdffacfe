package forest

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd internal/asm && go run . -out ../../kernels_amd64.s -stubs ../../kernels_amd64.go -pkg forest"

// kernels are those that this machine can run, the fastest first.
var kernels = func() (all []*kernel) {
	if !cpu.X86.HasBMI1 || !cpu.X86.HasBMI2 {
		return append(all, &portable)
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ {
		all = append(all, &avx512)
	}
	if cpu.X86.HasAVX2 {
		all = append(all, &avx2)
	}
	return append(all, &portable)
}()

// flips[b] has, for each bit of b, all bits set or none: what assembly combines
// with a mask of rows, 32 bits at a time.
var flips = func() (t [256][8]uint32) {
	for b := range t {
		for i := range t[b] {
			t[b][i] = -uint32(b >> i & 1)
		}
	}
	return t
}()

var avx512 = kernel{
	name: "AVX-512", mostSplits: 1 << 9, topSplits: 255,
	cut: func(x, next *[blockRows]float32, c *cuts, rank *planes, missing *mask) bool {
		return cutAVX512(&x[0], &next[0], &c.tables[0], c.levels, &rank[0][0], &missing[0])
	},
	expand: func(rank *planes, levels int, exceeds []mask) {
		expandAVX512(&rank[0][0], levels, &exceeds[0][0], len(exceeds))
	},
	route: func(exceeds []mask, at []uint32, turns []uint16, width int, slots *[maxDepth + 1]mask, code *planes) {
		routeAVX512(&exceeds[0][0], &at[0], &turns[0], len(at), width, &flips[0][0], &slots[0][0], &code[0][0])
	},
	add: func(code *planes, width int, values []uint32, sums *[blockRows]uint32) {
		addAVX512(&code[0][0], width, &values[0], &sums[0])
	},
	flush: func(sums *[blockRows]uint32, totals *[blockRows]uint64) { flushAVX512(&sums[0], &totals[0]) },
	walk:  walkPairs,
	outside: func(x *[blockRows]float32, low, high float32, out *mask) bool {
		return outsideAVX512(&x[0], low, high, &out[0])
	},
}

var avx2 = kernel{
	name: "AVX2", mostSplits: 1 << 9, topSplits: 255,
	cut: func(x, next *[blockRows]float32, c *cuts, rank *planes, missing *mask) bool {
		return cutAVX2(&x[0], &next[0], &c.tables[0], c.levels, &rank[0][0], &missing[0])
	},
	expand: func(rank *planes, levels int, exceeds []mask) {
		expandAVX2(&rank[0][0], levels, &exceeds[0][0], len(exceeds))
	},
	route: func(exceeds []mask, at []uint32, turns []uint16, width int, slots *[maxDepth + 1]mask, code *planes) {
		routeAVX2(&exceeds[0][0], &at[0], &turns[0], len(at), width, &flips[0][0], &slots[0][0], &code[0][0])
	},
	add: func(code *planes, width int, values []uint32, sums *[blockRows]uint32) {
		addAVX2(&code[0][0], width, &values[0], &sums[0])
	},
	flush: func(sums *[blockRows]uint32, totals *[blockRows]uint64) { flushAVX2(&sums[0], &totals[0]) },
	walk:  walkPairs,
	outside: func(x *[blockRows]float32, low, high float32, out *mask) bool {
		return outsideAVX2(&x[0], low, high, &out[0])
	},
}

func walkPairs(pairs *[mostPairs][2]uint32, ranks []uint8, stride int, words []uint32, steps int) {
	walkBMI(&pairs[0][0], &ranks[0], stride, &words[0], len(words)/walkedTogether, steps)
}

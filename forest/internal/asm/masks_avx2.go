package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// halves are the offsets of the parts of a mask that AVX2 registers hold.
var halves = []int{0, 32}

func expandAVX2() {
	function("expandAVX2", expandSignature, "expandAVX2 is kernel.expand.")
	for _, half := range halves {
		expand(vectors{YMM, VMOVDQU, VPOR, VPAND}, half)
	}
	VZEROUPPER()
	RET()
}

// routeAVX2 does one half of the rows after the other.
func routeAVX2() {
	function("routeAVX2", routeSignature, "routeAVX2 is kernel.route.")
	r := routeParameters()
	half := GP64()
	MOVQ(U32(len(halves)), half)
	Label("half")
	ones := YMM()
	VPCMPEQD(ones, ones, ones)
	VMOVDQU(ones, at(r.slots, 0))
	choose(r.width, maxWidth, "width")
	for width := 1; width <= maxWidth; width++ {
		Label(name("width", width))
		plane := make([]reg.VecVirtual, width)
		for p := range plane {
			plane[p] = YMM()
			VPXOR(plane[p], plane[p], plane[p])
		}
		r.each(name("split", width), func(offset, slot, flip reg.Register) {
			exceeds, here, left, right := YMM(), YMM(), YMM(), YMM()
			VMOVDQU(plus(r.exceeds, offset, 1, 0), exceeds)
			VMOVDQU(plus(r.slots, slot, 1, 0), here)
			VPANDN(here, exceeds, left)
			VPAND(here, exceeds, right)
			VMOVDQU(left, plus(r.slots, slot, 1, maskBytes))
			VMOVDQU(right, plus(r.slots, slot, 1, 0))
			for p := range plane {
				change := YMM()
				VPBROADCASTD(plus(r.flips, flip, 1, 4*p), change)
				VPAND(right, change, change)
				VPXOR(change, plane[p], plane[p])
			}
		})
		for p := range plane {
			VMOVDQU(plane[p], at(r.code, p*maskBytes))
		}
		if width < maxWidth {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	for _, p := range []reg.Register{r.exceeds, r.slots, r.code} {
		ADDQ(Imm(32), p)
	}
	DECQ(half)
	JNZ(LabelRef("half"))
	VZEROUPPER()
	RET()
}

func flushAVX2() {
	function("flushAVX2", flushSignature, "flushAVX2 is kernel.flush.")
	sums, totals, row := pointer("sums"), pointer("totals"), GP64()
	zero := XMM()
	VPXOR(zero, zero, zero)
	XORQ(row, row)
	Label("again")
	sum := YMM()
	VPMOVZXDQ(plus(sums, row, 4, 0), sum)
	VPADDQ(plus(totals, row, 8, 0), sum, sum)
	VMOVDQU(sum, plus(totals, row, 8, 0))
	VMOVDQU(zero, plus(sums, row, 4, 0))
	ADDQ(Imm(4), row)
	CMPQ(row, U32(rows))
	JNE(LabelRef("again"))
	VZEROUPPER()
	RET()
}

func outsideAVX2() {
	function("outsideAVX2", outsideSignature, "outsideAVX2 is kernel.outside.")
	x, out := pointer("x"), pointer("out")
	low, high := YMM(), YMM()
	lowest, highest := Load(Param("low"), XMM()), Load(Param("high"), XMM())
	VBROADCASTSS(lowest, low)
	VBROADCASTSS(highest, high)
	some, from, to := YMM(), GP64(), GP64()
	VPXOR(some, some, some)
	XORQ(from, from)
	XORQ(to, to)
	Label("again")
	value, over, under, bits := YMM(), YMM(), YMM(), GP32()
	VMOVUPS(plus(x, from, 1, 0), value)
	VCMPPS(greater, high, value, over)
	VCMPPS(less, low, value, under)
	VPOR(over, under, over)
	VPOR(over, some, some)
	VMOVMSKPS(over, bits)
	MOVB(bits.As8(), plus(out, to, 1, 0))
	INCQ(to)
	ADDQ(Imm(32), from)
	CMPQ(from, U32(4*rows))
	JNE(LabelRef("again"))
	returnAny(some)
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	expandSignature  = "func(rank *uint64, levels int, exceeds *uint64, count int)"
	routeSignature   = "func(exceeds *uint64, at *uint32, turns *uint16, count int, width int, flips *uint32, slots, code *uint64)"
	flushSignature   = "func(sums *uint32, totals *uint64)"
	outsideSignature = "func(x *float32, low, high float32, out *uint64) bool"
)

func expandAVX512() {
	function("expandAVX512", expandSignature, "expandAVX512 is kernel.expand.")
	expand(vectors{
		ZMM,
		func(from, to Op) { VMOVDQU64(from, to) },
		func(a, b, to Op) { VPORQ(a, b, to) },
		func(a, b, to Op) { VPANDQ(a, b, to) },
	}, 0)
	VZEROUPPER()
	RET()
}

// vectors are the instructions of one width.
type vectors struct {
	new     func() reg.VecVirtual
	move    func(from, to Op)
	or, and func(a, b, to Op)
}

// expand widens the masks in place, from those of the lowest bits of the ranks to
// those of all. It works on the part of each mask at an offset.
func expand(v vectors, part int) {
	vector, move, or, and := v.new, v.move, v.or, v.and
	suffix := name("", part/32)
	rank, levels := pointer("rank"), pointer("levels")
	out, count := pointer("exceeds"), pointer("count")
	known, bit := GP64(), vector()
	SHLQ(Imm(6), levels) // of maskBytes
	move(plus(rank, levels, 1, part-maskBytes), bit)
	move(bit, at(out, part))
	MOVQ(U32(1), known)
	Label("level" + suffix)
	SUBQ(Imm(maskBytes), levels)
	CMPQ(levels, Imm(maskBytes))
	JL(LabelRef("done" + suffix))
	move(plus(rank, levels, 1, part-maskBytes), bit)
	both, above, low, high := GP64(), GP64(), GP64(), GP64()
	LEAQ(at(known, 1), above)
	MOVQ(count, both)
	SUBQ(above, both)
	CMPQ(known, both)
	CMOVQLT(known, both) // min(known, count-known-1)
	SHLQ(Imm(6), above)
	ADDQ(out, above)
	LEAQ(at(out, part), low)
	LEAQ(at(above, part), high)
	rest := GP64()
	MOVQ(known, rest)
	SUBQ(both, rest)
	TESTQ(both, both)
	JZ(LabelRef("only" + suffix))
	Label("both" + suffix)
	old, either, two := vector(), vector(), vector()
	move(at(low, 0), old)
	or(old, bit, either)
	and(old, bit, two)
	move(either, at(low, 0))
	move(two, at(high, 0))
	ADDQ(Imm(maskBytes), low)
	ADDQ(Imm(maskBytes), high)
	DECQ(both)
	JNZ(LabelRef("both" + suffix))
	Label("only" + suffix)
	TESTQ(rest, rest)
	JZ(LabelRef("next" + suffix))
	Label("one" + suffix)
	alone := vector()
	or(at(low, 0), bit, alone)
	move(alone, at(low, 0))
	ADDQ(Imm(maskBytes), low)
	DECQ(rest)
	JNZ(LabelRef("one" + suffix))
	Label("next" + suffix)
	move(bit, at(above, part-maskBytes))
	LEAQ(plus(known, known, 1, 1), known)
	JMP(LabelRef("level" + suffix))
	Label("done" + suffix)
}

// routeAVX512 has the planes of the codes in registers.
func routeAVX512() {
	function("routeAVX512", routeSignature, "routeAVX512 is kernel.route.")
	r := routeParameters()
	ones := ZMM()
	VPTERNLOGD(Imm(0xff), ones, ones, ones)
	VMOVDQU64(ones, at(r.slots, 0))
	choose(r.width, maxWidth, "width")
	for width := 1; width <= maxWidth; width++ {
		Label(name("width", width))
		plane := make([]reg.VecVirtual, width)
		for p := range plane {
			plane[p] = ZMM()
			VPXORQ(plane[p], plane[p], plane[p])
		}
		r.each(name("split", width), func(offset, slot, flip reg.Register) {
			exceeds, here, left, right := ZMM(), ZMM(), ZMM(), ZMM()
			VMOVDQU64(plus(r.exceeds, offset, 1, 0), exceeds)
			VMOVDQU64(plus(r.slots, slot, 1, 0), here)
			VPANDNQ(here, exceeds, left)
			VPANDQ(here, exceeds, right)
			VMOVDQU64(left, plus(r.slots, slot, 1, maskBytes))
			VMOVDQU64(right, plus(r.slots, slot, 1, 0))
			for p := range plane {
				VPTERNLOGD_BCST(Imm(0x78), plus(r.flips, flip, 1, 4*p), right, plane[p]) // plane ^= right & flip
			}
		})
		for p := range plane {
			VMOVDQU64(plane[p], at(r.code, p*maskBytes))
		}
		if width < maxWidth {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// route holds the parameters of a route function.
type route struct{ exceeds, at, turns, count, width, flips, slots, code reg.GPVirtual }

func routeParameters() route {
	return route{
		pointer("exceeds"), pointer("at"), pointer("turns"), pointer("count"),
		pointer("width"), pointer("flips"), pointer("slots"), pointer("code"),
	}
}

// each runs a body for each of the count splits, of which there is at least one.
func (r *route) each(label string, body func(offset, slot, flip reg.Register)) {
	i := GP64()
	XORQ(i, i)
	Label(label)
	offset, slot, flip := GP64(), GP64(), GP64()
	MOVL(plus(r.at, i, 4, 0), offset.As32())
	MOVWLZX(plus(r.turns, i, 4, 0), slot.As32())
	MOVWLZX(plus(r.turns, i, 4, 2), flip.As32())
	body(offset, slot, flip)
	INCQ(i)
	CMPQ(i, r.count)
	JNE(LabelRef(label))
}

func flushAVX512() {
	function("flushAVX512", flushSignature, "flushAVX512 is kernel.flush.")
	sums, totals, row := pointer("sums"), pointer("totals"), GP64()
	zero := YMM()
	VPXOR(zero, zero, zero)
	XORQ(row, row)
	Label("again")
	sum := ZMM()
	VPMOVZXDQ(plus(sums, row, 4, 0), sum)
	VPADDQ(plus(totals, row, 8, 0), sum, sum)
	VMOVDQU64(sum, plus(totals, row, 8, 0))
	VMOVDQU(zero, plus(sums, row, 4, 0))
	ADDQ(Imm(8), row)
	CMPQ(row, U32(rows))
	JNE(LabelRef("again"))
	VZEROUPPER()
	RET()
}

func outsideAVX512() {
	function("outsideAVX512", outsideSignature, "outsideAVX512 is kernel.outside.")
	x, out := pointer("x"), pointer("out")
	low, high := ZMM(), ZMM()
	lowest, highest := Load(Param("low"), XMM()), Load(Param("high"), XMM())
	VBROADCASTSS(lowest, low)
	VBROADCASTSS(highest, high)
	some, from, to := K(), GP64(), GP64()
	KXORW(some, some, some)
	XORQ(from, from)
	XORQ(to, to)
	Label("again")
	value, over, under := ZMM(), K(), K()
	VMOVUPS(plus(x, from, 1, 0), value)
	VCMPPS(greater, high, value, over)
	VCMPPS(less, low, value, under)
	KORW(over, under, over)
	KORW(over, some, some)
	KMOVW(over, plus(out, to, 1, 0))
	ADDQ(Imm(2), to)
	ADDQ(Imm(64), from)
	CMPQ(from, U32(4*rows))
	JNE(LabelRef("again"))
	seen, result := GP32(), GP8()
	KMOVW(some, seen)
	TESTL(seen, seen)
	SETNE(result)
	Store(result, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

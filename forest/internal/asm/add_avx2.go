package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// addAVX2 makes bytes of 32 codes, and looks up 8 at a time, in registers or in
// memory.
func addAVX2() {
	// spread repeats byte i of four in eight lanes, and single keeps bit i there.
	spread := constants("spreadBytes", 1, func(_, lane int) uint32 { return uint32(lane/2) * 0x01010101 })
	single := constants("singleBits", 1, func(_, lane int) uint32 {
		if lane%2 == 0 {
			return 0x08040201
		}
		return 0x80402010
	})
	bits := constants("codeBits", maxWidth, func(p, _ int) uint32 { return 0x01010101 << p })
	function("addAVX2", addSignature, "addAVX2 is kernel.add.")
	code, width, values, sums := pointer("code"), pointer("width"), pointer("values"), pointer("sums")
	bytes, lone := YMM(), YMM()
	VMOVDQU(spread.Offset(0), bytes)
	VMOVDQU(single.Offset(0), lone)
	from, end := GP64(), GP64()
	MOVQ(code, from)
	LEAQ(at(code, maskBytes), end)
	choose(width, maxWidth, "width")
	for w := 1; w <= maxWidth; w++ {
		Label(name("width", w))
		var table []reg.VecVirtual
		for i := range (1<<w + 7) / 8 {
			if w <= 5 {
				table = append(table, YMM())
				VMOVDQU(at(values, 32*i), table[i])
			}
		}
		Label(name("again", w))
		codes := YMM()
		for p := range w {
			set := YMM()
			VPBROADCASTD(at(from, p*maskBytes), set)
			VPSHUFB(bytes, set, set)
			VPAND(lone, set, set)
			VPCMPEQB(lone, set, set)
			VPAND(bits.Offset(32*p), set, set)
			if p == 0 {
				codes = set
			} else {
				VPOR(set, codes, codes)
			}
		}
		high := YMM()
		VEXTRACTI128(Imm(1), codes, high.AsX())
		for quarter := range 4 {
			if quarter == 2 {
				codes = high
			} else if quarter > 0 {
				VPSRLDQ(Imm(8), codes.AsX(), codes.AsX())
			}
			value := lookup(codes, values, table)
			VPADDD(at(sums, 32*quarter), value, value)
			VMOVDQU(value, at(sums, 32*quarter))
		}
		SUBQ(I8(-128), sums)
		ADDQ(Imm(4), from)
		CMPQ(from, end)
		JNE(LabelRef(name("again", w)))
		if w < maxWidth {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// lookup returns the values of the lowest eight codes.
func lookup(codes reg.VecVirtual, values reg.Register, table []reg.VecVirtual) reg.VecVirtual {
	index := YMM()
	VPMOVZXBD(codes.AsX(), index)
	if len(table) == 0 {
		value, all := YMM(), YMM()
		VPCMPEQD(all, all, all)
		VPGATHERDD(all, Mem{Base: values, Index: index, Scale: 4}, value)
		return value
	}
	found := make([]reg.VecVirtual, len(table))
	for i := range table {
		found[i] = YMM()
		VPERMD(table[i], index, found[i])
	}
	for bit := 3; len(found) > 1; bit++ { // by the sign
		by := YMM()
		VPSLLD(Imm(uint64(31-bit)), index, by)
		for i := range len(found) / 2 {
			VBLENDVPS(by, found[2*i+1], found[2*i], found[2*i])
			found[i] = found[2*i]
		}
		found = found[:len(found)/2]
	}
	return found[0]
}

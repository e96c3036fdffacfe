package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const addSignature = "func(code *uint64, width int, values, sums *uint32)"

// addAVX512 makes bytes of 64 codes, and looks up 16 at a time, in one register, in
// two, or in memory.
func addAVX512() {
	function("addAVX512", addSignature, "addAVX512 is kernel.add.")
	code, width, values, sums := pointer("code"), pointer("width"), pointer("values"), pointer("sums")
	bit := make([]reg.VecVirtual, maxWidth)
	one := GP32()
	for p := range bit {
		bit[p] = ZMM()
		MOVL(U32(1<<p), one)
		VPBROADCASTB(one, bit[p])
	}
	first, second := ZMM(), ZMM()
	VMOVDQU32(at(values, 0), first)
	VMOVDQU32(at(values, 64), second)
	from, end := GP64(), GP64()
	MOVQ(code, from)
	LEAQ(at(code, maskBytes), end)
	choose(width, maxWidth, "width")
	for w := 1; w <= maxWidth; w++ {
		Label(name("width", w))
		codes := ZMM()
		for p := range w {
			set := K()
			KMOVQ(at(from, p*maskBytes), set)
			if p == 0 {
				VMOVDQU8_Z(bit[0], set, codes)
			} else {
				VPADDB(bit[p], codes, set, codes)
			}
		}
		for quarter := range 4 {
			index := ZMM()
			part := codes.AsX()
			if quarter > 0 {
				part = XMM()
				VEXTRACTI32X4(Imm(uint64(quarter)), codes, part)
			}
			VPMOVZXBD(part, index)
			value := index
			switch {
			case w <= 4:
				VPERMD(first, index, value)
			case w == 5:
				VPERMI2D(second, first, index)
			default:
				value = ZMM()
				all := K()
				KXNORW(all, all, all)
				VPGATHERDD(Mem{Base: values, Index: index, Scale: 4}, all, value)
			}
			VPADDD(at(sums, 64*quarter), value, value)
			VMOVDQU32(value, at(sums, 64*quarter))
		}
		ADDQ(U32(256), sums)
		ADDQ(Imm(8), from)
		CMPQ(from, end)
		JNE(LabelRef(name("width", w)))
		if w < maxWidth {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const walkSignature = "func(pairs *uint32, ranks *uint8, stride int, words *uint32, groups, steps int)"

// walkBMI takes eight rows at a time, whose words are in registers. Both children
// are loaded before it is known which one is wanted: the rank decides by the carry of
// a byte's sum, which is where the second byte of a register can be named.
func walkBMI() {
	function("walkBMI", walkSignature, "walkBMI is kernel.walk.")
	word := []reg.Register{reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14, reg.R15}
	pairs, ranks, column, shift, pair := reg.RDX, reg.RSI, reg.RBX, reg.RBP, reg.RDI
	words, groups, left := AllocLocal(8), AllocLocal(8), AllocLocal(8)
	Load(Param("pairs"), pairs)
	Load(Param("ranks"), ranks)
	Load(Param("words"), reg.RAX)
	MOVQ(reg.RAX, words)
	Load(Param("groups"), reg.RAX)
	MOVQ(reg.RAX, groups)
	MOVL(U32(16), shift.As32())
	Load(Param("stride"), reg.RAX)
	for bits := 6; bits < 8; bits++ {
		CMPQ(reg.RAX, U32(1<<bits))
		JE(LabelRef(name("stride", bits)))
	}
	for bits := 8; bits >= 6; bits-- {
		stride := 1 << bits
		Label(name("stride", bits))
		MOVL(U32(uint32(bits)<<8), column.As32())
		Label(name("group", bits))
		MOVQ(words, reg.RDI)
		for i, w := range word {
			MOVL(at(reg.RDI, 4*i), w.(reg.GP).As32())
		}
		Load(Param("steps"), reg.RAX)
		MOVQ(reg.RAX, left)
		Label(name("step", bits))
		for i, w := range word {
			w := w.(reg.GP).As32()
			BEXTRL(column.As32(), w, reg.ECX)
			MOVL(w, reg.EAX)
			SHRXL(shift.As32(), w, pair.As32())
			MOVL(plus(pairs, pair, 8, 0), w)
			ADDB(plus(ranks, reg.RCX, 1, i*stride), reg.AH)
			CMOVLCS(plus(pairs, pair, 8, 4), w)
		}
		DECQ(left)
		JNZ(LabelRef(name("step", bits)))
		MOVQ(words, reg.RDI)
		for i, w := range word {
			MOVL(w.(reg.GP).As32(), at(reg.RDI, 4*i))
		}
		ADDQ(Imm(4*8), words)
		ADDQ(U32(uint32(8*stride)), ranks)
		DECQ(groups)
		JNZ(LabelRef(name("group", bits)))
		if bits > 6 {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	RET()
}

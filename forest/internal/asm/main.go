// Command asm writes forest's assembly for amd64: kernels_amd64.s and its stubs.
// It is a module of its own, so that avo is no dependency of mayfly.
//
//	go generate ./forest
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Layout of forest's blocks, in bytes. See forest/kernel.go and forest/cuts.go.
const (
	rows      = 512
	maskBytes = rows / 8
	maxLevels = 8
	maxWidth  = 8
)

// tableAt is the offset of the table of a step of the search.
func tableAt(level int) int {
	at := 0
	for l := range level {
		at += 4 * max(16, 1<<l)
	}
	return at
}

func main() {
	cutAVX512()
	expandAVX512()
	routeAVX512()
	addAVX512()
	flushAVX512()
	outsideAVX512()
	cutAVX2()
	expandAVX2()
	routeAVX2()
	addAVX2()
	flushAVX2()
	outsideAVX2()
	walkBMI()
	Generate()
}

// function begins one that keeps no pointer.
func function(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc)
}

// pointer loads a parameter.
func pointer(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// at is the memory at an offset from a register.
func at(base reg.Register, offset int) Mem { return Mem{Base: base, Disp: offset} }

// plus is the memory at an offset from a register and an index.
func plus(base reg.Register, index reg.Register, scale uint8, offset int) Mem {
	return Mem{Base: base, Index: index, Scale: scale, Disp: offset}
}

// choose jumps to the case that the register says, from 1 to cases.
func choose(by reg.Register, cases int, label string) {
	for c := 1; c < cases; c++ {
		CMPQ(by, Imm(uint64(c)))
		JE(LabelRef(name(label, c)))
	}
	JMP(LabelRef(name(label, cases)))
}

func name(label string, number int) string { return label + string(rune('0'+number)) }

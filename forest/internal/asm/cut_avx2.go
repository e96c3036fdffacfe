package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// cutAVX2 searches 8 values at a time. The first tables are in registers, the next ones
// are looked up a register at a time, and the last ones gathered from memory.
func cutAVX2() {
	bits := constants("searchBits", maxLevels-1, func(l, _ int) uint32 { return 1 << l })
	function("cutAVX2", cutSignature, "cutAVX2 is kernel.cut.")
	x, next, tables := pointer("x"), pointer("next"), pointer("tables")
	levels, rank, missing := pointer("levels"), pointer("rank"), pointer("missing")
	some := YMM()
	VPXOR(some, some, some)
	from, to := GP64(), GP64()
	XORQ(from, from)
	XORQ(to, to)
	choose(levels, maxLevels, "levels")
	for l := 1; l <= maxLevels; l++ {
		Label(name("levels", l))
		s := search8{tables: tables}
		s.load(l)
		Label(name("again", l))
		value, gone, outcome := YMM(), YMM(), GP32()
		VMOVUPS(plus(x, from, 1, 0), value)
		PREFETCHT0(plus(next, from, 1, 0))
		VCMPPS(unordered, value, value, gone)
		VPOR(gone, some, some)
		VMOVMSKPS(gone, outcome)
		MOVB(outcome.As8(), plus(missing, to, 1, 0))
		index := YMM()
		for level := range l {
			mask := YMM()
			VCMPPS(greater, s.probe(level, index), value, mask)
			VMOVMSKPS(mask, outcome)
			MOVB(outcome.As8(), plus(rank, to, 1, level*maskBytes))
			switch {
			case level == l-1:
			case level == 0:
				VPAND(bits.Offset(0), mask, index)
			default:
				part := YMM()
				VPAND(bits.Offset(32*level), mask, part)
				VPOR(part, index, index)
			}
			s.outcomes[level] = mask
		}
		INCQ(to)
		ADDQ(Imm(32), from)
		CMPQ(from, U32(4*rows))
		JNE(LabelRef(name("again", l)))
		if l < maxLevels {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	returnAny(some)
}

// returnAny returns whether a bit is set in a register.
func returnAny(some reg.VecVirtual) {
	result := GP8()
	VPTEST(some, some)
	SETNE(result)
	Store(result, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// constants are vectors of eight numbers each, in memory.
func constants(name string, count int, value func(vector, lane int) uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for v := range count {
		for lane := range 8 {
			DATA(32*v+4*lane, U32(value(v, lane)))
		}
	}
	return m
}

// search8 is the tables of a search, those of the first four steps in registers.
type search8 struct {
	tables   reg.Register
	table    [4]reg.VecVirtual
	outcomes [maxLevels]reg.VecVirtual
}

func (s *search8) load(levels int) {
	for level := range min(levels, len(s.table)) {
		s.table[level] = YMM()
		VMOVUPS(at(s.tables, tableAt(level)), s.table[level])
	}
}

// gathered is the first step whose table is gathered from.
const gathered = 6

// probe returns the entries of a level's table at the indices.
func (s *search8) probe(level int, index reg.VecVirtual) reg.VecVirtual {
	if level == 0 {
		return s.table[0]
	}
	if level >= gathered {
		found, all := YMM(), YMM()
		VPCMPEQD(all, all, all)
		VGATHERDPS(all, Mem{Base: s.tables, Disp: tableAt(level), Index: index, Scale: 4}, found)
		return found
	}
	found := make([]reg.VecVirtual, max(1, 1<<level/8))
	for i := range found {
		found[i] = YMM()
		if level < len(s.table) {
			VPERMPS(s.table[level], index, found[i])
		} else {
			VPERMPS(at(s.tables, tableAt(level)+32*i), index, found[i])
		}
	}
	for by := 3; len(found) > 1; by++ {
		for i := range len(found) / 2 {
			VBLENDVPS(s.outcomes[by], found[2*i+1], found[2*i], found[2*i])
			found[i] = found[2*i]
		}
		found = found[:len(found)/2]
	}
	return found[0]
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const cutSignature = "func(x, next, tables *float32, levels int, rank, missing *uint64) bool"

// Predicates of VCMPPS.
var (
	unordered = Imm(3)
	less      = Imm(17)
	greater   = Imm(30)
)

// cutAVX512 searches 16 values at a time. The tables are in registers, but for the
// last one, of which half is. A mask of outcomes is a bit of the ranks, and extends
// the indices into the next table.
func cutAVX512() {
	function("cutAVX512", cutSignature, "cutAVX512 is kernel.cut.")
	x, next, tables := pointer("x"), pointer("next"), pointer("tables")
	levels, rank, missing := pointer("levels"), pointer("rank"), pointer("missing")
	bit := make([]reg.VecVirtual, maxLevels-1)
	one := GP32()
	for l := range bit {
		bit[l] = ZMM()
		MOVL(U32(1<<l), one)
		VPBROADCASTD(one, bit[l])
	}
	some := K()
	KXORW(some, some, some)
	from, to := GP64(), GP64()
	XORQ(from, from)
	XORQ(to, to)
	choose(levels, maxLevels, "levels")
	for l := 1; l <= maxLevels; l++ {
		Label(name("levels", l))
		s := search16{tables: tables, bit: bit}
		s.load(l)
		Label(name("again", l))
		value := ZMM()
		VMOVUPS(plus(x, from, 1, 0), value)
		PREFETCHT0(plus(next, from, 1, 0))
		gone := K()
		VCMPPS(unordered, value, value, gone)
		KMOVW(gone, plus(missing, to, 1, 0))
		KORW(gone, some, some)
		index := ZMM()
		for level := range l {
			outcome := K()
			VCMPPS(greater, s.probe(level, index), value, outcome)
			KMOVW(outcome, plus(rank, to, 1, level*maskBytes))
			if level == l-1 {
				continue
			}
			if level == 0 {
				VMOVDQA32_Z(bit[0], outcome, index)
			} else {
				VPORD(bit[level], index, outcome, index)
			}
			s.outcomes[level] = outcome
		}
		ADDQ(Imm(2), to)
		ADDQ(Imm(64), from)
		CMPQ(from, U32(4*rows))
		JNE(LabelRef(name("again", l)))
		if l < maxLevels {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	seen, result := GP32(), GP8()
	KMOVW(some, seen)
	TESTL(seen, seen)
	SETNE(result)
	Store(result, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// search16 is the tables of a search, in registers of 16 entries.
type search16 struct {
	tables   reg.Register
	bit      []reg.VecVirtual
	table    [maxLevels][]reg.VecVirtual
	outcomes [maxLevels]reg.OpmaskVirtual
}

// load loads the tables of a number of levels; of the last possible one, the even
// registers.
func (s *search16) load(levels int) {
	for level := range levels {
		for part := range max(1, 1<<level/16) {
			r := reg.VecVirtual(nil)
			if level < maxLevels-1 || part%2 == 0 {
				r = ZMM()
				VMOVUPS(at(s.tables, tableAt(level)+64*part), r)
			}
			s.table[level] = append(s.table[level], r)
		}
	}
}

// probe returns the entries of a level's table at the indices. Two registers are
// looked up at once; what is in further ones is chosen by the outcomes of the steps
// before.
func (s *search16) probe(level int, index reg.VecVirtual) reg.VecVirtual {
	table := s.table[level]
	if level == 0 {
		return table[0]
	}
	found := make([]reg.VecVirtual, max(1, len(table)/2))
	for i := range found {
		found[i] = ZMM()
		switch {
		case len(table) == 1:
			VPERMPS(table[0], index, found[0])
		case table[2*i+1] == nil:
			VMOVDQA32(index, found[i])
			VPERMI2PS(at(s.tables, tableAt(level)+64*(2*i+1)), table[2*i], found[i])
		default:
			VMOVDQA32(index, found[i])
			VPERMI2PS(table[2*i+1], table[2*i], found[i])
		}
	}
	for by := 5; len(found) > 1; by++ {
		for i := range len(found) / 2 {
			VBLENDMPS(found[2*i+1], found[2*i], s.outcomes[by], found[2*i])
			found[i] = found[2*i]
		}
		found = found[:len(found)/2]
	}
	return found[0]
}

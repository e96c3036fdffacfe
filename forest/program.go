package forest

import (
	"math/bits"
	"slices"
)

// folded is a tree without the splits that make no difference: those whose two
// sides answer the same. In an isolation forest that is a quarter of them, for the
// two rows of a last split have equally long paths.
type folded struct {
	leaf    []bool   // per node: answers always the same, answers[i]
	answers []uint32 // per node: the answer of the leftmost leaf below
	splits  int      // that are left
}

func (f *folded) fold(t tree, unit fixed) {
	f.leaf = append(f.leaf[:0], make([]bool, len(t))...)
	f.answers = append(f.answers[:0], make([]uint32, len(t))...)
	f.splits = 0
	for i := len(t) - 1; i >= 0; i-- {
		n := &t[i]
		if n.leaf() {
			f.leaf[i], f.answers[i] = true, unit.of(n.value)
			continue
		}
		left, right := i+1, n.right
		f.answers[i] = f.answers[left]
		f.leaf[i] = f.leaf[left] && f.leaf[right] && f.answers[left] == f.answers[right]
		if !f.leaf[i] {
			f.splits++
		}
	}
}

// place is the mask of a cut; right is the one that missing values exceed.
type place struct{ left, right uint32 }

// program is a tree as kernel.route executes it: its splits in preorder. Slot 0 holds
// the rows that come to the root. A split takes the rows of its slot, leaves there
// those that go right, and puts those that go left into the next slot: the left
// subtree is done with that one before the right subtree begins.
//
// What a leaf answers is a code, and values[code] the answer. All rows begin with
// code 0, that of the leftmost leaf; those that go right at a split change it by
// exclusive or with what sets the leftmost leaf on the right apart from that on the
// left. So only splits are executed, all of them alike.
type program struct {
	// at are the byte offsets of the splits' masks; missing are those for blocks
	// in which values are missing.
	at, missing []uint32
	// turns hold, for each split, the byte offset of its slot and flipBytes times the
	// bits of the code to flip. When codes have more than 8 bits, the tree is
	// executed several times, for 8 bits each, the lowest first.
	turns  [][]uint16
	width  int      // bits of a code
	values []uint32 // per code, filled up to 32 or a power of two
}

// newProgram writes the program of a folded tree that has splits.
func newProgram(t tree, f *folded, places map[boundary]place) program {
	p := program{at: make([]uint32, 0, f.splits)}
	p.missing = p.at
	codes := map[uint32]uint32{}
	for i := range t {
		if _, ok := codes[f.answers[i]]; f.leaf[i] && !ok {
			codes[f.answers[i]] = uint32(len(p.values))
			p.values = append(p.values, f.answers[i])
		}
	}
	p.width = bits.Len(uint(len(p.values) - 1))
	p.turns = make([][]uint16, (p.width+7)/8)
	slots := make([]uint16, len(t))
	differ := false
	for i := range t {
		if f.leaf[i] {
			continue
		}
		n := &t[i]
		slots[i+1], slots[n.right] = slots[i]+1, slots[i]
		c, way := n.boundary()
		at := places[c]
		if way == goLeft {
			at.right = at.left
		}
		if at.left != at.right && !differ {
			differ = true
			p.missing = slices.Clone(p.at)
		}
		p.at = append(p.at, at.left*maskBytes)
		if differ {
			p.missing = append(p.missing, at.right*maskBytes)
		}
		flips := codes[f.answers[i+1]] ^ codes[f.answers[n.right]]
		for k := range p.turns {
			p.turns[k] = append(p.turns[k], slots[i]*maskBytes, uint16(flips>>(8*k)&0xff)*flipBytes)
		}
	}
	if !differ {
		p.missing = p.at
	}
	p.values = append(p.values, make([]uint32, max(leastValues, 1<<p.width)-len(p.values))...)
	return p
}

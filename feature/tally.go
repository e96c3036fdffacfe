package feature

import (
	"math/bits"
	"slices"
)

// tally counts occurrences of small numbers: a hash table with open addressing,
// since this is where most of a Windower's time goes. Keys are below 2^32-1.
type tally struct {
	slots []uint64 // key+1 above, count below; 0 is free
	shift uint8    // of a hash of 32 bits to a place in slots
	n     int      // keys
}

const tallyFloor = 64 // slots of a table when it is first used; a power of two

// add counts key n times more and reports whether it is new. A new key that
// would be more than limit is left out: full is true.
func (t *tally) add(key, n uint32, limit int) (isNew, full bool) {
	if 2*(t.n+1) > len(t.slots) {
		t.grow()
	}
	slots, mask := t.slots, uint32(len(t.slots)-1)
	for i := spread(key) >> t.shift; ; i++ {
		slot := &slots[i&mask]
		switch {
		case uint32(*slot>>32) == key+1:
			*slot += uint64(min(n, ^uint32(*slot)))
			return false, false
		case *slot == 0:
			if t.n >= limit {
				return false, true
			}
			*slot = uint64(key+1)<<32 | uint64(n)
			t.n++
			return true, false
		}
	}
}

func (t *tally) grow() {
	old := t.slots
	size := max(tallyFloor, 2*len(old))
	t.slots, t.shift = make([]uint64, size), uint8(32-bits.Len(uint(size-1)))
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := spread(uint32(slot>>32)-1) >> t.shift
		for t.slots[i&uint32(size-1)] != 0 {
			i++
		}
		t.slots[i&uint32(size-1)] = slot
	}
}

// spread is Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): the
// high bits count.
func spread(x uint32) uint32 { return x * 0x9e3779b1 }

// sorted appends the keys, ascending, and their counts. scratch is overwritten.
func (t *tally) sorted(keys, counts []uint32, scratch *[]uint64) ([]uint32, []uint32) {
	all := (*scratch)[:0]
	for _, slot := range t.slots {
		if slot != 0 {
			all = append(all, slot)
		}
	}
	slices.Sort(all)
	for _, slot := range all {
		keys, counts = append(keys, uint32(slot>>32)-1), append(counts, uint32(slot))
	}
	*scratch = all
	return keys, counts
}

// reset empties the table; a large one is given back.
func (t *tally) reset() {
	if len(t.slots) > 16*tallyFloor {
		*t = tally{}
		return
	}
	clear(t.slots)
	t.n = 0
}

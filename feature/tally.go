package feature

import "slices"

// tally counts occurrences of small numbers: a hash table with open addressing,
// since this is where most of a Windower's time goes. Keys are below 2^32-1.
type tally struct {
	keys   []uint32 // key+1; 0 is free
	counts []uint32
	n      int
}

const tallyFloor = 64 // slots of a table when it is first used; a power of two

// add counts key n times more and reports whether it is new. A new key that
// would be more than limit is left out: full is true.
func (t *tally) add(key, n uint32, limit int) (isNew, full bool) {
	if 2*(t.n+1) > len(t.keys) {
		t.grow()
	}
	mask := uint32(len(t.keys) - 1)
	for i := hash32(key) & mask; ; i = (i + 1) & mask {
		switch t.keys[i] {
		case key + 1:
			t.counts[i] = addSat(t.counts[i], n)
			return false, false
		case 0:
			if t.n >= limit {
				return false, true
			}
			t.keys[i], t.counts[i] = key+1, n
			t.n++
			return true, false
		}
	}
}

func (t *tally) grow() {
	old := *t
	size := max(tallyFloor, 2*len(old.keys))
	t.keys, t.counts = make([]uint32, size), make([]uint32, size)
	mask := uint32(size - 1)
	for i, k := range old.keys {
		if k == 0 {
			continue
		}
		j := hash32(k-1) & mask
		for t.keys[j] != 0 {
			j = (j + 1) & mask
		}
		t.keys[j], t.counts[j] = k, old.counts[i]
	}
}

// hash32 is the finaliser of MurmurHash3.
func hash32(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	x *= 0xc2b2ae35
	return x ^ x>>16
}

// sorted appends the keys, ascending, and their counts.
func (t *tally) sorted(keys, counts []uint32) ([]uint32, []uint32) {
	from := len(keys)
	for _, k := range t.keys {
		if k != 0 {
			keys = append(keys, k-1)
		}
	}
	slices.Sort(keys[from:])
	mask := uint32(len(t.keys) - 1)
	for _, key := range keys[from:] {
		i := hash32(key) & mask
		for t.keys[i] != key+1 {
			i = (i + 1) & mask
		}
		counts = append(counts, t.counts[i])
	}
	return keys, counts
}

// reset empties the table; a large one is given back.
func (t *tally) reset() {
	if len(t.keys) > 16*tallyFloor {
		*t = tally{}
		return
	}
	clear(t.keys)
	t.n = 0
}

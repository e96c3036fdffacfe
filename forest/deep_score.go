package forest

import "encoding/binary"

// sweep is what a thread needs to walk.
type sweep struct {
	ranks  []uint8                       // of each block: twice deep.half
	masks  [chunkRows / blockRows]uint32 // of each block: which bits of branch.at count
	exits  []planes                      // of each tree and block: what the top says
	at     [blockRows]uint32             // branch where a row is
	active [blockRows]uint16             // rows that have not come to a leaf

	touched uint32 // what deepTree.touch returned, so that it must read
}

// sum adds the trees' answers for rows from one on to totals.
func (d *deep) sum(k *kernel, x [][]float32, from int, totals []uint64, s *scratch) {
	if need := d.sweep * int(2*d.half); len(s.sweep.ranks) < need {
		s.sweep.ranks = make([]uint8, need)
	}
	if need := d.sweep * len(d.trees); len(d.tops) > 0 && len(s.sweep.exits) < need {
		s.sweep.exits = make([]planes, need)
	}
	for len(totals) > 0 {
		n := min(len(totals), d.sweep*blockRows)
		for b := 0; b*blockRows < n; b++ {
			first, rows := from+b*blockRows, min(blockRows, n-b*blockRows)
			d.rank(k, x, first, rows, b, s)
			exits := s.sweep.exits
			for i := range d.tops {
				g := &d.tops[i]
				missing := g.cut(k, x, first, rows, s)
				for i := range g.programs {
					p := &g.programs[i]
					at := p.at
					if missing {
						at = p.missing
					}
					k.route(s.exceeds, at, p.turns[0], p.width, &s.slots, &exits[b])
					exits = exits[d.sweep:]
				}
			}
		}
		d.walk(k, totals[:n], s)
		from, totals = from+n, totals[n:]
	}
}

// rank sets the ranks of block b of the sweep. Where a value of the block is missing,
// its rank is above all cuts, and in a second copy of all ranks below them.
func (d *deep) rank(k *kernel, x [][]float32, from, rows, b int, s *scratch) {
	ranks := s.sweep.ranks[b*int(2*d.half):][:2*d.half]
	s.sweep.masks[b] = d.half - 1
	for i := range d.columns {
		c := &d.columns[i]
		v := s.block(x, c.feature, from, rows, 0)
		next := v
		if i+1 < len(d.columns) && rows == blockRows {
			next = s.block(x, d.columns[i+1].feature, from, rows, 1)
		}
		var missing mask
		if k.cut(v, next, &c.cuts, &s.rank, &missing) {
			s.sweep.masks[b] = 2*d.half - 1
		}
		unpack(&s.rank, c.levels, &missing, ranks[i*blockRows:][:blockRows], ranks[int(d.half)+i*blockRows:][:blockRows])
	}
}

// unpack writes ranks as bytes, twice: missing values have the highest rank in right,
// the lowest in left.
func unpack(rank *planes, levels int, missing *mask, right, left []uint8) {
	for w, none := range missing {
		for shift := 0; shift < 64; shift += 8 {
			v := uint64(0)
			for l := range levels {
				v = v<<1 | spread[uint8(rank[l&7][w]>>shift)]
			}
			at := 64*w + shift
			binary.LittleEndian.PutUint64(left[at:], v)
			binary.LittleEndian.PutUint64(right[at:], v|spread[uint8(none>>shift)]*0xff)
		}
	}
}

// walk adds the answers of all trees for the rows of a sweep to totals.
func (d *deep) walk(k *kernel, totals []uint64, s *scratch) {
	tops := d.tops
	var programs []program
	for tree := range d.trees {
		t := &d.trees[tree]
		for len(programs) == 0 && len(tops) > 0 {
			programs, tops = tops[0].programs, tops[1:]
		}
		s.sweep.touched += t.touch()
		for b := 0; b*blockRows < len(totals); b++ {
			clear(s.sweep.at[:])
			if len(programs) > 0 {
				k.add(&s.sweep.exits[tree*d.sweep+b], programs[0].width, programs[0].values, &s.sweep.at)
			}
			sums := totals[b*blockRows : min(len(totals), (b+1)*blockRows)]
			t.walk(s.sweep.ranks[b*int(2*d.half):][:2*d.half], s.sweep.masks[b], len(sums), &s.sweep)
			for r := range sums {
				sums[r] += uint64(t.answers[s.sweep.at[r&(blockRows-1)]])
			}
		}
		if len(programs) > 0 {
			programs = programs[1:]
		}
	}
}

// touch reads the tree from one end to the other, so that it comes into the cache at
// the speed of memory, not of walking. What it returns means nothing.
func (t *deepTree) touch() (sum uint32) {
	const line = 64 / 8 // branches in a cache line
	for i := 0; i < len(t.branches); i += line {
		sum += t.branches[i].next
	}
	for i := 0; i < len(t.answers); i += 2 * line {
		sum += t.answers[i]
	}
	return sum
}

// walk takes the first rows of a block from the branches where they are to leaves.
// All rows go four steps, one after the other, without a branch that is hard to
// foresee, so that the processor has many of them under way; then those that have
// arrived are left out.
func (t *deepTree) walk(ranks []uint8, mask uint32, rows int, s *sweep) {
	branches := t.branches
	active := &s.active
	for r := range active {
		active[r] = uint16(r)
	}
	for rows > 0 {
		left := 0
		for _, row := range active[:rows] {
			r := uint32(row) & (blockRows - 1)
			i := s.at[r]
			b := &branches[i]
			i = (b.next + uint32(ranks[b.at&mask+r])) >> 8
			b = &branches[i]
			i = (b.next + uint32(ranks[b.at&mask+r])) >> 8
			b = &branches[i]
			i = (b.next + uint32(ranks[b.at&mask+r])) >> 8
			b = &branches[i]
			i = (b.next + uint32(ranks[b.at&mask+r])) >> 8
			s.at[r] = i
			active[left&(blockRows-1)] = row
			if branches[i].next != i<<8 {
				left++
			}
		}
		rows = left
	}
}

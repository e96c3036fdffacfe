package forest

// march is what a thread needs to walk the trees of a narrow.
type march struct {
	ranks       []uint8 // row after row
	right, left [blockRows]uint8
	words       [chunkRows]uint32 // of each row
	late        lateRows
	touched     uint32 // what narrowTree.touch returned, so that it must read
}

// lateRows are rows of a block that have not come to a leaf after the first steps.
type lateRows struct {
	rows  [blockRows]uint16
	words [blockRows]uint32
	ranks [(blockRows + 1) * 2 * mostNarrowColumns]uint8
}

// sum adds the trees' answers for rows from one on, at most chunkRows, to totals.
func (n *narrow) sum(k *kernel, x [][]float32, from int, totals []uint64, s *scratch) {
	m := &s.march
	stride := n.half
	if !n.rank(k, x, from, len(totals), stride, s) {
		stride = 2 * n.half
		n.rank(k, x, from, len(totals), stride, s)
	}
	for i := range n.trees {
		t := &n.trees[i]
		m.touched += t.touch()
		for first := 0; first < len(totals); first += blockRows {
			rows := min(blockRows, len(totals)-first)
			t.walk(k, m.ranks[first*stride:], stride, m.words[first:][:rows], &m.late)
		}
		for r, word := range m.words[:len(totals)] {
			totals[r] += uint64(t.answers[word>>16])
		}
	}
}

// rank sets the ranks of some rows. With a stride of n.half it returns false where a value is
// missing; with twice that each row has its ranks twice: missing values are above all cuts in
// the first copy, below all in the second.
func (n *narrow) rank(k *kernel, x [][]float32, from, rows, stride int, s *scratch) bool {
	m := &s.march
	padded := (rows + blockRows - 1) / blockRows * blockRows
	if need := padded*stride + 2*mostNarrowColumns; len(m.ranks) < need {
		m.ranks = make([]uint8, need)
	}
	for block := 0; block < rows; block += blockRows {
		count := min(blockRows, rows-block)
		for i := range n.columns {
			c := &n.columns[i]
			v := s.block(x, c.feature, from+block, count, 0)
			next := v
			if i+1 < len(n.columns) && count == blockRows {
				next = s.block(x, n.columns[i+1].feature, from+block, count, 1)
			}
			var missing mask
			if k.cut(v, next, &c.cuts, &s.rank, &missing) && stride == n.half {
				return false
			}
			unpack(&s.rank, c.levels, &missing, m.right[:], m.left[:])
			at := m.ranks[block*stride+i:]
			for r, rank := range m.right {
				at[r*stride] = rank
			}
			if stride > n.half {
				for r, rank := range m.left {
					at[n.half+r*stride] = rank
				}
			}
		}
	}
	return true
}

// touch reads the tree from one end to the other, so that it comes into the cache at
// the speed of memory, not of walking. What it returns means nothing.
func (t *narrowTree) touch() (sum uint32) {
	const line = 64 / 8 // pairs in a cache line
	for i := 0; i < t.size; i += line {
		sum += t.pairs[i&(mostPairs-1)][0]
	}
	return sum
}

// walk sets words to the leaves of the rows of a block. First all rows go as many steps as
// bring most of them there; those that are late go on among themselves, copied
// so that they lie beside each other.
func (t *narrowTree) walk(k *kernel, ranks []uint8, stride int, words []uint32, late *lateRows) {
	rows := len(words)
	padded := (rows + walkedTogether - 1) / walkedTogether * walkedTogether
	words = words[:padded]
	for r := range words {
		words[r] = t.root
	}
	k.walk(t.pairs, ranks, stride, words, t.steps)
	count := 0
	for r, word := range words[:rows] {
		late.rows[count&(blockRows-1)] = uint16(r)
		if word&openBits != 0 {
			count++
		}
	}
	for i, r := range late.rows[:count] {
		late.words[i] = words[r]
		copy(late.ranks[i*stride:][:stride], ranks[int(r)*stride:][:stride])
	}
	for count > 0 {
		padded := (count + walkedTogether - 1) / walkedTogether * walkedTogether
		for i := count; i < padded; i++ {
			late.words[i] = 0
		}
		k.walk(t.pairs, late.ranks[:], stride, late.words[:padded], moreSteps)
		left := 0
		for i, r := range late.rows[:count] {
			word := late.words[i]
			words[r] = word
			if word&openBits == 0 {
				continue
			}
			late.rows[left], late.words[left] = r, word
			if left < i {
				copy(late.ranks[left*stride:][:stride], late.ranks[i*stride:][:stride])
			}
			left++
		}
		count = left
	}
}

// walkPortable is kernel.walk.
func walkPortable(pairs *[mostPairs][2]uint32, ranks []uint8, stride int, words []uint32, steps int) {
	mask := uint32(stride - 1)
	for r := 0; r+walkedTogether <= len(words); r += walkedTogether {
		w := (*[walkedTogether]uint32)(words[r:])
		at := ranks[r*stride:]
		row := func(i int) *[2 * mostNarrowColumns]uint8 { return (*[2 * mostNarrowColumns]uint8)(at[i*stride:]) }
		r0, r1, r2, r3, r4, r5, r6, r7 := row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)
		w0, w1, w2, w3, w4, w5, w6, w7 := w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
		for range steps {
			w0, w1, w2, w3 = child(pairs, r0, w0, mask), child(pairs, r1, w1, mask), child(pairs, r2, w2, mask), child(pairs, r3, w3, mask)
			w4, w5, w6, w7 = child(pairs, r4, w4, mask), child(pairs, r5, w5, mask), child(pairs, r6, w6, mask), child(pairs, r7, w7, mask)
		}
		w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7] = w0, w1, w2, w3, w4, w5, w6, w7
	}
}

// child returns the word of the child that a row goes to.
func child(pairs *[mostPairs][2]uint32, ranks *[2 * mostNarrowColumns]uint8, word, mask uint32) uint32 {
	return pairs[uint16(word>>16)][(uint32(uint8(word>>8))+uint32(ranks[uint8(word&mask)]))>>8&1]
}

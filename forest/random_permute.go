package forest

// bag is the rows of a tree's bootstrap sample, one bit each.
type bag []uint64

func newBag(times []uint32) bag {
	b := make(bag, (len(times)+63)/64)
	for row, n := range times {
		if n > 0 {
			b[row/64] |= 1 << (row % 64)
		}
	}
	return b
}

func (b bag) holds(row int) bool { return b[row/64]>>(row%64)&1 != 0 }

// permutation returns, for each feature, what the out-of-bag AUROC loses when the
// feature's values change rows at random (Breiman 2001, section 10, with AUROC in
// the place of accuracy, which says little where attacks are rare). votes are the
// forest's on rows that its trees had not seen. The result does not depend on threads.
func (g *growth) permutation(x [][]float32, trees []tree, bags []bag, votes []uint64) []float64 {
	rows := len(g.y)
	out := make([]float64, len(x))
	whole := measureVotes(votes, g.y).AUROC
	type scratch struct {
		from  []int32
		votes []uint64
	}
	scratches := make([]scratch, workers(len(x), g.Threads))
	parallel(len(x), g.Threads, func(w, feature int) {
		s := &scratches[w]
		if s.from == nil {
			s.from, s.votes = make([]int32, rows), make([]uint64, rows)
		}
		copy(s.votes, votes)
		var chance chance
		chance.seed(g.Seed, -2-feature) // trees count from 0, a reservoir is -1
		for i := range s.from {
			j := chance.below(i + 1)
			s.from[i], s.from[j] = s.from[j], int32(i)
		}
		asked := false
		for k, t := range trees {
			if !t.asks(feature) {
				continue
			}
			asked = true
			for row := range rows {
				if !bags[k].holds(row) {
					was, is := t.swapped(x, row, feature, x[feature][s.from[row]])
					s.votes[row] += quantised(is) - quantised(was)
				}
			}
		}
		if asked {
			out[feature] = whole - measureVotes(s.votes, g.y).AUROC
		}
	})
	return out
}

// asks reports whether a split of the tree takes the feature.
func (t tree) asks(feature int) bool {
	for i := range t {
		if !t[i].leaf() && t[i].feature() == feature {
			return true
		}
	}
	return false
}

// swapped returns what the tree answers a row, and what it would with another
// value of a feature.
func (t tree) swapped(x [][]float32, row, feature int, value float32) (was, is float32) {
	var i uint32
	for !t[i].leaf() {
		of := t[i].feature()
		next := t[i].next(i, clamp(x[of][row]))
		if of == feature {
			if other := t[i].next(i, clamp(value)); other != next {
				return t.descend(x, next, row, -1, 0), t.descend(x, other, row, feature, value)
			}
		}
		i = next
	}
	return t[i].value, t[i].value
}

// descend answers a row from node i on, with another value of a feature.
func (t tree) descend(x [][]float32, i uint32, row, feature int, value float32) float32 {
	for !t[i].leaf() {
		of := t[i].feature()
		v := x[of][row]
		if of == feature {
			v = value
		}
		i = t[i].next(i, clamp(v))
	}
	return t[i].value
}

// quantised is a leaf's answer in the units of votes.
func quantised(share float32) uint64 { return uint64(float64(share)*(1<<voteBits) + 0.5) }

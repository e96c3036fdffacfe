package forest

import "math"

// shapley computes the Shapley values of rows, of the path-dependent
// expectation v(S) that Lundberg, Erion, Lee, "Consistent Individualized Feature
// Attribution for Tree Ensembles", 2018, give as Algorithm 1: a split of a known
// feature sends the row its way, one of an unknown feature both ways, by the
// shares of the training rows.
//
// The value of a leaf under v(S) is a product over the features on its path: one
// (1 when the row comes this way, else 0) where the feature is known, zero (the
// share of training rows that come this way) where not. Owen's multilinear
// extension (Management Science 18, 1972) makes the Shapley value of feature i an
// integral,
//
//	phi_i = sum over leaves: answer (one_i - zero_i) ∫ prod_{j≠i} (zero_j (1-t) + one_j t) dt,  t from 0 to 1,
//
// of a polynomial whose degree is the number of other features on the path. n
// Gauss-Legendre nodes integrate degree 2n-1 exactly, so half as many nodes as a
// path has features are enough, and the products over the path are carried down
// the tree, and the sums over leaves up, at each of the nodes apart. That is exact
// but for rounding, needs no division by small numbers, and takes time in
// proportion to nodes times the features on a path, where TreeSHAP (Algorithm 2
// of the paper) takes leaves times their square.
type shapley struct {
	at, rest []float64 // t and 1-t of each quadrature node
	weight   []float64
	cold     []float64 // weight / (1-t)
	products []float64 // of each open tree level, one for each quadrature node
	sums     []float64 // likewise: over the leaves below, of answer times product
	zero     []float64 // per feature, of the path to the open node
	one      []bool
	tree     tree
	row      []float32
	out      []float64
}

// newShapley returns one for trees over n features of at most the given depth.
func newShapley(features, depth int) *shapley {
	n := max(1, (min(depth, features)+1)/2)
	s := &shapley{
		rest: make([]float64, n), cold: make([]float64, n),
		products: make([]float64, (depth+1)*n), sums: make([]float64, (depth+1)*n),
		zero: make([]float64, features), one: make([]bool, features),
	}
	s.at, s.weight = gaussLegendre(n)
	for q, t := range s.at {
		s.rest[q] = 1 - t
		s.cold[q] = s.weight[q] / (1 - t)
		s.products[q] = 1 // of the root
	}
	for f := range s.zero {
		s.zero[f], s.one[f] = 1, true
	}
	return s
}

// add adds the Shapley values of a row under one tree to out.
func (s *shapley) add(t tree, row []float32, out []float64) {
	if t[0].leaf() {
		return // every row has the mean answer
	}
	s.tree, s.row, s.out = t, row, out
	s.node(0, 0)
}

// node leaves the sums of the subtree of split i, whose products are set, at its level.
func (s *shapley) node(i uint32, level int) {
	n := len(s.at)
	products, sums := s.products[level*n:][:n], s.sums[level*n:][:n]
	split := &s.tree[i]
	clear(sums)
	f := split.feature()
	zero, one := s.zero[f], s.one[f]
	// Not split.cover: it is rounded, and the shares must add up to one.
	cover := float64(s.tree[i+1].cover) + float64(s.tree[split.right].cover)
	hot := split.next(i, clamp(s.row[f]))
	below := s.sums[(level+1)*n:][:n]
	for _, child := range [2]uint32{i + 1, split.right} {
		c := &s.tree[child]
		share := float64(c.cover) / cover
		s.zero[f], s.one[f] = zero*share, one && child == hot
		switch {
		case !c.leaf():
			s.edge(products, s.products[(level+1)*n:][:n], zero, share, one, s.one[f])
			s.node(child, level+1)
		case c.value == 0: // adds nothing
			continue
		default:
			s.edge(products, below, zero, share, one, s.one[f])
			for q := range below {
				below[q] *= float64(c.value)
			}
		}
		s.out[f] += s.gain(below, zero, zero*share, one, s.one[f])
		for q, v := range below {
			sums[q] += v
		}
	}
	s.zero[f], s.one[f] = zero, one
}

// edge sets the products of a child: those of the parent, with the factor of the
// split's feature replaced.
func (s *shapley) edge(from, to []float64, zero, share float64, one, stays bool) {
	to = to[:len(from)]
	at, rest := s.at[:len(from)], s.rest[:len(from)]
	switch {
	case !one:
		for q, p := range from {
			to[q] = p * share
		}
	case stays && zero == 1: // not on the path yet
		for q, p := range from {
			to[q] = p * (share*rest[q] + at[q])
		}
	case stays:
		for q, p := range from {
			to[q] = p * (zero*share*rest[q] + at[q]) / (zero*rest[q] + at[q])
		}
	case zero == 1:
		for q, p := range from {
			to[q] = p * share * rest[q]
		}
	default:
		for q, p := range from {
			to[q] = p * zero * share * rest[q] / (zero*rest[q] + at[q])
		}
	}
}

// gain is what the leaves below an edge, whose sums are given, add to the Shapley
// value of the edge's feature: their part with the feature's factor as it is below
// the edge, less that with the factor as it is above, which the edge above counts.
func (s *shapley) gain(sums []float64, zero, zeroBelow float64, one, stays bool) float64 {
	if !one {
		return 0 // both factors have the same part
	}
	at, rest, weight, cold := s.at[:len(sums)], s.rest[:len(sums)], s.weight[:len(sums)], s.cold[:len(sums)]
	gain := 0.0
	if stays {
		for q, v := range sums {
			gain += v * weight[q] / (zeroBelow*rest[q] + at[q])
		}
		gain *= 1 - zeroBelow
	} else {
		for q, v := range sums {
			gain -= v * cold[q]
		}
	}
	if zero == 1 {
		return gain
	}
	above := 0.0
	for q, v := range sums {
		above += v * weight[q] / (zero*rest[q] + at[q])
	}
	return gain - above*(1-zero)
}

// gaussLegendre returns the n nodes and weights of Gauss-Legendre quadrature over
// (0, 1): the roots of the Legendre polynomial, by Newton's method.
func gaussLegendre(n int) (at, weight []float64) {
	at, weight = make([]float64, n), make([]float64, n)
	for k := range n {
		x, slope := math.Cos(math.Pi*(float64(k)+0.75)/(float64(n)+0.5)), 0.0
		for range 100 {
			p, before := 1.0, 0.0
			for j := range n {
				p, before = (float64(2*j+1)*x*p-float64(j)*before)/float64(j+1), p
			}
			slope = float64(n) * (x*p - before) / (x*x - 1)
			step := p / slope
			x -= step
			if math.Abs(step) < 1e-15 {
				break
			}
		}
		at[k] = (1 + x) / 2
		weight[k] = 1 / ((1 - x*x) * slope * slope)
	}
	return at, weight
}

package feature

import (
	"cmp"
	"math"
	"slices"

	"mayfly/trace"
)

// neighbourIndex is what distances to the remembered windows are read from.
type neighbourIndex struct {
	postings [][]posting  // beside model.Trigrams
	windows  int          // signatures
	sets     [2][]callSet // window, long
	sizes    [2][]int     // beside sets
}

// posting is one trigram of one remembered window.
type posting struct {
	window int32
	weight float64 // of a signature of length 1
}

// remember turns samples into what is stored.
func (m *model) remember(samples [3]sampler) {
	for i, s := range samples {
		m.learned.kept[i] = s.sorted()
	}
	var scratch []float64
	for _, s := range m.learned.kept[0] {
		steps := make([]step, len(s.trigrams))
		for i, t := range s.trigrams {
			at, _ := slices.BinarySearch(m.Trigrams, t)
			steps[i] = step{at: int32(i), count: float64(s.counts[i]), rarity: m.rarityOf(0)}
			if at < len(m.Trigrams) && m.Trigrams[at] == t {
				steps[i].rarity = m.rarityOf(uint64(m.TrigramWindows[at]))
			}
		}
		var sig signature
		top, _ := heaviest(steps, &scratch)
		slices.SortFunc(top, func(a, b step) int { return cmp.Compare(a.at, b.at) })
		for _, p := range top {
			sig.Trigrams = append(sig.Trigrams, s.trigrams[p.at])
			sig.Counts = append(sig.Counts, s.counts[p.at])
		}
		m.Neighbours.Windows = append(m.Neighbours.Windows, sig)
	}
	for i, to := range []*[][]trace.Call{&m.Neighbours.Calls, &m.Neighbours.Long} {
		for _, s := range m.learned.kept[1+i] {
			*to = append(*to, s.set.calls())
		}
	}
}

func (s *callSet) calls() []trace.Call {
	calls := []trace.Call{}
	for c := trace.Call(0); c <= trace.MaxCall; c++ {
		if s[c/64]>>(c%64)&1 != 0 {
			calls = append(calls, c)
		}
	}
	return calls
}

// heaviest moves the steps of the largest count × rarity to the front, at most
// signatureTerms, and returns them with the length of the vector that they are.
// Among equals the first stay. scratch is overwritten.
func heaviest(steps []step, scratch *[]float64) ([]step, float64) {
	weights := (*scratch)[:0]
	for _, s := range steps {
		weights = append(weights, s.count*s.rarity)
	}
	*scratch = weights
	least, ties := 0.0, 0 // of the heaviest, and how many of that weight are among them
	if len(weights) > signatureTerms {
		slices.Sort(weights)
		top := weights[len(weights)-signatureTerms:]
		least = top[0]
		for ties < len(top) && top[ties] == least {
			ties++
		}
	} else {
		ties = len(weights)
	}
	n, square := 0, 0.0
	for i := range steps {
		weight := steps[i].count * steps[i].rarity
		if weight < least || weight == least && ties == 0 {
			continue
		}
		if weight == least {
			ties--
		}
		steps[n], steps[i] = steps[i], steps[n]
		n++
		square += weight * weight
	}
	return steps[:n], math.Sqrt(square)
}

func (m *model) indexNeighbours() {
	n := &neighbourIndex{postings: make([][]posting, len(m.Trigrams)), windows: len(m.Neighbours.Windows)}
	for w, sig := range m.Neighbours.Windows {
		square := 0.0
		weights := make([]float64, len(sig.Trigrams))
		for i, t := range sig.Trigrams {
			rarity := m.rarityOf(0)
			if at, ok := slices.BinarySearch(m.Trigrams, t); ok {
				rarity = m.rarity[at]
			}
			weights[i] = float64(sig.Counts[i]) * rarity
			square += weights[i] * weights[i]
		}
		for i, t := range sig.Trigrams {
			if at, ok := slices.BinarySearch(m.Trigrams, t); ok && square > 0 {
				n.postings[at] = append(n.postings[at], posting{int32(w), weights[i] / math.Sqrt(square)})
			}
		}
	}
	for i, sets := range [][][]trace.Call{m.Neighbours.Calls, m.Neighbours.Long} {
		for _, calls := range sets {
			set := setOf(calls)
			n.sets[i] = append(n.sets[i], set)
			n.sizes[i] = append(n.sizes[i], set.size())
		}
	}
	m.near = n
}

// nearestOrder is 1 minus the largest cosine between the window's signature and
// those remembered, each a vector of count × rarity; 0 for a window without
// trigrams, 1 where nothing is remembered. The steps are put in another order.
func (m *measure) nearestOrder(steps []step, scratch *[]float64) float64 {
	n := m.model.near
	top, length := heaviest(steps, scratch)
	if length == 0 {
		return 0
	}
	*scratch = append((*scratch)[:0], make([]float64, n.windows)...)
	products := *scratch
	for _, s := range top {
		if s.at < 0 {
			continue
		}
		for _, p := range n.postings[s.at] {
			products[p.window] += s.count * s.rarity * p.weight
		}
	}
	best := 0.0
	for w, product := range products {
		if product > best && !m.own(0, w) {
			best = product
		}
	}
	return max(0, 1-best/length)
}

// nearestCalls is the distance to the nearest remembered set, 0 for no calls.
func (m *measure) nearestCalls(scale int, set *callSet) float64 {
	size := set.size()
	if size == 0 {
		return 0
	}
	n := m.model.near
	best := 1.0
	for i := range n.sets[scale] {
		if n.sizes[scale][i] == 0 {
			continue
		}
		if d := set.distance(&n.sets[scale][i], size, n.sizes[scale][i]); d < best && !m.own(1+scale, i) {
			best = d
		}
	}
	return max(0, best)
}

// own reports whether a remembered window was seen in the window's own part of
// training and nowhere else.
func (m *measure) own(sort, i int) bool {
	return m.part != nil && m.part.only(&m.model.learned.kept[sort][i].sole)
}

package feature

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"

	"mayfly/trace"
)

// How far a window lies from the nearest of those learned tells what deviations
// call by call cannot: a service does several kinds of work, each with a mix of
// calls of its own, and an attack's mix is none of them. (Nearest neighbours over
// bags of system calls weighted by rarity: Liao and Vemuri, Use of k-Nearest
// Neighbor classifier for intrusion detection, Computers & Security 21, 2002.)
//
// Learned windows are not all kept. Those that differ are given a hash of what is
// in them, and the maxSamples with the lowest hashes stay: a uniform sample that
// does not depend on the order of windows, and merges.

const (
	maxSamples     = 1024 // windows that a model remembers, of each sort
	signatureTerms = 32   // trigrams of a window that are compared
	sampledTerms   = 512  // trigrams of a sampled window that are kept while learning
)

// callSet is a set of calls, one bit each.
type callSet [(trace.MaxCall + 1) / 64]uint64

func (s *callSet) add(c trace.Call) {
	c = min(c, trace.MaxCall)
	s[c/64] |= 1 << (c % 64)
}

// distance is 1 - |a∩b|/√(|a||b|), in [0,1]; size is |s|.
func (s *callSet) distance(o *callSet, size, oSize int) float64 {
	common := 0
	for i := range s {
		common += bits.OnesCount64(s[i] & o[i])
	}
	return 1 - float64(common)/math.Sqrt(float64(size)*float64(oSize))
}

func (s *callSet) size() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func setOf(calls []trace.Call) (s callSet) {
	for _, c := range calls {
		s.add(c)
	}
	return s
}

// signature is what of a window's order of calls is compared.
type signature struct {
	Trigrams []uint32 `json:"trigrams"` // at most signatureTerms, ascending
	Counts   []uint32 `json:"counts"`   // beside Trigrams
}

// neighbours are the windows that a model remembers, as they are stored.
type neighbours struct {
	Windows []signature    `json:"windows"`    // by their order of calls
	Calls   [][]trace.Call `json:"calls"`      // sets of calls of windows, ascending
	Long    [][]trace.Call `json:"calls_long"` // the same of the long time scale
}

// sampled is one window that is remembered, with where it was seen.
type sampled struct {
	sole
	hash     uint64
	trigrams []uint32
	counts   []uint32
	set      callSet
}

// sampler keeps the maxSamples different windows of the lowest hashes.
type sampler map[uint64]*sampled

// see returns the sample of a hash to be filled in, nil where it is there already.
func (s sampler) see(hash uint64, at place) *sampled {
	if have := s[hash]; have != nil {
		have.see(at)
		return nil
	}
	made := &sampled{sole: sole{place: at, to: at.startNS}, hash: hash}
	s[hash] = made
	return made
}

// prune drops what is above the lowest, now and then. What stays in the end was
// among the lowest all the time, so nothing about it was forgotten.
func (s sampler) prune(most int) {
	if len(s) <= most {
		return
	}
	for _, hash := range slices.Sorted(maps.Keys(s))[maxSamples:] {
		delete(s, hash)
	}
}

func (s sampler) merge(other sampler) {
	for hash, w := range other {
		s[hash] = w
	}
	s.prune(maxSamples)
}

// sorted are the samples that stay, by hash.
func (s sampler) sorted() []*sampled {
	s.prune(maxSamples)
	return slices.SortedFunc(maps.Values(s), func(a, b *sampled) int { return cmp.Compare(a.hash, b.hash) })
}

// mix is a step of a hash: the finalizer of SplitMix64 (Steele, Lea, Flood, 2014).
func mix(h, v uint64) uint64 {
	h = (h ^ v) + 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// sample lets a window into the sample.
func (m *learning) sample(w *Window, long *tail, at place) {
	if len(w.Trigrams) > 0 {
		hash := uint64(1)
		for i, t := range w.Trigrams {
			hash = mix(hash, uint64(t)<<32|uint64(w.TrigramCounts[i]))
		}
		if s := m.samples[0].see(hash, at); s != nil {
			s.trigrams, s.counts = mostFrequent(w.Trigrams, w.TrigramCounts, sampledTerms)
		}
	}
	sets := [2]callSet{setOf(w.Calls), {}}
	for c := range long.calls {
		sets[1].add(c)
	}
	for i := range sets {
		hash := uint64(2)
		for _, word := range sets[i] {
			hash = mix(hash, word)
		}
		if s := m.samples[1+i].see(hash, at); s != nil {
			s.set = sets[i]
		}
	}
	for _, s := range m.samples {
		s.prune(2 * maxSamples)
	}
}

// mostFrequent returns copies of the most frequent keys, ascending.
func mostFrequent(keys, counts []uint32, most int) ([]uint32, []uint32) {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	if len(keys) > most {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
		order = order[:most]
		slices.Sort(order)
	}
	k, n := make([]uint32, len(order)), make([]uint32, len(order))
	for i, at := range order {
		k[i], n[i] = keys[at], counts[at]
	}
	return k, n
}

// check wants what the encoder relies on.
func (n *neighbours) check() error {
	if len(n.Windows) > maxSamples || len(n.Calls) > maxSamples || len(n.Long) > maxSamples {
		return fmt.Errorf("more than %d remembered windows", maxSamples)
	}
	for i, w := range n.Windows {
		if len(w.Trigrams) != len(w.Counts) || len(w.Trigrams) > signatureTerms || !ascending(w.Trigrams) || slices.Contains(w.Counts, 0) {
			return fmt.Errorf("remembered window %d: not a signature", i)
		}
	}
	for i, set := range slices.Concat(n.Calls, n.Long) {
		if !ascending(set) || len(set) > 0 && set[len(set)-1] > trace.MaxCall {
			return fmt.Errorf("remembered set %d: out of order", i)
		}
	}
	return nil
}

func ascending[T cmp.Ordered](values []T) bool {
	for i := 1; i < len(values); i++ {
		if values[i-1] >= values[i] {
			return false
		}
	}
	return true
}

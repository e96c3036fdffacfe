package profile

import (
	"container/heap"
	"slices"
	"strings"
)

// sample keeps the values of at most limit names: of all that were asked for, the
// ones with the smallest hashes. A name that belongs to the smallest of all
// belonged to the smallest at any time before, so that what stays has its whole
// value, in whatever order the names came.
type sample[V any] struct {
	limit int
	slots map[string]*slot[V]
	order slotHeap[V] // largest hash on top
}

type slot[V any] struct {
	name  string
	hash  uint64
	value V
}

func newSample[V any](limit int) *sample[V] {
	return &sample[V]{limit: limit, slots: map[string]*slot[V]{}}
}

// at returns the value of a name, made when it is new; nil when the sample is full
// of smaller hashes.
func (s *sample[V]) at(name string) *V {
	if m := s.slots[name]; m != nil {
		return &m.value
	}
	m := &slot[V]{name: name, hash: hash(name)}
	if len(s.order) >= s.limit && !m.less(s.order[0]) {
		return nil
	}
	m.name = strings.Clone(name)
	if len(s.order) >= s.limit {
		delete(s.slots, s.order[0].name)
		s.order[0] = m
		heap.Fix(&s.order, 0)
	} else {
		heap.Push(&s.order, m)
	}
	s.slots[m.name] = m
	return &m.value
}

// names returns what is kept, sorted.
func (s *sample[V]) names() []string {
	names := make([]string, 0, len(s.slots))
	for name := range s.slots {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *slot[V]) less(other *slot[V]) bool {
	if m.hash != other.hash {
		return m.hash < other.hash
	}
	return m.name < other.name
}

// slotHeap is a heap with the largest hash on top.
type slotHeap[V any] []*slot[V]

func (h slotHeap[V]) Len() int           { return len(h) }
func (h slotHeap[V]) Less(i, j int) bool { return h[j].less(h[i]) }
func (h slotHeap[V]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *slotHeap[V]) Push(x any)        { *h = append(*h, x.(*slot[V])) }
func (h *slotHeap[V]) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// hash is 64-bit FNV-1a with a final mix, the same on every machine.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}

// insertHash adds a hash to a sorted set of the MaxEvidence smallest.
func insertHash(set []uint64, h uint64) []uint64 {
	i, ok := slices.BinarySearch(set, h)
	if ok || i >= MaxEvidence {
		return set
	}
	set = slices.Insert(set, i, h)
	return set[:min(len(set), MaxEvidence)]
}

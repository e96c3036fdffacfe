package profile

import (
	"container/heap"
	"slices"
	"strings"
)

// kindSet holds the items of one kind of a workload: at most limit of them, the
// ones with the smallest hashes. A value that belongs to the smallest of all
// belonged to the smallest at any time before, so that what stays has its whole
// evidence, in whatever order it came.
type kindSet struct {
	limit   int
	total   int64 // occurrences, those of values left out included
	members map[string]*member
	order   hashHeap // largest hash on top
}

// member is one value with its evidence in the making.
type member struct {
	Evidence
	value             string
	hash              uint64
	lastWindow        int64    // ordinal of the window last counted
	containers, hosts []uint64 // hashes, sorted, at most MaxEvidence
}

// member returns the member of a value, made when it is new; nil when the set is
// full of smaller hashes.
func (s *kindSet) member(value string) *member {
	if m := s.members[value]; m != nil {
		return m
	}
	m := &member{value: value, hash: hash(value)}
	if len(s.order) >= s.limit && !m.less(s.order[0]) {
		return nil
	}
	m.value = strings.Clone(value)
	if len(s.order) >= s.limit {
		delete(s.members, s.order[0].value)
		s.order[0] = m
		heap.Fix(&s.order, 0)
	} else {
		heap.Push(&s.order, m)
	}
	s.members[m.value] = m
	return m
}

func (m *member) less(other *member) bool {
	if m.hash != other.hash {
		return m.hash < other.hash
	}
	return m.value < other.value
}

// add counts one mention within the window with the given ordinal.
func (m *member) add(count, window, startNS, endNS int64, container, host uint64) {
	if m.lastWindow == 0 {
		m.FirstNS, m.LastNS = startNS, endNS
	}
	m.FirstNS, m.LastNS = min(m.FirstNS, startNS), max(m.LastNS, endNS)
	m.Count += count
	if m.lastWindow != window {
		m.Windows++
		m.lastWindow = window
	}
	m.containers = insertHash(m.containers, container)
	m.hosts = insertHash(m.hosts, host)
}

func insertHash(set []uint64, h uint64) []uint64 {
	i, ok := slices.BinarySearch(set, h)
	if ok || len(set) >= MaxEvidence {
		return set
	}
	return slices.Insert(set, i, h)
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

// hashHeap is a heap with the largest hash on top.
type hashHeap []*member

func (h hashHeap) Len() int           { return len(h) }
func (h hashHeap) Less(i, j int) bool { return h[j].less(h[i]) }
func (h hashHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hashHeap) Push(x any)        { *h = append(*h, x.(*member)) }
func (h *hashHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

package feature

import "strings"

// Novelty of training windows is cross-fitted: against a vocabulary learned from
// the very same windows it would be zero in every one of them, and a forest
// cannot split on a constant. So a training window is measured against the
// vocabulary of all other parts of the training time. The parts of a workload
// are its containers; where there are fewer containers than LearnOptions.Folds,
// each container's time is cut into blocks of equal length so that there are at
// least that many. (With many replicas this asks "would a new replica look odd?";
// with one it asks "would the next hour?".)
//
// No vocabulary is learned twice for this. A thing is unknown to the other parts
// exactly when every place where it was seen lies within the window's own part,
// so the container, first and last time of each thing answer for every part.

// containerKey names a container: ids of foreign sources may repeat on hosts.
type containerKey struct{ host, id string }

// container is one container of a workload in training.
type container struct {
	index    int32
	from, to int64 // starts of its first and last window
}

// place is where a window lies.
type place struct {
	container int32
	startNS   int64
}

// sole is where a thing was seen: one container from place.startNS to to, or,
// with container -1, in several.
type sole struct {
	place
	to int64
}

func (s *sole) see(at place) {
	if s.container != at.container {
		s.container = -1
	}
	s.startNS, s.to = min(s.startNS, at.startNS), max(s.to, at.startNS)
}

// place finds the place of a window in learning.
func (m *learning) place(key containerKey, startNS int64) place {
	c := m.containers[key]
	if c == nil {
		c = &container{int32(len(m.containers)), startNS, startNS}
		m.containers[containerKey{strings.Clone(key.host), strings.Clone(key.id)}] = c
	}
	c.from, c.to = min(c.from, startNS), max(c.to, startNS)
	return place{c.index, startNS}
}

// part is the part of the training time that a window lies in.
type part struct {
	container int32
	from      int64 // of its container
	blockNS   int64
	block     int64
}

// part returns the part of a training window. ok is false for a window of a
// container that was not learned from, which is no training window.
func (m *learning) part(key containerKey, startNS int64, folds int) (p part, ok bool) {
	c := m.containers[key]
	if c == nil || startNS < c.from || startNS > c.to {
		return part{}, false
	}
	return m.partOf(c, startNS, folds), true
}

// partOf is the part of a time of a container.
func (m *learning) partOf(c *container, startNS int64, folds int) part {
	n := len(m.containers)
	blocks := int64((folds + n - 1) / n)
	p := part{container: c.index, from: c.from, blockNS: (c.to-c.from)/blocks + 1}
	p.block = (startNS - c.from) / p.blockNS
	return p
}

// only reports whether a thing was seen within the part and nowhere else.
func (p *part) only(s *sole) bool {
	return s.container == p.container &&
		(s.startNS-p.from)/p.blockNS == p.block && (s.to-p.from)/p.blockNS == p.block
}

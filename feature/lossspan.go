package feature

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"mayfly/trace"
)

// lossSpans are the losses of one container. in is asked in ascending time.
type lossSpans struct {
	spans  []lossSpan
	sorted bool
}

type lossSpan struct{ fromNS, toNS, lost int64 }

// AddLoss notes a row of the losses table of a host: the windows that it overlaps
// count it, in proportion to time and rounded up. A gap, or a time whose files
// were deleted, marks the windows of all the host's containers instead
// (TouchesGap). Losses are added before the windows that they overlap are
// emitted.
func (w *Windower) AddLoss(host string, l *trace.Loss) {
	if l.Class == trace.LossGap || l.Class == trace.LossRetention {
		w.addGap(host, l)
		return
	}
	if l.Lost <= 0 {
		return
	}
	w.report.LossRows++
	w.report.Lost += l.Lost
	if w.report.LossRows-w.report.LossFull > int64(w.opts.MaxLosses) {
		w.report.LossFull++
		return
	}
	key := containerKey{host, l.ContainerID}
	s := w.losses[key]
	if s == nil {
		s = &lossSpans{}
		w.losses[key] = s
	}
	s.spans = append(s.spans, lossSpan{l.FromNS, max(l.FromNS, l.ToNS), l.Lost})
	s.sorted = false
}

// addGap notes a gap, which counts 1 where it is met. Where there are too many,
// the last one grows over the time between.
func (w *Windower) addGap(host string, l *trace.Loss) {
	w.report.Gaps++
	s := w.gaps[host]
	if s == nil {
		s = &lossSpans{}
		w.gaps[host] = s
	}
	if n := len(s.spans); n >= w.opts.MaxLosses {
		last := &s.spans[n-1]
		last.fromNS, last.toNS = min(last.fromNS, l.FromNS), max(last.toNS, l.ToNS)
		return
	}
	s.spans = append(s.spans, lossSpan{l.FromNS, max(l.FromNS, l.ToNS), 1})
	s.sorted = false
}

// in is how much was lost in [from, to).
func (s *lossSpans) in(from, to int64) (lost uint32) {
	if !s.sorted {
		slices.SortStableFunc(s.spans, func(a, b lossSpan) int { return cmp.Compare(a.fromNS, b.fromNS) })
		s.sorted = true
	}
	for len(s.spans) > 0 && s.spans[0].toNS < from {
		s.spans = s.spans[1:]
	}
	for _, span := range s.spans {
		if span.fromNS >= to {
			break
		}
		lost = addSat(lost, span.part(from, to))
	}
	return lost
}

// part is the share of a span's loss in [from, to), rounded up.
func (s lossSpan) part(from, to int64) uint32 {
	if s.fromNS == s.toNS {
		if from <= s.fromNS && s.fromNS < to {
			return uint32(min(s.lost, math.MaxUint32))
		}
		return 0
	}
	overlap := min(to, s.toNS) - max(from, s.fromNS)
	if overlap <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(s.lost), uint64(overlap))
	low, carry := bits.Add64(low, uint64(s.toNS-s.fromNS)-1, 0)
	n, _ := bits.Div64(high+carry, low, uint64(s.toNS-s.fromNS))
	return uint32(min(n, math.MaxUint32))
}

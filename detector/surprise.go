package detector

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// surprise turns scores of a forest into how rare they are among normal windows:
// -ln of the share of windows that score as high. So forests over different
// features speak one language.
//
// Within what training saw the share is counted, on windows that the forest did not
// learn from. Beyond it the tail is taken as exponential in -ln(-log2(score)), which
// for a forest with a box is the logarithm of how far outside a window lies: a
// distance twice as large is so many times rarer as it was in the tail of training.
// That beyond is an assumption, and serves to tell strange from stranger.
//
// A feature that is by itself how rare something is, in bits, needs no forest: its
// place is its value, and it is never believed to be rarer than it says.
type surprise struct {
	knots []knot  // ascending in at and nats
	slope float64 // nats per unit beyond the last knot, > 0
	bits  bool    // scores are bits, not of a forest
}

// knot is a place that shares were counted at.
type knot struct {
	at   float64 // place: a stretched score, or bits
	nats float64 // -ln of the share of windows at or above it
}

const (
	maxKnots  = 256
	tailShare = 0.02 // of the windows: those that the slope comes from
	minTail   = 10   // of them at least
	leastMean = 0.01 // of the distance beyond tailShare
	maxNats   = 1e4

	leastPlace, greatestPlace = -5, 17 // of stretched
	greatestBits              = 99
)

// stretched makes room near 1, where far away windows crowd.
func stretched(score float64) float64 {
	if !(score > 0) {
		return leastPlace
	}
	return min(max(-math.Log(-math.Log2(min(score, 1))), leastPlace), greatestPlace)
}

// place is where a score stands among the knots. Bits that are not known are none.
func (s *surprise) place(score float64) float64 {
	switch {
	case !s.bits:
		return stretched(score)
	case score != score:
		return 0
	}
	return min(max(score, 0), greatestBits)
}

// newSurprise counts shares of scores, which must not be empty.
func newSurprise(scores []float64, bits bool) *surprise {
	s := &surprise{bits: bits}
	at := make([]float64, len(scores))
	for i, score := range scores {
		at[i] = s.place(score)
	}
	slices.Sort(at)
	n := len(at)
	next := n // the last knot was of the windows from here on
	for first := n - 1; first >= 0; first-- {
		if first > 0 && at[first-1] == at[first] {
			continue // a share counts all equal scores
		}
		above := n - first // windows at or above this one
		if have := n - next; first > 0 && float64(above) < float64(have)*1.05 {
			continue
		}
		next = first
		s.knots = append(s.knots, knot{at[first], -math.Log(float64(above) / float64(n+1))})
	}
	slices.Reverse(s.knots)
	if bits {
		s.knots = steps(s.knots)
	}
	s.knots = thinned(s.knots)
	tail := min(max(int(tailShare*float64(n)), minTail), n-1)
	mean, from := 0.0, at[n-1-tail]
	for _, v := range at[n-tail:] {
		mean += (v - from) / float64(tail)
	}
	s.slope = 1 / max(mean, leastMean) // no tail: NaN compares as less
	if bits {
		s.slope = min(s.slope, math.Ln2)
	}
	return s
}

// steps makes the knots a staircase: between two of them a share is that of the
// upper one, since so many windows lie above, or as many bits as there are, where
// those are fewer. Scores of a forest lie so close that a line between them does no
// harm; most windows have no bits at all, and the few that have some lie far apart.
func steps(knots []knot) []knot {
	const width = 0.01 // bits, of a step
	out := knots[:1:1]
	for i := 1; i < len(knots); i++ {
		if foot := knots[i-1].at + width; foot < knots[i].at {
			out = append(out, knot{foot, min(knots[i].nats, foot*math.Ln2)})
			if full := knots[i].nats / math.Ln2; full > foot && full < knots[i].at {
				out = append(out, knot{full, knots[i].nats})
			}
		}
		out = append(out, knot{knots[i].at, min(knots[i].nats, knots[i].at*math.Ln2)})
	}
	return out
}

// thinned keeps the rarest maxKnots-1 knots and the first.
func thinned(knots []knot) []knot {
	if len(knots) <= maxKnots {
		return knots
	}
	return append(knots[:1:1], knots[len(knots)-maxKnots+1:]...)
}

// nats is how rare a score is.
func (s *surprise) nats(score float64) float64 {
	v, last := s.place(score), len(s.knots)-1
	i, _ := slices.BinarySearchFunc(s.knots, v, func(k knot, v float64) int {
		if k.at < v {
			return -1
		}
		return 1
	}) // the first knot at or above v
	switch {
	case i > last:
		return min(s.knots[last].nats+s.slope*(v-s.knots[last].at), maxNats)
	case i == 0:
		return s.knots[0].nats
	}
	a, b := s.knots[i-1], s.knots[i]
	return a.nats + (b.nats-a.nats)*(v-a.at)/(b.at-a.at)
}

// append writes it, little-endian: slope, number of knots, knots.
func (s *surprise) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, math.Float64bits(s.slope))
	b = le.AppendUint32(b, uint32(len(s.knots)))
	for _, k := range s.knots {
		b = le.AppendUint64(b, math.Float64bits(k.at))
		b = le.AppendUint64(b, math.Float64bits(k.nats))
	}
	return b
}

// readSurprise reads what append wrote, and returns what is left.
func readSurprise(b []byte) (*surprise, []byte, error) {
	const head, size = 12, 16
	if len(b) < head {
		return nil, nil, errShort
	}
	le := binary.LittleEndian
	s := &surprise{slope: math.Float64frombits(le.Uint64(b))}
	n := int(le.Uint32(b[8:]))
	if b = b[head:]; n < 1 || n > maxKnots || len(b) < n*size {
		return nil, nil, errShort
	}
	if !(s.slope > 0 && s.slope <= 1/leastMean) {
		return nil, nil, errors.New("surprise: slope out of range")
	}
	for i := range n {
		k := knot{math.Float64frombits(le.Uint64(b[i*size:])), math.Float64frombits(le.Uint64(b[i*size+8:]))}
		if !(math.Abs(k.at) <= 100 && k.nats >= 0 && k.nats <= maxNats) ||
			i > 0 && !(k.at > s.knots[i-1].at && k.nats >= s.knots[i-1].nats) {
			return nil, nil, errors.New("surprise: knots out of order")
		}
		s.knots = append(s.knots, k)
	}
	return s, b[n*size:], nil
}

// errShort says that a forest ends before its end.
var errShort = errors.New("too short, or too many")

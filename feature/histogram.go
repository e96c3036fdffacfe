package feature

import (
	"math"
	"math/bits"
)

// histogram counts values on a logarithmic scale: exact up to 15, eight bins an
// octave above. So quantiles of any number of windows cost a fixed memory, at an
// error of at most 1/16 of the value. It is the sum of its parts: merging in any
// order gives the same.
type histogram struct {
	bins []uint32
	n    uint64
}

func binOf(v uint64) int {
	if v < 16 {
		return int(v)
	}
	octave := bits.Len64(v) - 1
	return 16 + (octave-4)*8 + int(v>>(octave-3)&7)
}

// binValue is the middle of a bin.
func binValue(bin int) float64 {
	if bin < 16 {
		return float64(bin)
	}
	octave, part := (bin-16)/8+4, (bin-16)%8
	low := math.Ldexp(1+float64(part)/8, octave)
	return low + (math.Ldexp(1.0/8, octave)-1)/2
}

func (h *histogram) add(v uint64) { h.addN(binOf(v), 1) }

func (h *histogram) addN(bin int, n uint64) {
	for len(h.bins) <= bin {
		h.bins = append(h.bins, 0)
	}
	h.bins[bin] = addSat(h.bins[bin], uint32(min(n, math.MaxUint32)))
	h.n += n
}

func (h *histogram) merge(other *histogram) {
	for bin, n := range other.bins {
		h.addN(bin, uint64(n))
	}
}

// Range is what is usual of a count, over the windows that it was learned from,
// those without it included. Counts; Low ≤ Median ≤ High ≤ Max.
type Range struct {
	Low    float64 `json:"low"`    // 1 % of windows lie below
	Median float64 `json:"median"` // half of the windows
	High   float64 `json:"high"`   // 1 % of windows lie above
	Max    float64 `json:"max"`
	Down   float64 `json:"down"` // scale of log1p(count) below the median, > 0
	Up     float64 `json:"up"`   // the same above it
}

// minScale is the least scale of log1p(count): a count that never changed, or
// that is nearly always 0, deviates by ln 2 / 0.2 = 3.5 at the first step, and
// does not explode.
const minScale = 0.2

// summary returns the Range over total windows, of which those that were not
// added count as 0.
func (h *histogram) summary(total uint64) Range {
	zeros := histogram{}
	zeros.merge(h)
	if total > h.n {
		zeros.addN(0, total-h.n)
	}
	h = &zeros
	if h.n == 0 {
		return Range{Down: minScale, Up: minScale}
	}
	r := Range{Low: h.quantile(0.01), Median: h.quantile(0.5), High: h.quantile(0.99)}
	for bin, n := range h.bins {
		if n > 0 {
			r.Max = binValue(bin)
		}
	}
	mid := math.Log1p(r.Median)
	mad := 1.4826 * h.mad(mid)
	const z99 = 2.326 // a normal variable's 99 % quantile
	r.Up = max(minScale, mad, (math.Log1p(r.High)-mid)/z99)
	r.Down = max(minScale, mad, (mid-math.Log1p(r.Low))/z99)
	return r
}

// quantile is the value at rank q·(n-1), rounded down; n > 0.
func (h *histogram) quantile(q float64) float64 {
	rank := uint64(q * float64(h.n-1))
	for bin, n := range h.bins {
		if rank < uint64(n) {
			return binValue(bin)
		}
		rank -= uint64(n)
	}
	return binValue(len(h.bins) - 1)
}

// mad is the median distance of log1p(value) from mid. Bins on both sides of mid
// are walked outward by distance, so nothing is sorted.
func (h *histogram) mad(mid float64) float64 {
	up := 0
	for up < len(h.bins) && math.Log1p(binValue(up)) < mid {
		up++
	}
	down, left := up-1, (h.n+1)/2
	for {
		dUp, dDown := math.Inf(1), math.Inf(1)
		if up < len(h.bins) {
			dUp = math.Log1p(binValue(up)) - mid
		}
		if down >= 0 {
			dDown = mid - math.Log1p(binValue(down))
		}
		d, bin := dUp, up
		if dDown < dUp {
			d, bin = dDown, down
			down--
		} else {
			up++
		}
		if math.IsInf(d, 1) {
			return 0
		}
		if n := uint64(h.bins[bin]); n >= left {
			return d
		} else {
			left -= n
		}
	}
}

// deviation is how many scales a count lies from what is usual; negative below.
func (r *Range) deviation(count float64) float64 {
	d := math.Log1p(count) - math.Log1p(r.Median)
	if d < 0 {
		return d / r.Down
	}
	return d / r.Up
}

// usual is how many scales from the median still count as usual: a feature made
// by excess is 0 there, so that a forest spends no splits on ordinary noise.
const usual = 4

// excess is how far a deviation lies beyond the usual; negative below.
func (r *Range) excess(count float64) float64 {
	d := r.deviation(count)
	return max(d-usual, 0) + min(d+usual, 0)
}

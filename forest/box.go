package forest

import (
	"fmt"
	"math"
	"math/bits"
)

// box is the smallest box, parallel to the axes, that holds every training row.
//
// Inside of it the trees tell how strange a row is. Outside they cannot: a split
// lies between training values, so a value just above all of them and one a
// thousand times as large come to the same leaf, and a column in which all
// training rows agree is never split at all. That is where attacks lie.
//
// A Mondrian process that grew the trees would part a row from a box after a time
// that is exponential with rate d, the row's distance from the box summed over the
// features (Lakshminarayanan, Roy, Teh, "Mondrian Forests", NIPS 2014, Algorithm 4;
// the same step is what makes Guha, Mishra, Roy, Schrijvers, "Robust Random Cut
// Forest", ICML 2016, answer to rows that it has not seen). Counting the row's path
// through the trees as one unit of time, it is isolated by whichever comes first,
// that split or the end of its path, and of the path there remains
//
//	E[h'] = E[h] E[min(T, 1)] = E[h] (1 - exp(-d)) / d,  T exponential with rate d
//
// which is E[h] inside of the box and goes to 0 far away from it. Each feature's
// distance is measured in widths of the box, or in ones of the feature where the
// box is narrower than that: columns should be scaled so that one is a step that
// matters.
type box struct {
	low, high []float32 // per feature; low > high where no training row had a value
}

// noValue are the bounds of a column in which every training value is missing.
const noLow, noHigh = float32(math.MaxFloat32), float32(-math.MaxFloat32)

// newBox is the box of the rows at, or of all where that is nil.
func newBox(x [][]float32, at []int32) *box {
	b := &box{make([]float32, len(x)), make([]float32, len(x))}
	for f := range x {
		b.low[f], b.high[f] = noLow, noHigh
	}
	if at == nil {
		b.extend(x)
		return b
	}
	for f, column := range x {
		low, high := noLow, noHigh
		for _, row := range at {
			if v := column[row]; v == v {
				v = clamp(v)
				low, high = min(low, v), max(high, v)
			}
		}
		b.low[f], b.high[f] = low, high
	}
	return b
}

// extend makes the box hold the rows of x too.
func (b *box) extend(x [][]float32) {
	for f, column := range x {
		low, high := b.low[f], b.high[f]
		for _, v := range column {
			if v == v {
				v = clamp(v)
				low, high = min(low, v), max(high, v)
			}
		}
		b.low[f], b.high[f] = low, high
	}
}

// check refuses bounds that newBox does not make.
func (b *box) check() error {
	for f, low := range b.low {
		high := b.high[f]
		none := low == noLow && high == noHigh
		if !none && !(low >= -math.MaxFloat32 && low <= high && high <= math.MaxFloat32) {
			return fmt.Errorf("box: feature %d: want finite bounds in order, got %g and %g", f, low, high)
		}
	}
	return nil
}

// outside is how far a value of a feature lies outside of the box. Missing values
// lie nowhere.
func (b *box) outside(f int, v float32) float64 {
	low, high := b.low[f], b.high[f]
	if v != v || low > high {
		return 0
	}
	v = clamp(v)
	if v >= low && v <= high {
		return 0
	}
	beyond := max(float64(v)-float64(high), float64(low)-float64(v))
	return beyond / max(float64(high)-float64(low), 1)
}

// shorten is E[h'] of a mean path at a distance from the box.
func shorten(path, distance float64) float64 {
	if distance == 0 {
		return path
	}
	return path * -math.Expm1(-distance) / distance
}

// measure adds to distance how far the rows from one on lie outside of the box, at
// most chunkRows of them.
func (b *box) measure(k *kernel, x [][]float32, from int, distance []float64, s *scratch) {
	for f, low := range b.low {
		if low > b.high[f] {
			continue
		}
		for block := 0; block < len(distance); block += blockRows {
			n := min(blockRows, len(distance)-block)
			v := s.block(x, f, from+block, n, 0)
			if !k.outside(v, low, b.high[f], &s.outside) {
				continue
			}
			for w, rows := range s.outside {
				for ; rows != 0; rows &= rows - 1 {
					if r := 64*w + bits.TrailingZeros64(rows); r < n {
						distance[block+r] += b.outside(f, v[r])
					}
				}
			}
		}
	}
}

// attribute shares what the box takes from a path among the features that lie
// outside of it, by their distance. base + sum(out) becomes E[h'].
func (b *box) attribute(row []float32, base float64, out []float64) {
	path, distance := base, 0.0
	for f, v := range row {
		path += out[f]
		distance += b.outside(f, v)
	}
	if distance == 0 {
		return
	}
	taken := path - shorten(path, distance)
	for f, v := range row {
		out[f] -= taken * b.outside(f, v) / distance
	}
}

// box reads whether there is a box, and its bounds of n features.
func (r *reader) box(n int) (*box, error) {
	switch has := r.uint32(); {
	case r.short:
		return nil, errShort
	case has > 1:
		return nil, fmt.Errorf("box: want 0 or 1, got %d", has)
	case has == 0:
		return nil, nil
	case len(r.b) < 8*n:
		return nil, errShort
	}
	b := &box{make([]float32, n), make([]float32, n)}
	for f := range n {
		b.low[f], b.high[f] = math.Float32frombits(r.uint32()), math.Float32frombits(r.uint32())
	}
	return b, b.check()
}

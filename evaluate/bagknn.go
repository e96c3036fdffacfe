package evaluate

import (
	"cmp"
	"math"
	"slices"

	"mayfly/trace"
)

// nearestBags is how many neighbours bagNeighbours looks at, as its authors did.
const nearestBags = 10

// mostBags is among how many training samples neighbours are looked for: one by
// one, so that all of a long training would take for ever.
const mostBags = 4000

// bagNeighbours weighs a trace's calls by how often they stand in it and in how
// few training traces (tf-idf), and scores one minus the mean cosine to the
// nearest training traces.
func bagNeighbours() baseline {
	return baseline{
		name: "bag of calls, 10 nearest",
		citation: "Liao, Vemuri: Use of K-Nearest Neighbor Classifier for Intrusion Detection, Computers & Security 21(5), 2002; " +
			"Kang, Fuller, Honavar: Learning Classifiers for Misuse and Anomaly Detection Using a Bag of System Calls, IEEE IAW 2005",
		new: func() learner { return &bagSpace{in: map[trace.Call]float64{}, step: 1} },
	}
}

// bagSpace is what bagNeighbours learned: every step-th training sample, so that
// they lie evenly in the training time.
type bagSpace struct {
	in   map[trace.Call]float64 // of samples, by call
	n    int                    // samples
	step int
	kept []sample
	bags []bagVector // of kept; made by the first score
}

func (b *bagSpace) learn(s *sample) {
	for c := range s.bag {
		b.in[c]++
	}
	if b.n%b.step == 0 {
		b.kept = append(b.kept, sample{bag: s.bag})
	}
	if b.n++; len(b.kept) > mostBags {
		half := b.kept[:0]
		for i := 0; i < len(b.kept); i += 2 {
			half = append(half, b.kept[i])
		}
		clear(b.kept[len(half):])
		b.kept, b.step = half, 2*b.step
	}
}

func (b *bagSpace) weight(c trace.Call) float64 { return math.Log((1+float64(b.n))/(1+b.in[c])) + 1 }

func (b *bagSpace) score(s *sample) float64 {
	for i := len(b.bags); i < len(b.kept); i++ {
		b.bags = append(b.bags, newBagVector(&b.kept[i], b.weight))
	}
	own := newBagVector(s, b.weight)
	near := make([]float64, 0, nearestBags+1) // cosines, descending
	for i := range b.bags {
		c := own.cosine(&b.bags[i])
		if len(near) == nearestBags && c <= near[nearestBags-1] {
			continue
		}
		at, _ := slices.BinarySearchFunc(near, c, func(a, b float64) int { return cmp.Compare(b, a) })
		if near = slices.Insert(near, at, c); len(near) > nearestBags {
			near = near[:nearestBags]
		}
	}
	slices.Reverse(near) // least first, as sums of them have always gone
	sum := 0.0
	for _, c := range near {
		sum += c
	}
	return 1 - sum/float64(max(len(near), 1))
}

// bagVector is a bag as a vector of length 1, by ascending call.
type bagVector struct {
	calls  []trace.Call
	values []float64
}

func newBagVector(s *sample, weight func(trace.Call) float64) (v bagVector) {
	square := 0.0
	for _, c := range sorted(s.bag) {
		value := s.bag[c] * weight(c)
		v.calls, v.values = append(v.calls, c), append(v.values, value)
		square += value * value
	}
	for i := range v.values {
		v.values[i] /= math.Sqrt(square)
	}
	return v
}

func (v *bagVector) cosine(o *bagVector) (sum float64) {
	for i, j := 0, 0; i < len(v.calls) && j < len(o.calls); {
		switch {
		case v.calls[i] < o.calls[j]:
			i++
		case v.calls[i] > o.calls[j]:
			j++
		default:
			sum += v.values[i] * o.values[j]
			i, j = i+1, j+1
		}
	}
	return sum
}

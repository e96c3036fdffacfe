package evaluate

import (
	"math"
	"slices"

	"mayfly/trace"
)

// nearestBags is how many neighbours bagNeighbours looks at, as its authors did.
const nearestBags = 10

// bagNeighbours weighs a trace's calls by how often they stand in it and in how
// few training traces (tf-idf), and scores one minus the mean cosine to the
// nearest training traces.
func bagNeighbours() baseline {
	return baseline{
		name: "bag of calls, 10 nearest",
		citation: "Liao, Vemuri: Use of K-Nearest Neighbor Classifier for Intrusion Detection, Computers & Security 21(5), 2002; " +
			"Kang, Fuller, Honavar: Learning Classifiers for Misuse and Anomaly Detection Using a Bag of System Calls, IEEE IAW 2005",
		fit: func(training []sample) func(*sample) float64 {
			in := map[trace.Call]float64{}
			for i := range training {
				for c := range training[i].bag {
					in[c]++
				}
			}
			weight := func(c trace.Call) float64 { return math.Log((1+float64(len(training)))/(1+in[c])) + 1 }
			var bags []bagVector
			for i := range training {
				bags = append(bags, newBagVector(&training[i], weight))
			}
			return func(s *sample) float64 {
				own := newBagVector(s, weight)
				cosines := make([]float64, len(bags))
				for i := range bags {
					cosines[i] = own.cosine(&bags[i])
				}
				slices.Sort(cosines)
				near, sum := cosines[max(0, len(cosines)-nearestBags):], 0.0
				for _, c := range near {
					sum += c
				}
				return 1 - sum/float64(max(len(near), 1))
			}
		},
	}
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

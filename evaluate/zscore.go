package evaluate

import (
	"math"

	"mayfly/trace"
)

// zScore compares the share of each call with its mean and standard deviation
// over training, and scores the mean of the squares.
func zScore() baseline {
	return baseline{
		name:     "z-scores of call shares",
		citation: "Denning: An Intrusion-Detection Model, IEEE Trans. Software Engineering 13(2), 1987 (mean and standard deviation model)",
		fit: func(training []sample) func(*sample) float64 {
			sum, square := map[trace.Call]float64{}, map[trace.Call]float64{}
			for i := range training {
				for c, share := range callShares(&training[i]) {
					sum[c] += share
					square[c] += share * share
				}
			}
			n := float64(max(len(training), 1))
			calls := sorted(sum)
			return func(s *sample) float64 {
				own, score := callShares(s), 0.0
				for _, c := range calls {
					mean := sum[c] / n
					deviation := math.Sqrt(max(square[c]/n-mean*mean, 1e-8))
					z := (own[c] - mean) / deviation
					score += z * z
				}
				for _, c := range sorted(own) {
					if _, ok := sum[c]; !ok {
						score += own[c] * own[c] / 1e-8
					}
				}
				return score / float64(max(len(calls), 1))
			}
		},
	}
}

// callShares are the shares of a sample's calls.
func callShares(s *sample) map[trace.Call]float64 {
	total := 0.0
	for _, n := range s.bag {
		total += n
	}
	out := map[trace.Call]float64{}
	for c, n := range s.bag {
		out[c] = n / max(total, 1)
	}
	return out
}

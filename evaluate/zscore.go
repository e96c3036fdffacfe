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
		new:      func() learner { return &shareMoments{sum: map[trace.Call]float64{}, square: map[trace.Call]float64{}} },
	}
}

type shareMoments struct {
	sum, square map[trace.Call]float64
	n           float64
	calls       []trace.Call // ascending, of sum; made by the first score
}

func (m *shareMoments) learn(s *sample) {
	for c, share := range callShares(s) {
		m.sum[c] += share
		m.square[c] += share * share
	}
	m.n++
}

func (m *shareMoments) score(s *sample) float64 {
	if m.calls == nil {
		m.calls = sorted(m.sum)
	}
	own, score := callShares(s), 0.0
	for _, c := range m.calls {
		mean := m.sum[c] / m.n
		deviation := math.Sqrt(max(m.square[c]/m.n-mean*mean, 1e-8))
		z := (own[c] - mean) / deviation
		score += z * z
	}
	for _, c := range sorted(own) {
		if _, ok := m.sum[c]; !ok {
			score += own[c] * own[c] / 1e-8
		}
	}
	return score / float64(max(len(m.calls), 1))
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

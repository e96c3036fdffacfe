package evaluate

import "math"

// markovChain learns how often each call follows each other one, and scores the
// mean surprise of a trace's steps in bits.
func markovChain() baseline {
	return baseline{
		name:    "Markov chain, order 1",
		ordered: true,
		citation: "Ye, Zhang, Borror: Robustness of the Markov-Chain Model for Cyber-Attack Detection, IEEE Trans. Reliability 53(1), 2004; " +
			"Maggi, Matteucci, Zanero: Detecting Intrusions through System Call Sequence and Argument Analysis, IEEE TDSC 7(4), 2010",
		fit: func(training []sample) func(*sample) float64 {
			steps, from, calls := map[gram]float64{}, map[gram]float64{}, map[gram]bool{}
			for i := range training {
				for g, n := range training[i].grams(2) {
					steps[g] += n
					from[g[:2]] += n
					calls[g[:2]], calls[g[2:]] = true, true
				}
			}
			size := float64(len(calls) + 1) // and one for a call never seen
			return func(s *sample) float64 {
				bits, total := 0.0, 0.0
				pairs := s.grams(2)
				for _, g := range sorted(pairs) {
					bits += pairs[g] * math.Log2((from[g[:2]]+size)/(steps[g]+1)) // Laplace
					total += pairs[g]
				}
				return bits / max(total, 1)
			}
		},
	}
}

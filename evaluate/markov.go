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
		new: func() learner { return &chainSteps{map[gram]float64{}, map[gram]float64{}, map[gram]bool{}} },
	}
}

type chainSteps struct {
	steps, from map[gram]float64
	calls       map[gram]bool
}

func (c *chainSteps) learn(s *sample) {
	for g, n := range s.grams(2) {
		c.steps[g] += n
		c.from[g[:2]] += n
		c.calls[g[:2]], c.calls[g[2:]] = true, true
	}
}

func (c *chainSteps) score(s *sample) float64 {
	size := float64(len(c.calls) + 1) // and one for a call never seen
	bits, total := 0.0, 0.0
	pairs := s.grams(2)
	for _, g := range sorted(pairs) {
		bits += pairs[g] * math.Log2((c.from[g[:2]]+size)/(c.steps[g]+1)) // Laplace
		total += pairs[g]
	}
	return bits / max(total, 1)
}

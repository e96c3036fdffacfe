package evaluate

import "fmt"

// stide is sequence time-delay embedding: every run of n calls that normal
// traces made is known, and a trace scores the share of its runs that are not.
func stide(n int) baseline {
	return baseline{
		name:    fmt.Sprintf("STIDE, n = %d", n),
		ordered: true,
		citation: "Forrest, Hofmeyr, Somayaji, Longstaff: A Sense of Self for Unix Processes, IEEE S&P 1996; " +
			"Hofmeyr, Forrest, Somayaji: Intrusion Detection Using Sequences of System Calls, J. Computer Security 6, 1998",
		new: func() learner { return &stideRuns{n, map[gram]bool{}} },
	}
}

type stideRuns struct {
	n     int
	known map[gram]bool
}

func (r *stideRuns) learn(s *sample) {
	for g := range s.grams(r.n) {
		r.known[g] = true
	}
}

func (r *stideRuns) score(s *sample) float64 {
	foreign, total := 0.0, 0.0
	for g, count := range s.grams(r.n) {
		total += count
		if !r.known[g] {
			foreign += count
		}
	}
	return foreign / max(total, 1) // whole numbers: the order of the map does not matter
}

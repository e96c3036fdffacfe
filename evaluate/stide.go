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
		fit: func(training []sample) func(*sample) float64 {
			known := map[gram]bool{}
			for i := range training {
				for g := range training[i].grams(n) {
					known[g] = true
				}
			}
			return func(s *sample) float64 {
				foreign, total := 0.0, 0.0
				for g, count := range s.grams(n) {
					total += count
					if !known[g] {
						foreign += count
					}
				}
				return foreign / max(total, 1) // whole numbers: the order of the map does not matter
			}
		},
	}
}

package detector

import (
	"math"
	"slices"
)

// threshold returns the smallest threshold under which at most the budgeted
// share of the scores alarm (score > threshold), and the budget with the rate
// that n scores can vouch for. scores are of windows taken as normal that the
// scoring forest was not trained on; they are sorted in place and must not be
// empty.
func threshold(scores []float64, budget Budget, widthNS int64) (float64, Budget) {
	slices.Sort(scores)
	n := len(scores)
	budget.Resolved = 1 / float64(n+1)
	if budget.AlarmsPerContainerDay > 0 {
		budget.Resolved *= nanosPerDay / float64(widthNS)
	}
	// Bounded as a float: an int of a share as large as one may ask for is undefined.
	spend := int(min(max(math.Floor(budget.perWindow(widthNS)*float64(n)), 0), float64(n-1)))
	// Exactly `spend` scores lie above this one, fewer where scores are equal.
	return scores[n-1-spend], budget
}

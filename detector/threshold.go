package detector

import (
	"math"
	"slices"
)

// threshold returns the score above which a budgeted share of normal windows
// alarms, and the budget with the rate that n scores can vouch for and how the
// threshold was set. scores are of windows taken as normal that the scoring forest
// was not trained on; they are sorted in place and must not be empty.
//
// Where the budget lets leastAlarms of the scores alarm, or extrapolate is false,
// the threshold is one of the scores: the least that split-conformal prediction
// allows (Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005),
// or the highest where the budget is finer than 1/(n+1). A window that is
// exchangeable with the scores is above it with at most the budgeted probability.
//
// Where the budget is finer, the tail is extrapolated (see tailThreshold), which
// rests on the tail going on as it does within the sample; but to no less than one
// window in mostBeyond·n, the rule of thumb of those who foretell floods. Ten minutes
// cannot say what comes once a day, and a threshold that claims to know is one that
// no attack passes.
func threshold(scores []float64, budget Budget, widthNS int64, extrapolate bool) (float64, Budget) {
	slices.Sort(scores)
	n, p := len(scores), budget.perWindow(widthNS)
	budget.Resolved = 1 / float64(n+1)
	if budget.AlarmsPerContainerDay > 0 {
		budget.Resolved *= nanosPerDay / float64(widthNS)
	}
	budget.Estimate = EstimateSample
	if extrapolate && p*float64(n) < leastAlarms {
		if t, ok := tailThreshold(scores, max(p, 1/(mostBeyond*float64(n)))); ok {
			budget.Estimate = EstimateTail
			budget.Resolved /= mostBeyond
			return t, budget
		}
	}
	spend := int(math.Floor(p*float64(n+1)+1e-9)) - 1
	spend = min(max(spend, 0), n-1)
	// Exactly `spend` scores lie above this one, fewer where scores are equal.
	return scores[n-1-spend], budget
}

// Where a threshold comes from.
const (
	EstimateSample = "sample" // it is one of the scores
	EstimateTail   = "tail"   // a generalized Pareto distribution was fitted to the highest of them
)

const (
	leastAlarms = 5   // scores above a threshold, for it to be one of them
	tailPart    = 0.1 // of the scores: what the tail is fitted to
	leastFit    = 40  // of them at least
	mostBeyond  = 4   // times n windows is the rarest that is extrapolated to
	mostShape   = 0.5 // of the distribution: a variance that is finite
)

// tailThreshold extrapolates ascending scores to a share p of windows: a generalized
// Pareto distribution is fitted by probability-weighted moments (Hosking, Wallis,
// "Parameter and quantile estimation for the generalized Pareto distribution",
// Technometrics 1987) to what the odds score/(1-score) exceed their upper tailPart
// by, as extreme-value theory has it of nearly every tail (Pickands 1975). A tail is
// never taken to end (its shape is at least 0): what was not seen yet is no proof.
// ok is false where there are too few scores, or too many equal ones.
func tailThreshold(scores []float64, p float64) (t float64, ok bool) {
	n := len(scores)
	k := max(int(tailPart*float64(n)), leastFit)
	if k > n/2 || p >= float64(k)/float64(n) {
		return 0, false
	}
	base := odds(scores[n-1-k])
	var b0, b1 float64
	for i, s := range scores[n-k:] { // ascending
		excess := odds(s) - base
		b0 += excess / float64(k)
		b1 += excess * (1 - (float64(i)+0.65)/float64(k)) / float64(k)
	}
	if !(b0 > 1e-9) {
		return 0, false
	}
	shape := min(max(2-b0/(b0-2*b1), 0), mostShape)
	scale := b0 * (1 - shape) // so that the mean stays
	rarer := float64(k) / float64(n) / p
	beyond := scale * math.Log(rarer)
	if shape > 1e-6 {
		beyond = scale / shape * (math.Pow(rarer, shape) - 1)
	}
	z := base + beyond
	return min(z/(1+z), 1-1e-7), true
}

// odds makes room near 1. Of an ensemble's scores they are its nats.
func odds(score float64) float64 {
	const most = 1 - 1e-7
	return min(score, most) / (1 - min(score, most))
}

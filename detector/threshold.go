package detector

import (
	"cmp"
	"math"
	"slices"
)

// threshold returns the smallest threshold under which at most the budgeted false
// alarms come from windows taken as normal (score > threshold), and the budget with
// the rate that they can vouch for. windows are what the scoring forest was not
// trained on, oddest first, at least one, of so many days of containers.
//
// A share is one of windows. Alarms per container-day are episodes: windows of one
// container with no more than gapNS between them are one, and a silence in which no
// window was made is time as well, in which nothing could alarm.
func threshold(windows []scoredWindow, budget Budget, days float64, gapNS, widthNS int64) (float64, Budget) {
	n := len(windows)
	if budget.FalsePositiveRate > 0 {
		budget.Resolved = 1 / float64(n+1)
		spend := int(math.Floor(budget.FalsePositiveRate * float64(n)))
		return windows[spend].score, budget // n-1 at most: the rate is below 1
	}
	budget.Resolved = 1 / days
	spend := math.Floor(budget.AlarmsPerContainerDay * days) // an int of what one may ask for is undefined
	counted := episodeCounter{gapNS: gapNS, widthNS: widthNS, of: map[containerKey][]stretch{}}
	for at := 0; at < n; {
		score := windows[at].score
		for ; at < n && windows[at].score == score; at++ {
			counted.add(windows[at])
		}
		if float64(counted.n) > spend {
			return score, budget
		}
	}
	return windows[n-1].score, budget
}

// episodeCounter counts the episodes of windows that come in any order.
type episodeCounter struct {
	gapNS, widthNS int64
	n              int
	of             map[containerKey][]stretch // ascending, more than gapNS apart
}

func (c *episodeCounter) add(w scoredWindow) {
	all, s := c.of[w.key], stretch{w.startNS, w.startNS + c.widthNS}
	i, _ := slices.BinarySearchFunc(all, s.fromNS-c.gapNS, func(e stretch, ns int64) int { return cmp.Compare(e.toNS, ns) })
	to := i // all[i:to] are near
	for ; to < len(all) && all[to].fromNS-c.gapNS <= s.toNS; to++ {
		s = stretch{min(s.fromNS, all[to].fromNS), max(s.toNS, all[to].toNS)}
	}
	c.n += 1 - (to - i)
	c.of[w.key] = slices.Replace(all, i, to, s)
}

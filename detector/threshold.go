package detector

import (
	"cmp"
	"slices"
	"time"

	"mayfly/feature"
)

// HeldOut is a window taken as normal, and its score by what did not learn from it.
type HeldOut struct {
	Host, ContainerID string
	StartNS           int64
	Score             float64
}

// Threshold is the threshold that a detector would have of such windows, at least
// one, in any order: all of one width, of so many days of containers. Windows with a
// score greater than it alarm.
func (b Budget) Threshold(windows []HeldOut, days float64, widthNS int64) float64 {
	own := make([]scoredWindow, len(windows))
	for i, w := range windows {
		own[i] = scoredWindow{containerKey{w.Host, w.ContainerID}, w.StartNS, w.Score}
	}
	oddestFirst(own)
	t, _ := threshold(own, b, days, max(int64(time.Minute), int64(feature.DefaultLearnOptions.LongWindows)*widthNS), widthNS)
	return t
}

// threshold returns the smallest threshold under which windows taken as normal give no
// more false alarms (score > threshold) than the budget, the container or the minute of a
// host that has most of them counted twice, and the budget with the rate that they can vouch for. windows are
// what the scoring forest was not trained on, oddest first, at least one, of so many
// days of containers.
//
// Alarms come in bursts, a container's own or those of all at once, when a host is busy or
// a service starts, so that containers and moments are what tomorrow draws from and not
// windows. A threshold that lets as many windows pass as the budget allows
// stands just below a burst, and spends too much: of n exchangeable draws k above a
// threshold chosen so, the next is above it with k+1 in n+1. The draw to come is taken
// for as bad as the worst so far (conformal risk control with the greatest loss seen for
// the bound, over containers: Angelopoulos, Bates, Fisch, Lei, Schuster, "Conformal Risk
// Control", ICLR 2024). The bound that would hold for certain, a container of nothing but
// alarms, wants as many containers as the budget is fine: a thousand for 0.001.
//
// A share is one of windows. Alarms per container-day are episodes: windows of one
// container with no more than gapNS between them are one, and a silence in which no
// window was made is time as well, in which nothing could alarm.
func threshold(windows []scoredWindow, budget Budget, days float64, gapNS, widthNS int64) (float64, Budget) {
	n := len(windows)
	spend, each := budget.AlarmsPerContainerDay*days, newEpisodeCounter(gapNS, widthNS)
	budget.Resolved = 1 / days
	if budget.FalsePositiveRate > 0 {
		spend, each.windows = budget.FalsePositiveRate*float64(n), true
		budget.Resolved = 1 / float64(n+1)
	}
	for at := 0; at < n; {
		score := windows[at].score
		for ; at < n && windows[at].score == score; at++ {
			each.add(windows[at])
		}
		if float64(each.n+each.most) > spend {
			return score, budget
		}
	}
	return windows[n-1].score, budget
}

// episodeCounter counts the episodes of windows that come in any order, or windows.
type episodeCounter struct {
	windows        bool // each by itself
	gapNS, widthNS int64
	n, most        int                        // of all, and of the container or minute that had most so far
	of             map[containerKey][]stretch // ascending, more than gapNS apart
	minutes        map[hostMinute]int         // windows, or containers
	told           map[containerMinute]bool
}

// hostMinute is a minute since 1970 of a host.
type hostMinute struct {
	host   string
	minute int64
}

type containerMinute struct {
	key    containerKey
	minute int64
}

func newEpisodeCounter(gapNS, widthNS int64) *episodeCounter {
	return &episodeCounter{gapNS: gapNS, widthNS: widthNS, of: map[containerKey][]stretch{},
		minutes: map[hostMinute]int{}, told: map[containerMinute]bool{}}
}

func (c *episodeCounter) add(w scoredWindow) {
	all, s := c.of[w.key], stretch{w.startNS, w.startNS + c.widthNS}
	i, to := len(all), len(all)
	if !c.windows {
		i, _ = slices.BinarySearchFunc(all, s.fromNS-c.gapNS, func(e stretch, ns int64) int { return cmp.Compare(e.toNS, ns) })
		for to = i; to < len(all) && all[to].fromNS-c.gapNS <= s.toNS; to++ { // all[i:to] are near
			s = stretch{min(s.fromNS, all[to].fromNS), max(s.toNS, all[to].toNS)}
		}
	}
	c.n += 1 - (to - i)
	c.of[w.key] = slices.Replace(all, i, to, s)
	in, own := hostMinute{w.key.host, w.startNS / int64(time.Minute)}, containerMinute{w.key, w.startNS / int64(time.Minute)}
	if c.windows || !c.told[own] {
		c.minutes[in]++
		c.told[own] = true
	}
	c.most = max(c.most, len(c.of[w.key]), c.minutes[in])
}

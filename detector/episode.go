package detector

import (
	"cmp"
	"slices"
	"time"
)

// Alarm is a window above the threshold.
type Alarm struct {
	Host        string
	ContainerID string
	FromNS      int64 // since 1970-01-01 UTC
	ToNS        int64 // exclusive
	Score       float64
}

// Episode is what one event looks like: alarms of one container with no more than a
// gap between them. People read episodes, not windows; a rate of false alarms that
// anybody feels is one of episodes.
type Episode struct {
	Host        string
	ContainerID string
	FromNS      int64   // start of the first alarm
	ToNS        int64   // end of the last one, exclusive
	PeakNS      int64   // start of the first alarm with the highest score
	Peak        float64 // that score
	Alarms      int
}

// Episodes merges alarms, in any order, where of one container the next begins at
// most gapNS after all before it have ended; a negative gap merges only windows that
// overlap. Episodes come by start, host and container. The same alarms in another
// order give the same episodes; alarms is not changed.
func Episodes(alarms []Alarm, gapNS int64) []Episode {
	sorted := slices.Clone(alarms)
	slices.SortFunc(sorted, func(a, b Alarm) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ContainerID, b.ContainerID),
			cmp.Compare(a.FromNS, b.FromNS), cmp.Compare(a.ToNS, b.ToNS), cmp.Compare(b.Score, a.Score))
	})
	var all []Episode
	for _, a := range sorted {
		if n := len(all) - 1; n >= 0 && all[n].Host == a.Host && all[n].ContainerID == a.ContainerID && a.FromNS-all[n].ToNS <= gapNS {
			all[n].Add(a)
			continue
		}
		all = append(all, BeginEpisode(a))
	}
	slices.SortFunc(all, func(a, b Episode) int {
		return cmp.Or(cmp.Compare(a.FromNS, b.FromNS), cmp.Compare(a.Host, b.Host), cmp.Compare(a.ContainerID, b.ContainerID))
	})
	return all
}

// BeginEpisode is the episode of one alarm.
func BeginEpisode(a Alarm) Episode {
	return Episode{a.Host, a.ContainerID, a.FromNS, a.ToNS, a.FromNS, a.Score, 1}
}

// Add takes in an alarm of the same container that does not begin before the last.
func (e *Episode) Add(a Alarm) {
	e.ToNS = max(e.ToNS, a.ToNS)
	e.Alarms++
	if a.Score > e.Peak {
		e.Peak, e.PeakNS = a.Score, a.FromNS
	}
}

// EpisodeGapNS is the longest silence within an episode unless somebody says
// otherwise: a minute, or the longer time scale where that is longer, for an attack
// stays in it. It is evaluate's aftermath too.
func (d *Detector) EpisodeGapNS() int64 {
	return max(int64(time.Minute), int64(d.Space.LongWindows)*d.Manifest.WidthNS)
}

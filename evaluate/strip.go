package evaluate

import (
	"fmt"

	"mayfly/page"
)

// strip is one container's timeline as the page draws it.
func (r *Report) strip(c *ContainerSummary) *page.Strip {
	t, label := c.Timeline, c.Name
	if label == "" {
		label = page.ShortID(c.ContainerID)
	}
	if label == "" {
		label = "host"
	}
	s := page.NewStrip(label, &page.Timeline{FromNS: t.FromNS, ToNS: t.ToNS, Peaks: t.Peaks, Alarms: t.Alarms},
		r.Histogram.Low, r.Histogram.High, r.AtThreshold.Threshold)
	s.Small, s.Sum = c.Workload, fmt.Sprintf("%s false alarms", page.Count(int64(c.NormalAlarms)))
	if c.Host != "" {
		s.Small += " on " + c.Host
	}
	if c.NormalAlarms == 1 {
		s.Sum = "1 false alarm"
	}
	for i := range t.Trained {
		s.Mark("trained", "learned from", t.Trained[i].FromNS, t.Trained[i].ToNS, false)
	}
	covered := t.FromNS // aftermath is drawn once where labels follow each other closely
	for i := range t.Attacks {
		a := &t.Attacks[i]
		if a.ToNS < t.FromNS || a.FromNS > t.ToNS {
			continue
		}
		class, title := "missed", a.Name+" (missed)"
		if a.Found {
			class, title = "found", a.Name+" (found)"
		}
		from, to := max(a.ToNS, covered), min(a.ToNS+r.Provenance.AftermathNS, t.ToNS)
		if from < to {
			covered = to
			s.Mark("aftermath", "aftermath of "+a.Name, from, to, false)
		}
		s.Mark(class, title, a.FromNS, a.ToNS, true)
		s.Name(class, a.Name)
	}
	return s
}

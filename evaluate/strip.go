package evaluate

import "time"

// A timeline's canvas; the page stretches it to its own width, so it holds no
// text.
const (
	stripWidth, stripHeight = 1000.0, 80.0
	narrowest               = 3.0 // a stretch of time is drawn no narrower
)

// timelineView is one container's timeline as the page draws it.
type timelineView struct {
	*ContainerSummary
	Label        string // the container's name, or what there is
	About        string
	Threshold    float64 // height of the line
	Scores, Area string
	Alarms       string
	Bands        []band
	From, To     string
	Span         string
	Chips        []chip
	MoreChips    int
}

// band is a stretch of time behind the scores.
type band struct {
	Class       string
	X, Width    float64
	Title, From string
	Cap         bool // an attack: marked at the top, where no alarm hides it
}

// chip names an attack above its timeline.
type chip struct{ Class, Text string }

const maxChips = 12

func (r *Report) timelineView(c *ContainerSummary) timelineView {
	t := c.Timeline
	y := scale{low: r.Histogram.Low, high: r.Histogram.High, from: stripHeight - 1, to: 7}
	v := timelineView{ContainerSummary: c, Label: c.Name, Threshold: y.at(r.AtThreshold.Threshold),
		From: clock(t.FromNS), To: clock(t.ToNS), Span: plainDuration(int64(time.Duration(t.ToNS - t.FromNS).Round(time.Second)))}
	if v.Label == "" {
		v.Label = shortID(c.ContainerID)
	}
	if v.Label == "" {
		v.Label = "host"
	}
	v.About = "scores of " + v.Label + " from " + v.From + " to " + v.To
	v.Scores, v.Area, v.Alarms = t.paths(y)
	at := func(ns int64) float64 {
		return min(max(stripWidth*float64(ns-t.FromNS)/float64(max(1, t.ToNS-t.FromNS)), 0), stripWidth)
	}
	add := func(class, title string, s *Stretch) {
		from, to := at(s.FromNS), at(s.ToNS)
		v.Bands = append(v.Bands, band{class, min(from, stripWidth-narrowest), max(narrowest, to-from), title, clock(s.FromNS), class == "found" || class == "missed"})
	}
	for i := range t.Trained {
		add("trained", "learned from", &t.Trained[i])
	}
	covered := t.FromNS // aftermath is drawn once where labels follow each other closely
	for i := range t.Attacks {
		s := &t.Attacks[i]
		if s.ToNS < t.FromNS || s.FromNS > t.ToNS {
			continue
		}
		class, title := "missed", s.Name+" (missed)"
		if s.Found {
			class, title = "found", s.Name+" (found)"
		}
		after := Stretch{FromNS: max(s.ToNS, covered), ToNS: min(s.ToNS+r.Provenance.AftermathNS, t.ToNS)}
		if after.FromNS < after.ToNS {
			covered = after.ToNS
			add("aftermath", "aftermath of "+s.Name, &after)
		}
		add(class, title, s)
		v.Chips = append(v.Chips, chip{class, s.Name})
	}
	v.Chips, v.MoreChips = clip(v.Chips, maxChips)
	return v
}

// paths draws the scores as steps, the area under them, and the buckets with
// alarms. Buckets without windows are gaps.
func (t *Timeline) paths(y scale) (scores, area, alarms string) {
	var line, fill, marks path
	width := stripWidth / float64(len(t.Peaks))
	for i, peak := range t.Peaks {
		if peak == nil {
			continue
		}
		left, right, top := width*float64(i), width*float64(i+1), y.at(*peak)
		if i == 0 || t.Peaks[i-1] == nil {
			line.move(left, top)
		} else {
			line.line(left, top)
		}
		line.line(right, top)
		fill.bar(left, stripHeight, right, top)
		if t.Alarms[i] > 0 {
			marks.bar(left, stripHeight, max(right, left+narrowest), top)
		}
	}
	return line.String(), fill.String(), marks.String()
}

package page

import "time"

// A strip's canvas; the page stretches it to its own width, so it holds no text.
const (
	stripWidth, stripHeight = 1000.0, 80.0
	narrowest               = 3.0 // a stretch of time is drawn no narrower
	maxChips                = 12
)

// Timeline is one container's scores in buckets of equal width.
type Timeline struct {
	FromNS, ToNS int64
	Peaks        []*float64 // largest score per bucket; nil without windows
	Alarms       []int
}

// Strip is a timeline as a page draws it.
type Strip struct {
	Label     string // whose scores they are
	About     string // for those who do not see it
	Small     string // beside the label
	Sum       string // at the end of the heading
	Threshold float64
	Scores    string
	Area      string
	Alarms    string
	Bands     []Band
	From, To  string
	Span      string
	Chips     []Chip
	MoreChips int

	fromNS, toNS int64
}

// Band is a stretch of time behind the scores.
type Band struct {
	Class       string
	X, Width    float64
	Title, From string
	Cap         bool // marked at the top, where no alarm hides it
}

// Chip is a word above a strip.
type Chip struct{ Class, Text string }

// NewStrip draws the scores of a timeline: between low and high, with a line at the
// threshold.
func NewStrip(label string, t *Timeline, low, high, threshold float64) *Strip {
	y := Scale{Low: low, High: high, From: stripHeight - 1, To: 7}
	s := &Strip{Label: label, Threshold: y.At(threshold), From: Clock(t.FromNS), To: Clock(t.ToNS),
		Span: Duration(int64(time.Duration(t.ToNS - t.FromNS).Round(time.Second))), fromNS: t.FromNS, toNS: t.ToNS}
	s.About = "scores of " + label + " from " + s.From + " to " + s.To
	s.Scores, s.Area, s.Alarms = t.paths(y)
	return s
}

// Mark puts a stretch of time behind the scores.
func (s *Strip) Mark(class, title string, fromNS, toNS int64, cap bool) {
	at := func(ns int64) float64 {
		return min(max(stripWidth*float64(ns-s.fromNS)/float64(max(1, s.toNS-s.fromNS)), 0), stripWidth)
	}
	from, to := at(fromNS), at(toNS)
	s.Bands = append(s.Bands, Band{class, min(from, stripWidth-narrowest), max(narrowest, to-from), title, Clock(fromNS), cap})
}

// Name puts a word above the strip; beyond a dozen they are counted.
func (s *Strip) Name(class, text string) {
	if len(s.Chips) == maxChips {
		s.MoreChips++
		return
	}
	s.Chips = append(s.Chips, Chip{class, text})
}

// paths draws the scores as steps, the area under them, and the buckets with
// alarms. Buckets without windows are gaps.
func (t *Timeline) paths(y Scale) (scores, area, alarms string) {
	var line, fill, marks Path
	width := stripWidth / float64(len(t.Peaks))
	for i, peak := range t.Peaks {
		if peak == nil {
			continue
		}
		left, right, top := width*float64(i), width*float64(i+1), y.At(*peak)
		if i == 0 || t.Peaks[i-1] == nil {
			line.Move(left, top)
		} else {
			line.Line(left, top)
		}
		line.Line(right, top)
		fill.Bar(left, stripHeight, right, top)
		if t.Alarms[i] > 0 {
			marks.Bar(left, stripHeight, max(right, left+narrowest), top)
		}
	}
	return line.String(), fill.String(), marks.String()
}

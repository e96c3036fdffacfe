package evaluate

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// The charts are written by hand rather than by gonum/plot, so that their
// colours are classes of the page: one drawing serves light, dark and paper.

// A chart's canvas, and the frame of its axes within it, in SVG units.
const (
	chartWidth, chartHeight = 420.0, 290.0
	frameLeft, frameRight   = 52.0, 408.0
	frameTop, frameBottom   = 12.0, 244.0
)

// chart is one drawing: axes, lines and marks, all in SVG units.
type chart struct {
	Title, About   string
	XLabel, YLabel string
	XTicks, YTicks []tick
	Lines          []stroke
	Dots           []dot
	Legend         []legend
}

type tick struct {
	At   float64
	Text string
}

// stroke is a path with the class that colours it.
type stroke struct{ Class, Path string }

type dot struct {
	Class string
	X, Y  float64
	Title string
}

type legend struct{ Class, Text string }

// scale maps values to SVG units, by logarithm where log is set; values outside
// [low, high] land on the nearer end.
type scale struct {
	low, high, from, to float64
	log                 bool
}

func (s scale) at(v float64) float64 {
	v = min(max(v, s.low), s.high)
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return s.from + (s.to-s.from)*(v-low)/(high-low)
}

func xScale(low, high float64, log bool) scale { return scale{low, high, frameLeft, frameRight, log} }
func yScale(low, high float64, log bool) scale { return scale{low, high, frameBottom, frameTop, log} }

// path builds an SVG path of numbers only.
type path struct{ strings.Builder }

func (p *path) move(x, y float64) { p.step('M', x, y) }
func (p *path) line(x, y float64) {
	if p.Len() == 0 {
		p.move(x, y)
		return
	}
	p.step('L', x, y)
}

func (p *path) step(op byte, x, y float64) {
	p.WriteByte(op)
	p.WriteString(coordinate(x))
	p.WriteByte(' ')
	p.WriteString(coordinate(y))
}

// bar draws a closed rectangle.
func (p *path) bar(x0, y0, x1, y1 float64) {
	p.move(x0, y0)
	p.line(x0, y1)
	p.line(x1, y1)
	p.line(x1, y0)
	p.WriteByte('Z')
}

func coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

func shareTicks(s scale) []tick {
	var out []tick
	for _, v := range []float64{0, 0.2, 0.4, 0.6, 0.8, 1} {
		out = append(out, tick{s.at(v), percent(v)})
	}
	return out
}

// rocCharts draws the curve on a linear axis, and on a logarithmic one for the
// low false-positive rates that matter in use.
func (r *Report) rocCharts() []chart {
	linear := xScale(0, 1, false)
	lowest := 1e-3
	for lowest > 1e-6 && lowest*float64(max(r.Windows.Normal, 1)) > 1 {
		lowest /= 10
	}
	logarithmic := xScale(lowest, 1, true)
	full := r.roc("ROC", linear)
	full.XTicks = shareTicks(linear)
	low := r.roc("ROC at low false-positive rates", logarithmic)
	for v := lowest; v < 1.01; v *= 10 {
		low.XTicks = append(low.XTicks, tick{logarithmic.at(v), percent(v)})
	}
	return []chart{full, low}
}

func (r *Report) roc(title string, x scale) chart {
	y := yScale(0, 1, false)
	var curve, chance path
	curve.move(x.at(0), y.at(0))
	last := 0.0
	for _, p := range r.Curve {
		curve.line(x.at(p.FPR), y.at(last))
		curve.line(x.at(p.FPR), y.at(p.Recall))
		last = p.Recall
	}
	curve.line(x.at(1), y.at(1))
	for i := range 101 {
		v := math.Pow(10, float64(i-100)/20)
		if !x.log {
			v = float64(i) / 100
		}
		chance.line(x.at(v), y.at(v))
	}
	area := bandPath(r.ROCBand, x, y)
	c := chart{Title: title, XLabel: "normal windows that alarm (FPR)", YLabel: "attack windows that alarm",
		YTicks: shareTicks(y),
		About:  "Share of attack windows that alarm against share of normal windows that alarm, AUROC " + r.AUROC.words(decimals),
		Lines:  []stroke{{"band", area}, {"chance", chance.String()}, {"curve", curve.String()}}}
	if r.AtThreshold.FPR != nil && r.AtThreshold.Recall != nil {
		c.Dots = []dot{{"point", x.at(*r.AtThreshold.FPR), y.at(*r.AtThreshold.Recall), "the detector's threshold"}}
	}
	c.Legend = []legend{{"curve", "AUROC " + r.AUROC.words(decimals)}, {"point", "at the threshold"}, {"chance", "chance"}}
	return c
}

// bandPath is the area between the bounds of a band, empty without a band.
func bandPath(band []Band, x, y scale) string {
	var area path
	for _, b := range band {
		area.line(x.at(b.At), y.at(b.High))
	}
	for _, b := range slices.Backward(band) {
		area.line(x.at(b.At), y.at(b.Low))
	}
	if area.Len() > 0 {
		area.WriteByte('Z')
	}
	return area.String()
}

func (r *Report) prChart() chart {
	x, y := xScale(0, 1, false), yScale(0, 1, false)
	var curve, base path
	last := 0.0 // steps, as average precision adds them up
	for _, p := range r.Curve {
		curve.line(x.at(last), y.at(p.Precision))
		curve.line(x.at(p.Recall), y.at(p.Precision))
		last = p.Recall
	}
	prevalence := float64(r.Windows.Attack) / float64(max(1, r.Windows.Attack+r.Windows.Normal))
	base.move(x.at(0), y.at(prevalence))
	base.line(x.at(1), y.at(prevalence))
	c := chart{Title: "Precision and recall", XLabel: "attack windows that alarm (recall)", YLabel: "alarms that are of attacks (precision)",
		XTicks: shareTicks(x), YTicks: shareTicks(y),
		About: "Precision against recall, AUPRC " + r.AUPRC.words(decimals),
		Lines: []stroke{{"band", bandPath(r.PRBand, x, y)}, {"chance", base.String()}, {"curve", curve.String()}}}
	if r.AtThreshold.Precision != nil && r.AtThreshold.Recall != nil {
		c.Dots = []dot{{"point", x.at(*r.AtThreshold.Recall), y.at(*r.AtThreshold.Precision), "the detector's threshold"}}
	}
	c.Legend = []legend{{"curve", "AUPRC " + r.AUPRC.words(decimals)}, {"point", "at the threshold"},
		{"chance", "chance: " + percent(prevalence)}}
	return c
}

// histogramChart draws counts on a logarithmic axis: attack windows are few.
func (r *Report) histogramChart() chart {
	h := &r.Histogram
	top := 10.0
	for i := range h.Normal {
		for float64(max(h.Normal[i], h.Attack[i])) > top {
			top *= 10
		}
	}
	x, y := xScale(h.Low, h.High, false), yScale(0.5, top, true)
	c := chart{Title: "Scores", XLabel: "score (higher is stranger)", YLabel: "windows",
		About: "How many normal and attack windows have which score"}
	for v := 1.0; v <= top; v *= 10 {
		c.YTicks = append(c.YTicks, tick{y.at(v), short(v)})
	}
	c.XTicks = roundTicks(x)
	bars := func(class string, counts []int, from, to float64) {
		var p path
		width := (frameRight - frameLeft) / float64(max(1, len(counts)))
		for i, n := range counts {
			if n > 0 {
				left := frameLeft + width*float64(i)
				p.bar(left+from*width, frameBottom, left+to*width, y.at(float64(n)))
			}
		}
		c.Lines = append(c.Lines, stroke{class, p.String()})
	}
	bars("normal", h.Normal, 0.04, 0.96)
	bars("attack", h.Attack, 0.24, 0.76)
	var line path
	line.move(x.at(r.AtThreshold.Threshold), frameBottom)
	line.line(x.at(r.AtThreshold.Threshold), frameTop)
	c.Lines = append(c.Lines, stroke{"threshold", line.String()})
	c.Legend = []legend{{"normal", "normal windows"}, {"attack", "attack windows"},
		{"threshold", "threshold " + decimals(r.AtThreshold.Threshold)}}
	return c
}

// roundTicks puts four to ten ticks at round values.
func roundTicks(s scale) []tick {
	step := math.Pow(10, math.Floor(math.Log10(s.high-s.low)))
	for _, finer := range []float64{2, 5, 10} {
		if (s.high-s.low)/step >= 4 {
			break
		}
		step = math.Pow(10, math.Floor(math.Log10(s.high-s.low))) / finer
	}
	var out []tick
	for i := math.Ceil(s.low / step); i*step <= s.high+step/1e6; i++ {
		out = append(out, tick{s.at(i * step), strconv.FormatFloat(i*step, 'g', 4, 64)})
	}
	return out
}

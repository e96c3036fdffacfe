package evaluate

import (
	"math"
	"slices"

	"mayfly/page"
)

// rocCharts draws the curve on a linear axis, and on a logarithmic one for the
// low false-positive rates that matter in use.
func (r *Report) rocCharts() []page.Chart {
	linear := page.XScale(0, 1, false)
	lowest := 1e-3
	for lowest > 1e-6 && lowest*float64(max(r.Windows.Normal, 1)) > 1 {
		lowest /= 10
	}
	logarithmic := page.XScale(lowest, 1, true)
	full := r.roc("ROC", linear)
	full.XTicks = page.ShareTicks(linear)
	low := r.roc("ROC at low false-positive rates", logarithmic)
	for v := lowest; v < 1.01; v *= 10 {
		low.XTicks = append(low.XTicks, page.Tick{At: logarithmic.At(v), Text: page.Percent(v)})
	}
	return []page.Chart{full, low}
}

func (r *Report) roc(title string, x page.Scale) page.Chart {
	y := page.YScale(0, 1, false)
	var curve, chance page.Path
	curve.Move(x.At(0), y.At(0))
	last := 0.0
	for _, p := range r.Curve {
		curve.Line(x.At(p.FPR), y.At(last))
		curve.Line(x.At(p.FPR), y.At(p.Recall))
		last = p.Recall
	}
	curve.Line(x.At(1), y.At(1))
	for i := range 101 {
		v := math.Pow(10, float64(i-100)/20)
		if !x.Log {
			v = float64(i) / 100
		}
		chance.Line(x.At(v), y.At(v))
	}
	area := bandPath(r.ROCBand, x, y)
	c := page.Chart{Title: title, XLabel: "normal windows that alarm (FPR)", YLabel: "attack windows that alarm",
		YTicks: page.ShareTicks(y),
		About:  "Share of attack windows that alarm against share of normal windows that alarm, AUROC " + r.AUROC.words(page.Decimals),
		Lines:  []page.Stroke{{Class: "band", Path: area}, {Class: "chance", Path: chance.String()}, {Class: "curve", Path: curve.String()}}}
	if r.AtThreshold.FPR != nil && r.AtThreshold.Recall != nil {
		c.Dots = []page.Dot{{Class: "point", X: x.At(*r.AtThreshold.FPR), Y: y.At(*r.AtThreshold.Recall), Title: "the detector's threshold"}}
	}
	c.Legend = []page.Legend{{Class: "curve", Text: "AUROC " + r.AUROC.words(page.Decimals)}, {Class: "point", Text: "at the threshold"}, {Class: "chance", Text: "chance"}}
	return c
}

// bandPath is the area between the bounds of a band, empty without a band.
func bandPath(band []Band, x, y page.Scale) string {
	var area page.Path
	for _, b := range band {
		area.Line(x.At(b.At), y.At(b.High))
	}
	for _, b := range slices.Backward(band) {
		area.Line(x.At(b.At), y.At(b.Low))
	}
	if area.Len() > 0 {
		area.WriteByte('Z')
	}
	return area.String()
}

func (r *Report) prChart() page.Chart {
	x, y := page.XScale(0, 1, false), page.YScale(0, 1, false)
	var curve, base page.Path
	last := 0.0 // steps, as average precision adds them up
	for _, p := range r.Curve {
		curve.Line(x.At(last), y.At(p.Precision))
		curve.Line(x.At(p.Recall), y.At(p.Precision))
		last = p.Recall
	}
	prevalence := float64(r.Windows.Attack) / float64(max(1, r.Windows.Attack+r.Windows.Normal))
	base.Move(x.At(0), y.At(prevalence))
	base.Line(x.At(1), y.At(prevalence))
	c := page.Chart{Title: "Precision and recall", XLabel: "attack windows that alarm (recall)", YLabel: "alarms that are of attacks (precision)",
		XTicks: page.ShareTicks(x), YTicks: page.ShareTicks(y),
		About: "Precision against recall, AUPRC " + r.AUPRC.words(page.Decimals),
		Lines: []page.Stroke{{Class: "band", Path: bandPath(r.PRBand, x, y)}, {Class: "chance", Path: base.String()}, {Class: "curve", Path: curve.String()}}}
	if r.AtThreshold.Precision != nil && r.AtThreshold.Recall != nil {
		c.Dots = []page.Dot{{Class: "point", X: x.At(*r.AtThreshold.Recall), Y: y.At(*r.AtThreshold.Precision), Title: "the detector's threshold"}}
	}
	c.Legend = []page.Legend{{Class: "curve", Text: "AUPRC " + r.AUPRC.words(page.Decimals)}, {Class: "point", Text: "at the threshold"},
		{Class: "chance", Text: "chance: " + page.Percent(prevalence)}}
	return c
}

// histogramChart draws counts on a logarithmic axis: attack windows are few.
func (r *Report) histogramChart() page.Chart {
	h := &r.Histogram
	top := 10.0
	for i := range h.Normal {
		for float64(max(h.Normal[i], h.Attack[i])) > top {
			top *= 10
		}
	}
	x, y := page.XScale(h.Low, h.High, false), page.YScale(0.5, top, true)
	c := page.Chart{Title: "Scores", XLabel: "score (higher is stranger)", YLabel: "windows",
		About: "How many normal and attack windows have which score"}
	for v := 1.0; v <= top; v *= 10 {
		c.YTicks = append(c.YTicks, page.Tick{At: y.At(v), Text: page.Short(v)})
	}
	c.XTicks = page.RoundTicks(x)
	bars := func(class string, counts []int, from, to float64) {
		var p page.Path
		width := (page.FrameRight - page.FrameLeft) / float64(max(1, len(counts)))
		for i, n := range counts {
			if n > 0 {
				left := page.FrameLeft + width*float64(i)
				p.Bar(left+from*width, page.FrameBottom, left+to*width, y.At(float64(n)))
			}
		}
		c.Lines = append(c.Lines, page.Stroke{Class: class, Path: p.String()})
	}
	bars("normal", h.Normal, 0.04, 0.96)
	bars("attack", h.Attack, 0.24, 0.76)
	var line page.Path
	line.Move(x.At(r.AtThreshold.Threshold), page.FrameBottom)
	line.Line(x.At(r.AtThreshold.Threshold), page.FrameTop)
	c.Lines = append(c.Lines, page.Stroke{Class: "threshold", Path: line.String()})
	c.Legend = []page.Legend{{Class: "normal", Text: "normal windows"}, {Class: "attack", Text: "attack windows"},
		{Class: "threshold", Text: "threshold " + page.Decimals(r.AtThreshold.Threshold)}}
	return c
}

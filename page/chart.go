package page

import (
	"math"
	"strconv"
)

// The charts are written by hand rather than by gonum/plot, so that their
// colours are classes of the page: one drawing serves light, dark and paper.

// The frame of a chart's axes, in SVG units; the template has the canvas around it.
const (
	FrameLeft   = 52.0
	FrameRight  = 408.0
	FrameTop    = 12.0
	FrameBottom = 244.0
)

// Chart is one drawing: axes, lines and marks, all in SVG units.
type Chart struct {
	Title, About   string
	XLabel, YLabel string
	XTicks, YTicks []Tick
	Lines          []Stroke
	Dots           []Dot
	Legend         []Legend
}

// Tick is a mark on an axis.
type Tick struct {
	At   float64
	Text string
}

// Stroke is a path with the class that colours it.
type Stroke struct{ Class, Path string }

// Dot is a point with what it says when it is pointed at.
type Dot struct {
	Class string
	X, Y  float64
	Title string
}

// Legend explains a class.
type Legend struct{ Class, Text string }

// XScale and YScale map values onto the axes of a chart.
func XScale(low, high float64, log bool) Scale { return Scale{low, high, FrameLeft, FrameRight, log} }

// YScale is XScale for the other axis.
func YScale(low, high float64, log bool) Scale { return Scale{low, high, FrameBottom, FrameTop, log} }

// ShareTicks are ticks of an axis from 0 to 1.
func ShareTicks(s Scale) []Tick {
	var out []Tick
	for _, v := range []float64{0, 0.2, 0.4, 0.6, 0.8, 1} {
		out = append(out, Tick{s.At(v), Percent(v)})
	}
	return out
}

// RoundTicks puts four to ten ticks at round values.
func RoundTicks(s Scale) []Tick {
	step := math.Pow(10, math.Floor(math.Log10(s.High-s.Low)))
	for _, finer := range []float64{2, 5, 10} {
		if (s.High-s.Low)/step >= 4 {
			break
		}
		step = math.Pow(10, math.Floor(math.Log10(s.High-s.Low))) / finer
	}
	var out []Tick
	for i := math.Ceil(s.Low / step); i*step <= s.High+step/1e6; i++ {
		out = append(out, Tick{s.At(i * step), strconv.FormatFloat(i*step, 'g', 4, 64)})
	}
	return out
}

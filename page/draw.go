package page

import (
	"math"
	"strconv"
	"strings"
)

// Scale maps values to SVG units, by logarithm where Log is set; values outside
// [Low, High] land on the nearer end.
type Scale struct {
	Low, High, From, To float64
	Log                 bool
}

// At is where a value lies.
func (s Scale) At(v float64) float64 {
	v = min(max(v, s.Low), s.High)
	low, high := s.Low, s.High
	if s.Log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return s.From + (s.To-s.From)*(v-low)/(high-low)
}

// Path builds an SVG path of numbers only.
type Path struct{ strings.Builder }

// Move begins a line.
func (p *Path) Move(x, y float64) { p.step('M', x, y) }

// Line draws on; the first one is a Move.
func (p *Path) Line(x, y float64) {
	if p.Len() == 0 {
		p.Move(x, y)
		return
	}
	p.step('L', x, y)
}

func (p *Path) step(op byte, x, y float64) {
	p.WriteByte(op)
	p.WriteString(coordinate(x))
	p.WriteByte(' ')
	p.WriteString(coordinate(y))
}

// Bar draws a closed rectangle.
func (p *Path) Bar(x0, y0, x1, y1 float64) {
	p.Move(x0, y0)
	p.Line(x0, y1)
	p.Line(x1, y1)
	p.Line(x1, y0)
	p.WriteByte('Z')
}

func coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

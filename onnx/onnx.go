package onnx

import (
	"fmt"
	"math"

	"mayfly/forest"
)

// Facts go into the model's metadata.
type Facts struct {
	Features []string          // names of the columns, one for each feature of the forest
	Doc      string            // one sentence for a person
	More     map[string]string // further entries of metadata_props
}

// maxBytes is the most that a protocol buffer may have.
const maxBytes = math.MaxInt32

// Isolation returns an isolation forest as an ONNX model. It refuses names that
// are not as many as the forest's features, and a forest too large for a protocol
// buffer (2 GiB).
func Isolation(f *forest.Isolation, facts Facts) ([]byte, error) {
	if err := facts.check(f.Features()); err != nil {
		return nil, err
	}
	var g graph
	score, err := g.isolation(f)
	if err != nil {
		return nil, err
	}
	g.op("Identity", outputName, []string{score})
	return g.model("isolation forest", facts)
}

// Random returns a random forest as an ONNX model; the score is the probability
// of class 1. It refuses what Isolation refuses.
func Random(f *forest.Random, facts Facts) ([]byte, error) {
	if err := facts.check(f.Features()); err != nil {
		return nil, err
	}
	var g graph
	mean, err := g.trees(f)
	if err != nil {
		return nil, err
	}
	g.op("Cast", outputName, []string{mean}, intAttribute("to", elementFloat))
	return g.model("random forest", facts)
}

// isolation adds a forest over some of the columns, all where that is nil, and
// returns the name of its score in float32.
func (g *graph) isolation(f *forest.Isolation) (string, error) {
	scale, offset := 0.0, -1.0 // 2^-1 where nothing is known
	if c := f.MeanPath(); c > 0 {
		scale, offset = -1/c, 0
	}
	path, err := g.trees(f)
	if err != nil {
		return "", err
	}
	if low, high := f.Box(); low != nil {
		path = g.shorten(path, low, high)
	}
	g.constant("scale", scale)
	g.constant("offset", offset)
	g.constant("two", 2)
	g.op("Mul", "scaled", []string{path, "scale"})
	g.op("Add", "exponent", []string{"scaled", "offset"})
	g.op("Pow", "power", []string{"two", "exponent"})
	return g.op("Cast", "strangeness", []string{"power"}, intAttribute("to", elementFloat)), nil
}

// shorten adds what a box takes from a path (package forest, box) and returns the
// name of what is left of it.
func (g *graph) shorten(path string, low, high []float32) string {
	n := len(low)
	input := g.reads()
	lows, highs, widths := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range low {
		lows[i], highs[i] = float64(low[i]), float64(high[i])
		widths[i] = math.Max(highs[i]-lows[i], 1)
		if low[i] > high[i] { // no training value: nothing lies outside
			lows[i], highs[i], widths[i] = -math.MaxFloat32, math.MaxFloat32, 1
		}
	}
	g.row("low", lows)
	g.row("high", highs)
	g.row("width", widths)
	g.indices("columns", []int{1})
	g.constant("zero", 0)
	g.constant("one", 1)
	g.constant("half", 0.5)
	g.constant("sixth", 1.0/6)
	g.constant("near", 1e-4)
	g.constant("least", -math.MaxFloat32)
	g.constant("greatest", math.MaxFloat32)
	g.op("IsNaN", "missing", []string{input})
	g.op("Cast", "values", []string{input}, intAttribute("to", elementDouble))
	g.op("Where", "known", []string{"missing", "low", "values"})
	g.op("Min", "below", []string{"known", "greatest"})
	g.op("Max", "finite", []string{"below", "least"})
	g.op("Sub", "above_high", []string{"finite", "high"})
	g.op("Sub", "below_low", []string{"low", "finite"})
	g.op("Max", "beyond", []string{"above_high", "below_low", "zero"})
	g.op("Div", "outside", []string{"beyond", "width"})
	g.op("ReduceSum", "distance", []string{"outside", "columns"}, intAttribute("keepdims", 1))

	g.op("Neg", "minus_distance", []string{"distance"})
	g.op("Exp", "stays", []string{"minus_distance"})
	g.op("Sub", "leaves", []string{"one", "stays"})
	g.op("Max", "divisor", []string{"distance", "near"})
	g.op("Div", "far", []string{"leaves", "divisor"})
	g.op("Mul", "sixth_distance", []string{"distance", "sixth"})
	g.op("Sub", "inner", []string{"half", "sixth_distance"})
	g.op("Mul", "taken", []string{"inner", "distance"})
	g.op("Sub", "close", []string{"one", "taken"})
	g.op("Less", "is_close", []string{"distance", "near"})
	g.op("Where", "share", []string{"is_close", "close", "far"})
	return g.op("Mul", "shortened", []string{path, "share"})
}

// tooLarge refuses a forest whose model would not fit.
func tooLarge(nodes int) error {
	if nodes > maxBytes/40 {
		return fmt.Errorf("forest of %d nodes: too large for ONNX, which holds 2 GiB", nodes)
	}
	return nil
}

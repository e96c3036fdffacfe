package onnx

import (
	"fmt"
	"math"

	"mayfly/forest"
)

// Member is an isolation forest over some of the features whose score is turned
// into how rare it is: with v = -ln(-log2(score)), kept within Least and Greatest,
// nats are interpolated between the knots (At, Nats), are those of the first knot
// before it, and grow by Slope beyond the last one up to Most; Offset is added.
type Member struct {
	Forest  *forest.Isolation
	Columns []int // of the features, one for each of the forest's

	At, Nats        []float64 // knots, at least one, At ascending
	Slope, Most     float64
	Least, Greatest float64
	Offset          float64
}

// Rarest returns forests over families of features as one ONNX model, whose score
// is nats/(1+nats), nats being the greatest of the members' and of 0. It refuses what
// Isolation refuses, and members that do not fit the features.
func Rarest(members []Member, facts Facts) ([]byte, error) {
	if err := facts.check(len(facts.Features)); err != nil {
		return nil, err
	}
	var g graph
	var all []string
	for i, m := range members {
		if err := m.check(len(facts.Features)); err != nil {
			return nil, fmt.Errorf("forest %d: %w", i, err)
		}
		g.part = fmt.Sprintf("forest%d_", i)
		score, err := g.isolation(m.Forest, m.Columns)
		if err != nil {
			return nil, fmt.Errorf("forest %d: %w", i, err)
		}
		all = append(all, g.nats(score, &m))
	}
	g.part = ""
	g.constant("nothing", 0)
	g.constant("unit", 1)
	g.op("Max", "nats", append(all, "nothing"))
	g.op("Add", "more", []string{"nats", "unit"})
	g.op("Div", "rarity", []string{"nats", "more"})
	g.op("Cast", outputName, []string{"rarity"}, intAttribute("to", elementFloat))
	return g.model("isolation forests over families of features", facts)
}

func (m *Member) check(features int) error {
	if len(m.At) == 0 || len(m.At) != len(m.Nats) {
		return fmt.Errorf("knots: want as many places as nats, at least one, got %d and %d", len(m.At), len(m.Nats))
	}
	if len(m.Columns) != m.Forest.Features() {
		return fmt.Errorf("columns: want %d, got %d", m.Forest.Features(), len(m.Columns))
	}
	for _, c := range m.Columns {
		if c < 0 || c >= features {
			return fmt.Errorf("column: want 0 to %d, got %d", features-1, c)
		}
	}
	return nil
}

// nats adds the interpolation as a sum over the segments between knots, of how far
// into each of them v reaches times its slope.
func (g *graph) nats(score string, m *Member) string {
	last := len(m.At) - 1
	lengths, slopes := make([]float64, last+1), make([]float64, last+1)
	for i := range last {
		lengths[i] = m.At[i+1] - m.At[i]
		slopes[i] = (m.Nats[i+1] - m.Nats[i]) / lengths[i]
	}
	lengths[last], slopes[last] = math.MaxFloat32, m.Slope
	g.row("knots", m.At)
	g.row("lengths", lengths)
	g.row("slopes", slopes)
	g.indices("segments", []int{1})
	g.constant("ln2", math.Ln2)
	g.constant("nought", 0)
	g.constant("least_place", m.Least)
	g.constant("greatest_place", m.Greatest)
	g.constant("first_nats", m.Nats[0])
	g.constant("most_nats", m.Most)
	g.constant("own_part", m.Offset)

	g.op("Cast", "double_score", []string{score}, intAttribute("to", elementDouble))
	g.op("Log", "ln_score", []string{"double_score"})
	g.op("Neg", "minus_ln", []string{"ln_score"})
	g.op("Div", "minus_log2", []string{"minus_ln", "ln2"})
	g.op("Log", "ln_log", []string{"minus_log2"})
	g.op("Neg", "stretched", []string{"ln_log"})
	g.op("Max", "not_below", []string{"stretched", "least_place"})
	g.op("Min", "place", []string{"not_below", "greatest_place"})
	g.op("Sub", "into", []string{"place", "knots"})
	g.op("Max", "into_or_before", []string{"into", "nought"})
	g.op("Min", "reach", []string{"into_or_before", "lengths"})
	g.op("Mul", "gains", []string{"reach", "slopes"})
	g.op("ReduceSum", "gain", []string{"gains", "segments"}, intAttribute("keepdims", 1))
	g.op("Add", "unbounded", []string{"gain", "first_nats"})
	g.op("Min", "own_nats", []string{"unbounded", "most_nats"})
	return g.op("Add", "weighted", []string{"own_nats", "own_part"})
}

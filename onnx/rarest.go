package onnx

import (
	"fmt"
	"math"

	"mayfly/forest"
)

// Member is an isolation forest over some of the features, or one feature by itself,
// whose score is turned into how rare it is: with v = -ln(-log2(score)), of a feature
// by itself its value, 0 where that is not known, kept within Least and Greatest,
// nats are interpolated between the knots (At, Nats), are those of the first knot
// before it, and grow by Slope beyond the last one up to Most; Offset is added.
type Member struct {
	Forest  *forest.Isolation // nil: the feature by itself
	Columns []int             // of the features, one for each of the forest's
	Floors  []float32         // beside Columns: what is less counts as this; nil: none

	At, Nats        []float64 // knots, at least one, At ascending
	Slope, Most     float64
	Least, Greatest float64
	Offset          float64
}

// Rarest returns forests over families of features as one ONNX model, whose score
// is nats/(1+nats), nats being the logarithm of the sum of the members' exponentials,
// at least 0. It refuses what Isolation refuses, and members that do not fit the
// features.
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
		g.raise(&m)
		place := ""
		if m.Forest == nil {
			place = g.bits()
		} else {
			score, err := g.isolation(m.Forest)
			if err != nil {
				return nil, fmt.Errorf("forest %d: %w", i, err)
			}
			place = g.stretched(score)
		}
		all = append(all, g.nats(place, &m))
	}
	g.part, g.input = "", ""
	g.constant("nothing", 0)
	g.constant("unit", 1)
	g.op("Max", "greatest_nats", all) // first, or its exponential might be infinite
	sum := ""
	for i, nats := range all {
		g.op("Sub", fmt.Sprintf("less%d", i), []string{nats, "greatest_nats"})
		sum = g.added(sum, g.op("Exp", fmt.Sprintf("part%d", i), []string{fmt.Sprintf("less%d", i)}), i)
	}
	g.op("Log", "ln_sum", []string{sum})
	g.op("Add", "joined", []string{"ln_sum", "greatest_nats"})
	g.op("Max", "nats", []string{"joined", "nothing"})
	g.op("Add", "more", []string{"nats", "unit"})
	g.op("Div", "rarity", []string{"nats", "more"})
	g.op("Cast", outputName, []string{"rarity"}, intAttribute("to", elementFloat))
	return g.model("isolation forests over families of features", facts)
}

func (m *Member) check(features int) error {
	if len(m.At) == 0 || len(m.At) != len(m.Nats) {
		return fmt.Errorf("knots: want as many places as nats, at least one, got %d and %d", len(m.At), len(m.Nats))
	}
	want := 1
	if m.Forest != nil {
		want = m.Forest.Features()
	}
	if len(m.Columns) != want {
		return fmt.Errorf("columns: want %d, got %d", want, len(m.Columns))
	}
	if m.Floors != nil && len(m.Floors) != want {
		return fmt.Errorf("floors: want %d, got %d", want, len(m.Floors))
	}
	for _, c := range m.Columns {
		if c < 0 || c >= features {
			return fmt.Errorf("column: want 0 to %d, got %d", features-1, c)
		}
	}
	return nil
}

// added is the sum of what stands before and one more.
func (g *graph) added(sum, more string, i int) string {
	if sum == "" {
		return more
	}
	return g.op("Add", fmt.Sprintf("sum%d", i), []string{sum, more})
}

// raise makes the member's own columns, raised to their floors, the input.
func (g *graph) raise(m *Member) {
	g.input = ""
	g.indices("chosen", m.Columns)
	own := g.op("Gather", "own", []string{inputName, "chosen"}, intAttribute("axis", 1))
	if m.Floors != nil {
		floors := make([]float64, len(m.Floors))
		for i, v := range m.Floors {
			floors[i] = float64(v)
		}
		g.row("floors", floors)
		g.op("Cast", "own_values", []string{own}, intAttribute("to", elementDouble))
		g.op("Less", "is_low", []string{"own_values", "floors"}) // what is not known is not
		g.op("Where", "raised", []string{"is_low", "floors", "own_values"})
		own = g.op("Cast", "own_raised", []string{"raised"}, intAttribute("to", elementFloat))
	}
	g.input = own
}

// stretched is the place of a forest's score.
func (g *graph) stretched(score string) string {
	g.constant("ln2", math.Ln2)
	g.op("Cast", "double_score", []string{score}, intAttribute("to", elementDouble))
	g.op("Log", "ln_score", []string{"double_score"})
	g.op("Neg", "minus_ln", []string{"ln_score"})
	g.op("Div", "minus_log2", []string{"minus_ln", "ln2"})
	g.op("Log", "ln_log", []string{"minus_log2"})
	return g.op("Neg", "stretched", []string{"ln_log"})
}

// bits is the place of a feature by itself.
func (g *graph) bits() string {
	g.constant("no_bits", 0)
	g.op("Cast", "bits", []string{g.reads()}, intAttribute("to", elementDouble))
	g.op("IsNaN", "unknown_bits", []string{g.reads()})
	return g.op("Where", "known_bits", []string{"unknown_bits", "no_bits", "bits"})
}

// nats adds the interpolation as a sum over the segments between knots, of how far
// into each of them v reaches times its slope.
func (g *graph) nats(place string, m *Member) string {
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
	g.constant("nought", 0)
	g.constant("least_place", m.Least)
	g.constant("greatest_place", m.Greatest)
	g.constant("first_nats", m.Nats[0])
	g.constant("most_nats", m.Most)
	g.constant("own_part", m.Offset)

	g.op("Max", "not_below", []string{place, "least_place"})
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

package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mayfly/forest"
)

const (
	inputName  = "features"
	outputName = "score"

	irVersion   = 8
	opset       = 13 // of ai.onnx
	opsetML     = 3  // of ai.onnx.ml
	domainML    = "ai.onnx.ml"
	metaColumns = "features" // metadata: names of the columns, one per line
)

// graph is the nodes and constants of a model.
type graph struct {
	nodes, initializers []message
	part                string          // begins the names of the forest that is being added
	known               map[string]bool // full names that there are
	input               string          // what the forest reads; "": the features
}

// reads is the full name of what the forest reads.
func (g *graph) reads() string {
	if g.input == "" {
		return inputName
	}
	return g.input
}

// name is the full name of what the part calls so; the input has one name in all.
func (g *graph) name(name string) string {
	if full := g.part + name; g.known[full] {
		return full
	}
	return name
}

// define notes a name of the part and returns it in full.
func (g *graph) define(name string) string {
	if g.known == nil {
		g.known = map[string]bool{}
	}
	full := g.part + name
	if name == outputName {
		full = name
	}
	g.known[full] = true
	return full
}

// op adds an operator and returns the full name of its output.
func (g *graph) op(op, output string, inputs []string, attributes ...message) string {
	return g.nodeOf("", op, output, inputs, attributes...)
}

func (g *graph) nodeOf(domain, op, output string, inputs []string, attributes ...message) string {
	full := make([]string, len(inputs))
	for i, name := range inputs {
		full[i] = g.name(name)
	}
	out := g.define(output)
	g.nodes = append(g.nodes, node(domain, op, full, out, attributes...))
	return out
}

// constant adds a double that has no shape.
func (g *graph) constant(name string, v float64) {
	g.initializers = append(g.initializers, tensor(g.define(name), -1, v))
}

// row adds doubles of shape [1, n].
func (g *graph) row(name string, v []float64) {
	g.initializers = append(g.initializers, tensor(g.define(name), len(v), v...))
}

// indices adds whole numbers of shape [n].
func (g *graph) indices(name string, v []int) {
	g.initializers = append(g.initializers, indices(g.define(name), v))
}

// ensemble is the part of a forest that is written.
type ensemble interface {
	Features() int
	Trees() int
	Nodes(tree int) []forest.Node
}

// check refuses names that are not the forest's.
func (facts Facts) check(features int) error {
	if len(facts.Features) != features {
		return fmt.Errorf("names: want one for each of %d features, got %d", features, len(facts.Features))
	}
	for i, name := range facts.Features {
		if name == "" || strings.ContainsAny(name, "\n\r") {
			return fmt.Errorf("name of feature %d: want one line of text, got %q", i, name)
		}
	}
	return nil
}

// trees adds a forest and returns the name of the mean of what its trees answer, in
// double.
func (g *graph) trees(f ensemble) (string, error) {
	var ids, treeIDs, features, yes, no, missing, targetTrees, targetNodes []int64
	var values, weights []float32
	var modes []string
	for t := range f.Trees() {
		nodes := f.Nodes(t)
		if err := tooLarge(len(ids) + len(nodes)); err != nil {
			return "", err
		}
		for i, n := range nodes {
			ids, treeIDs = append(ids, int64(i)), append(treeIDs, int64(t))
			if n.Leaf {
				modes = append(modes, "LEAF")
				features, values = append(features, 0), append(values, 0)
				yes, no, missing = append(yes, 0), append(no, 0), append(missing, 0)
				targetTrees, targetNodes = append(targetTrees, int64(t)), append(targetNodes, int64(i))
				weights = append(weights, n.Answer)
				continue
			}
			modes = append(modes, "BRANCH_LEQ")
			features, values = append(features, int64(n.Feature)), append(values, threshold(n.Threshold))
			yes, no = append(yes, int64(n.Left)), append(no, int64(n.Right))
			missing = append(missing, bit(n.MissingLeft))
		}
	}
	g.nodeOf(domainML, "TreeEnsembleRegressor", "answers", []string{g.reads()},
		stringAttribute("aggregate_function", "SUM"),
		intAttribute("n_targets", 1),
		intsAttribute("nodes_falsenodeids", no),
		intsAttribute("nodes_featureids", features),
		intsAttribute("nodes_missing_value_tracks_true", missing),
		stringsAttribute("nodes_modes", modes),
		intsAttribute("nodes_nodeids", ids),
		intsAttribute("nodes_treeids", treeIDs),
		intsAttribute("nodes_truenodeids", yes),
		floatsAttribute("nodes_values", values),
		stringAttribute("post_transform", "NONE"),
		intsAttribute("target_ids", make([]int64, len(weights))),
		intsAttribute("target_nodeids", targetNodes),
		intsAttribute("target_treeids", targetTrees),
		floatsAttribute("target_weights", weights),
	)
	g.op("Cast", "sum", []string{"answers"}, intAttribute("to", elementDouble))
	g.constant("trees", float64(f.Trees()))
	return g.op("Div", "mean", []string{"sum", "trees"}), nil
}

// threshold is +Inf for the greatest float32, which infinity counts as.
func threshold(v float32) float32 {
	if v == math.MaxFloat32 {
		return float32(math.Inf(1))
	}
	return v
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// model is the ModelProto.
func (g *graph) model(name string, facts Facts) ([]byte, error) {
	var m message
	for _, n := range g.nodes {
		m = m.message(1, n)
	}
	m = m.text(2, name)
	for _, t := range g.initializers {
		m = m.message(5, t)
	}
	m = m.message(11, value(inputName, int64(len(facts.Features)))).message(12, value(outputName, 1))

	model := message(nil).int(1, irVersion).text(2, "mayfly")
	if facts.Doc != "" {
		model = model.text(6, facts.Doc)
	}
	model = model.message(7, m)
	model = model.message(8, message(nil).text(1, "").int(2, opset))
	model = model.message(8, message(nil).text(1, domainML).int(2, opsetML))
	meta := map[string]string{metaColumns: strings.Join(facts.Features, "\n")}
	for k, v := range facts.More {
		meta[k] = v
	}
	var keys []string
	for k := range meta {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		model = model.message(14, message(nil).text(1, k).text(2, meta[k]))
	}
	if len(model) > maxBytes {
		return nil, fmt.Errorf("model of %d bytes: too large for ONNX, which holds 2 GiB", len(model))
	}
	return model, nil
}

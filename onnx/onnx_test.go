package onnx_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/forest"
	"mayfly/onnx"
)

// element is an operator that takes each element for itself.
func (o operator) element(a []float64) (float64, error) {
	truth := func(b bool) (float64, error) {
		if b {
			return 1, nil
		}
		return 0, nil
	}
	switch o.op {
	case "Cast":
		if o.attributes["to"].int(3) == 1 {
			return float64(float32(a[0])), nil
		}
		return a[0], nil
	case "Add":
		return a[0] + a[1], nil
	case "Sub":
		return a[0] - a[1], nil
	case "Mul":
		return a[0] * a[1], nil
	case "Div":
		return a[0] / a[1], nil
	case "Pow":
		return math.Pow(a[0], a[1]), nil
	case "Exp":
		return math.Exp(a[0]), nil
	case "Identity":
		return a[0], nil
	case "Log":
		return math.Log(a[0]), nil
	case "Neg":
		return -a[0], nil
	case "IsNaN":
		return truth(math.IsNaN(a[0]))
	case "Less":
		return truth(a[0] < a[1])
	case "Where":
		if a[0] != 0 {
			return a[1], nil
		}
		return a[2], nil
	case "Min", "Max":
		v := a[0]
		for _, b := range a[1:] {
			if o.op == "Min" {
				v = math.Min(v, b)
			} else {
				v = math.Max(v, b)
			}
		}
		return v, nil
	}
	return 0, fmt.Errorf("operator %s", o.op)
}

// ensemble is TreeEnsembleRegressor. Nodes are found by the pair of tree and node,
// whatever their order.
func (o operator) ensemble(t testing.TB, x matrix) (matrix, error) {
	type id struct{ tree, node int64 }
	at, weight := map[id]int{}, map[id]float32{}
	trees, nodes := o.ints(t, "nodes_treeids"), o.ints(t, "nodes_nodeids")
	var roots []id
	for i := range nodes {
		key := id{trees[i], nodes[i]}
		if _, twice := at[key]; twice {
			return matrix{}, fmt.Errorf("tree %d: node %d: stands there twice", key.tree, key.node)
		}
		at[key] = i
		if i == 0 || trees[i] != trees[i-1] {
			roots = append(roots, key)
		}
	}
	targetNodes, weights := o.ints(t, "target_nodeids"), o.floats("target_weights")
	for i, tree := range o.ints(t, "target_treeids") {
		weight[id{tree, targetNodes[i]}] = weights[i]
	}
	yes, no, missing := o.ints(t, "nodes_truenodeids"), o.ints(t, "nodes_falsenodeids"), o.ints(t, "nodes_missing_value_tracks_true")
	features, values := o.ints(t, "nodes_featureids"), o.floats("nodes_values")
	if o.attributes["n_targets"].int(3) != 1 || o.attributes["aggregate_function"].text(4) != "SUM" || o.attributes["post_transform"].text(4) != "NONE" {
		return matrix{}, errors.New("TreeEnsembleRegressor: want one target, SUM and NONE")
	}
	out := matrix{x.rows, 1, make([]float64, x.rows)}
	for r := range x.rows {
		var sum float32
		for _, key := range roots {
			for {
				i := at[key]
				mode := string(o.attributes["nodes_modes"][9][i].b)
				if mode == "LEAF" {
					break
				}
				v := float32(x.at(r, int(features[i])))
				if mode != "BRANCH_LEQ" {
					return matrix{}, fmt.Errorf("mode %s", mode)
				}
				if v <= values[i] || v != v && missing[i] == 1 {
					key.node = yes[i]
				} else {
					key.node = no[i]
				}
			}
			w, ok := weight[key]
			if !ok {
				return matrix{}, fmt.Errorf("tree %d: leaf %d has no target", key.tree, key.node)
			}
			sum += w
		}
		out.v[r] = float64(sum)
	}
	return out, nil
}

// odd returns columns with missing and infinite values, a constant one and one
// that is always missing.
func odd(seed uint64, rows int) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([][]float32, 6)
	for f := range x {
		for range rows {
			v := r.NormFloat64() * 3
			switch u := r.IntN(20); {
			case u == 0 || f == 5:
				v = math.NaN()
			case u == 1:
				v = math.Inf(1)
			case u == 2:
				v = math.Inf(-1)
			case f == 4:
				v = 2
			}
			x[f] = append(x[f], float32(v))
		}
	}
	return x
}

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("feature %d", i)
	}
	return out
}

var dump = flag.String("dump", "", "folder to write models, rows and scores into, for testdata/onnxruntime.js")

// write puts a model, its rows and their scores into a folder.
func write(t *testing.T, model []byte, x matrix, want []float32) {
	var rows, scores []byte
	for _, v := range x.v {
		rows = binary.LittleEndian.AppendUint32(rows, math.Float32bits(float32(v)))
	}
	for _, v := range want {
		scores = binary.LittleEndian.AppendUint32(scores, math.Float32bits(v))
	}
	name := filepath.Join(*dump, strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
	for suffix, content := range map[string][]byte{".onnx": model, ".rows": rows, ".scores": scores} {
		if err := os.WriteFile(name+suffix, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, b []byte, score func([][]float32, []float32, int) error, x [][]float32, within float64) {
	t.Helper()
	rows := len(x[0])
	want := make([]float32, rows)
	if err := score(x, want, 1); err != nil {
		t.Fatal(err)
	}
	in := matrix{rows, len(x), make([]float64, rows*len(x))}
	for f, column := range x {
		for r, v := range column {
			in.v[r*len(x)+f] = float64(v)
		}
	}
	if *dump != "" {
		write(t, b, in, want)
	}
	m := read(t, b)
	if m.columns != len(x) || m.opsets[""] != 13 || m.opsets["ai.onnx.ml"] != 3 {
		t.Errorf("got %d columns and operators %v, want %d, 13 and 3 of ai.onnx.ml", m.columns, m.opsets, len(x))
	}
	worst := 0.0
	for r, got := range m.run(t, in) {
		diff := math.Abs(got - float64(want[r]))
		worst = max(worst, diff)
		if !(diff < within) {
			t.Fatalf("row %d: got %v, want %v", r, got, want[r])
		}
	}
	t.Logf("largest difference %.2g over %d rows", worst, rows)
}

func TestIsolation(t *testing.T) {
	train, test := odd(1, 1500), odd(2, 700)
	for f := range test { // outside of the box, near and far
		test[f][0], test[f][1], test[f][2] = 1e30, -40, 2.000001
	}
	for _, c := range []struct {
		name string
		rows int
		box  bool
	}{{"plain", 1500, false}, {"box", 1500, true}, {"one row", 1, false}, {"one row and box", 1, true}} {
		t.Run(c.name, func(t *testing.T) {
			x := make([][]float32, len(train))
			for f := range x {
				x[f] = train[f][:c.rows]
			}
			opts := forest.DefaultIsolationOptions()
			opts.Box = c.box
			f, err := forest.FitIsolation(x, opts)
			if err != nil {
				t.Fatal(err)
			}
			b, err := onnx.Isolation(f, onnx.Facts{Features: names(6), Doc: "a test", More: map[string]string{"threshold": "0.7"}})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, b, f.Score, test, 1e-6)
			if meta := read(t, b).meta; meta["threshold"] != "0.7" || meta["features"] != strings.Join(names(6), "\n") {
				t.Errorf("metadata: got %q", meta)
			}
		})
	}
}

func TestRandom(t *testing.T) {
	x, y := odd(3, 1200), make([]uint8, 1200)
	for r := range y {
		if x[0][r] > 1 || x[1][r] != x[1][r] {
			y[r] = 1
		}
	}
	opts := forest.DefaultRandomOptions()
	opts.NEstimators = 30
	f, err := forest.FitRandom(x, y, opts)
	if err != nil {
		t.Fatal(err)
	}
	greatest := false // a split that only missing values leave to the right
	for i := range f.Trees() {
		for _, n := range f.Nodes(i) {
			greatest = greatest || n.Threshold == math.MaxFloat32
		}
	}
	if !greatest {
		t.Error("no split at the greatest float32: the test wants one")
	}
	b, err := onnx.Random(f, onnx.Facts{Features: names(6)})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, b, f.Score, odd(4, 600), 1e-6)
}

func TestRefuses(t *testing.T) {
	f, err := forest.FitIsolation([][]float32{{1, 2, 3}}, forest.DefaultIsolationOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, "names: want one for each of 1 features, got 0"},
		{[]string{"a\nb"}, "name of feature 0"},
		{[]string{""}, "name of feature 0"},
	} {
		if _, err := onnx.Isolation(f, onnx.Facts{Features: c.names}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want %s", c.names, err, c.want)
		}
	}
}

// curve is Member's, from its doc comment.
func curve(m *onnx.Member, score float64) float64 {
	v := -math.Log(-math.Log2(score))
	if m.Forest == nil {
		if v = score; v != v {
			v = 0
		}
	}
	v = math.Min(math.Max(v, m.Least), m.Greatest)
	last := len(m.At) - 1
	switch {
	case v <= m.At[0]:
		return m.Nats[0] + m.Offset
	case v > m.At[last]:
		return math.Min(m.Nats[last]+m.Slope*(v-m.At[last]), m.Most) + m.Offset
	}
	i := 1
	for m.At[i] < v {
		i++
	}
	part := (v - m.At[i-1]) / (m.At[i] - m.At[i-1])
	return m.Nats[i-1] + part*(m.Nats[i]-m.Nats[i-1]) + m.Offset
}

func TestRarest(t *testing.T) {
	train, test := odd(1, 1500), odd(2, 700)
	for f := range test {
		test[f][0], test[f][1], test[f][2] = 1e30, -40, 2.000001
	}
	members := []onnx.Member{
		{Columns: []int{1, 3, 4}, At: []float64{-0.5, 0.3, 0.4, 1.1}, Nats: []float64{0.01, 0.5, 2, 5}, Slope: 1.7, Most: 30, Least: -5, Greatest: 17, Offset: math.Log(0.7)},
		{Columns: []int{0, 1, 2, 3, 4, 5}, At: []float64{0.6}, Nats: []float64{0.2}, Slope: 3, Most: 20, Least: -5, Greatest: 17, Offset: math.Log(0.3)},
		{Columns: []int{2}, At: []float64{0, 0.01, 0.9}, Nats: []float64{0, 0.4, 0.6}, Slope: 0.5, Most: 20, Least: 0, Greatest: 99, Offset: math.Log(0.2)},
	}
	members[0].Floors = []float32{0.1, float32(math.Inf(-1)), 0}
	for i := range members[:2] {
		m := &members[i]
		opts := forest.DefaultIsolationOptions()
		opts.Box = i == 0
		var err error
		if m.Forest, err = forest.FitIsolation(chosen(train, m.Columns), opts); err != nil {
			t.Fatal(err)
		}
	}
	b, err := onnx.Rarest(members, onnx.Facts{Features: names(6)})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, b, func(x [][]float32, out []float32, threads int) error {
		sum := make([]float64, len(out))
		for i := range members {
			own := chosen(x, members[i].Columns)
			for c, floor := range members[i].Floors {
				own[c] = slices.Clone(own[c])
				for r, v := range own[c] {
					if v < floor {
						own[c][r] = floor
					}
				}
			}
			if members[i].Forest == nil {
				copy(out, own[0])
			} else if err := members[i].Forest.Score(own, out, threads); err != nil {
				return err
			}
			for r, s := range out {
				sum[r] += math.Exp(curve(&members[i], float64(s)))
			}
		}
		for r, v := range sum {
			v = math.Max(math.Log(v), 0)
			out[r] = float32(v / (1 + v))
		}
		return nil
	}, test, 1e-5) // the steepest segment makes 15 of one

	bad := members[0]
	bad.Columns = []int{1, 3, 6}
	if _, err := onnx.Rarest([]onnx.Member{members[1], bad}, onnx.Facts{Features: names(6)}); err == nil || !strings.Contains(err.Error(), "forest 1: column: want 0 to 5, got 6") {
		t.Errorf("column out of range: got error %v", err)
	}
	bad = members[0]
	bad.Nats = nil
	if _, err := onnx.Rarest([]onnx.Member{bad}, onnx.Facts{Features: names(6)}); err == nil || !strings.Contains(err.Error(), "forest 0: knots") {
		t.Errorf("no knots: got error %v", err)
	}
}

func chosen(x [][]float32, columns []int) [][]float32 {
	var out [][]float32
	for _, c := range columns {
		out = append(out, x[c])
	}
	return out
}

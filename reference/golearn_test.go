//go:debug randseednop=0

package reference

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mayfly/forest"
)

// outliers is rows of normal noise; every tenth is shifted in two columns.
func outliers(rows int) (x [][]float32, y []bool) {
	r := rand.New(rand.NewPCG(1, 1))
	x = make([][]float32, 5)
	for i := range rows {
		y = append(y, i%10 == 0)
		for f := range x {
			v := r.NormFloat64()
			if y[i] && f < 2 {
				v += 2.5
			}
			x[f] = append(x[f], float32(v))
		}
	}
	return x, y
}

// auroc is the share of pairs in order, ties counted half.
func auroc(scores []float32, y []bool) float64 {
	var pairs, right float64
	for i := range y {
		for j := range y {
			if y[i] && !y[j] {
				pairs++
				switch {
				case scores[i] > scores[j]:
					right++
				case scores[i] == scores[j]:
					right += 0.5
				}
			}
		}
	}
	return right / pairs
}

func score(t *testing.T, f *forest.Isolation, x [][]float32) []float32 {
	t.Helper()
	out := make([]float32, len(x[0]))
	if err := f.Score(x, out, 1); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGolearnScores compares golearn's own scores of a forest with those of its
// trees in our form, and both with a forest of ours.
func TestGolearnScores(t *testing.T) {
	x, y := outliers(1000)
	opts := forest.DefaultIsolationOptions()
	opts.Seed = 4
	golearnForest, _, err := golearnFit(x, opts)
	if err != nil {
		t.Fatal(err)
	}
	table, err := golearnTable(x)
	if err != nil {
		t.Fatal(err)
	}
	var theirs []float32
	for _, s := range golearnForest.Predict(table) {
		theirs = append(theirs, float32(s))
	}
	converted, err := Golearn(x, opts) // the same seed, the same forest
	if err != nil {
		t.Fatal(err)
	}
	ours := score(t, converted, x)
	worst := 0.0
	for i := range ours {
		worst = max(worst, math.Abs(float64(ours[i]-theirs[i])))
	}
	grown, err := forest.FitIsolation(x, opts)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := auroc(theirs, y), auroc(ours, y), auroc(score(t, grown, x), y)
	t.Logf("AUROC: golearn %.4f, its trees in our form %.4f, forest %.4f; scores of the first two differ by %.4f at most", a, b, c, worst)
	if worst > 0.03 || math.Abs(a-b) > 0.01 { // c(2) is 1 here and 0.15 there
		t.Errorf("scores: differ by %.4f, AUROC %.4f and %.4f: want them alike", worst, a, b)
	}
	if math.Abs(a-c) > 0.03 {
		t.Errorf("AUROC: golearn %.4f, forest %.4f: want them alike", a, c)
	}
}

func TestGolearnSameSeedSameTrees(t *testing.T) {
	x, _ := outliers(400)
	opts := forest.DefaultIsolationOptions()
	opts.NEstimators = 10
	marshal := func(seed uint64) []byte {
		opts.Seed = seed
		f, err := Golearn(x, opts)
		if err != nil {
			t.Fatal(err)
		}
		b, err := f.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(marshal(1), marshal(1)) || bytes.Equal(marshal(1), marshal(2)) {
		t.Error("trees: want the same with the same seed, and others with another")
	}
}

// TestGolearnOddInput gives what golearn by itself panics on or never ends with.
func TestGolearnOddInput(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	all := func(v float32) []float32 { return slices.Repeat([]float32{v}, 50) }
	one := all(3)
	one[7] = 4
	opts := forest.DefaultIsolationOptions()
	opts.NEstimators = 20
	for name, x := range map[string][][]float32{
		"constant":           {all(1), all(2)},
		"missing":            {all(nan), all(nan)},
		"constant, missing":  {all(nan), all(2), {}},
		"one row":            {{1}, {2}},
		"infinite":           {{inf, -inf, inf, nan, 0}},
		"one value differs":  {all(0), one},
		"smaller than 1e-6":  {{0, 1e-9, 2e-9, 3e-9, 1e-30, 5e-9}},
		"the ends of double": {{math.MaxFloat32, -math.MaxFloat32, 0, 1}},
	} {
		if name == "constant, missing" {
			x[2] = slices.Clone(x[0])
			x[2][3] = 1
		}
		f, err := Golearn(x, opts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, s := range score(t, f, x) {
			if !(s > 0 && s <= 1) {
				t.Errorf("%s: row %d: got score %v, want it in (0, 1]", name, i, s)
			}
		}
		if name == "one value differs" {
			for k := range f.Trees() {
				for i, n := range f.Nodes(k) {
					if !n.Leaf && n.Feature != 1 {
						t.Errorf("tree %d: node %d: split on feature %d, want 1, the only one that differs", k, i, n.Feature)
					}
				}
			}
		}
	}
	for _, c := range []struct {
		x    [][]float32
		want string
	}{{nil, "at least one column"}, {[][]float32{{}}, "at least one column"}, {[][]float32{{1, 2}, {3}}, "column 1: want 2 rows"}} {
		if _, err := Golearn(c.x, opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	opts.NEstimators = 0
	if _, err := Golearn([][]float32{{1, 2}}, opts); err == nil {
		t.Error("no trees: got no error")
	}
}

func TestBelow(t *testing.T) {
	for _, v := range []float64{0.1, -0.1, 1, 1e300, -1e300, 16777217} {
		got := below(v)
		if float64(got) > v && v > -math.MaxFloat32 || got < math.MaxFloat32 && float64(math.Nextafter32(got, math.MaxFloat32)) <= v {
			t.Errorf("%g: got %g, want the greatest float32 at most that", v, got)
		}
	}
}

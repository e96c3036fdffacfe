package forest

import (
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"
)

func rowOf(x [][]float32, r int) []float32 {
	out := make([]float32, len(x))
	for f := range x {
		out[f] = x[f][r]
	}
	return out
}

func sum(v []float64) float64 {
	s := 0.0
	for _, c := range v {
		s += c
	}
	return s
}

func TestIsolationContributionsAddUp(t *testing.T) {
	x := noise(1, 5, 700, 0.05, 0.02)
	f := fitIsolation(t, x, DefaultIsolationOptions())
	got := scores(t, f, x, 1)
	out := make([]float64, 5)
	for r := range got {
		base, err := f.Contributions(rowOf(x, r), out)
		if err != nil {
			t.Fatal(err)
		}
		path := walkAll(f.trees, x, r) / 100
		if math.Abs(base+sum(out)-path) > 1e-12*path {
			t.Fatalf("row %d: contributions add up to %v, want the path length %v", r, base+sum(out), path)
		}
		if score := math.Exp2(-(base + sum(out)) / meanPath(256)); math.Abs(score-float64(got[r])) > 1e-6 {
			t.Fatalf("row %d: contributions give score %v, want %v", r, score, got[r])
		}
	}
}

func TestIsolationContributionsPointAtTheFeature(t *testing.T) {
	x := noise(2, 6, 1000, 0, 0)
	x[5] = make([]float32, 1000) // constant: no part in anything
	f := fitIsolation(t, x, DefaultIsolationOptions())
	out := make([]float64, 6)
	if _, err := f.Contributions([]float32{0, 0, 0, 8, 0, 8}, out); err != nil {
		t.Fatal(err)
	}
	for i, v := range out {
		if i != 3 && v <= out[3] {
			t.Errorf("contributions: got %.3f, want feature 3 the lowest", out)
		}
	}
	if out[3] >= 0 || out[5] != 0 {
		t.Errorf("contributions: got %.3f, want feature 3 below zero and feature 5 zero", out)
	}
}

// expectation is the mean answer of training rows that agree with the row in the
// known features: Algorithm 1 of Lundberg, Erion, Lee 2018.
func expectation(t tree, i uint32, row []float32, known uint) float64 {
	n := &t[i]
	if n.leaf() {
		return float64(n.value)
	}
	if known>>n.feature()&1 != 0 {
		return expectation(t, n.next(i, clamp(row[n.feature()])), row, known)
	}
	l, r := float64(t[i+1].cover), float64(t[n.right].cover)
	return (l*expectation(t, i+1, row, known) + r*expectation(t, n.right, row, known)) / (l + r)
}

// shapleyValue is the definition: the mean over all orders of what feature f adds.
func shapleyValue(t tree, row []float32, f int) float64 {
	n := len(row)
	total := 0.0
	for set := uint(0); set < 1<<n; set++ {
		if set>>f&1 != 0 {
			continue
		}
		k := bits.OnesCount(set)
		weight := math.Gamma(float64(k+1)) * math.Gamma(float64(n-k)) / math.Gamma(float64(n+1))
		total += weight * (expectation(t, 0, row, set|1<<f) - expectation(t, 0, row, set))
	}
	return total
}

func TestRandomContributionsAreShapleyValues(t *testing.T) {
	x, y := attacks(1, 6, 300)
	x[3] = noise(9, 1, 300, 0.2, 0.1)[0]
	opts := DefaultRandomOptions()
	opts.NEstimators = 4
	f := fitRandom(t, x, y, opts)
	out := make([]float64, 6)
	for r := range 20 {
		row := rowOf(x, r)
		if _, err := f.Contributions(row, out); err != nil {
			t.Fatal(err)
		}
		for feature, got := range out {
			want := 0.0
			for _, tree := range f.trees {
				want += shapleyValue(tree, row, feature) / 4
			}
			if math.Abs(got-want) > 1e-9 {
				t.Fatalf("row %d: feature %d: got %v, want %v", r, feature, got, want)
			}
		}
	}
}

func TestRandomContributionsAddUp(t *testing.T) {
	x, y := attacks(2, 20, 2000)
	x[7] = noise(9, 1, 2000, 0.2, 0.1)[0]
	opts := DefaultRandomOptions()
	opts.NEstimators = 20
	f := fitRandom(t, x, y, opts)
	got := scores(t, f, x, 1)
	out := make([]float64, 20)
	for r := 0; r < len(got); r += 40 {
		base, err := f.Contributions(rowOf(x, r), out)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(base+sum(out)-float64(got[r])) > 1e-7 {
			t.Fatalf("row %d: contributions add up to %v, want the score %v", r, base+sum(out), got[r])
		}
	}
}

func TestContributionsRefuse(t *testing.T) {
	f := fitIsolation(t, noise(1, 3, 10, 0, 0), DefaultIsolationOptions())
	for _, c := range []struct {
		f        *Isolation
		row, out int
		want     string
	}{
		{f, 2, 3, "row: want 3 features, got 2"},
		{f, 3, 4, "out: want 3 features, got 4"},
		{&Isolation{}, 3, 3, "neither fitted nor decoded"},
	} {
		_, err := c.f.Contributions(make([]float32, c.row), make([]float64, c.out))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
}

// TestExplainIsContributions holds the batch to the single row, at any number of
// threads.
func TestExplainIsContributions(t *testing.T) {
	x, y := attacks(3, 7, 900)
	x[2] = noise(9, 1, 900, 0.2, 0.1)[0]
	iopts, ropts := DefaultIsolationOptions(), DefaultRandomOptions()
	iopts.Box, ropts.NEstimators = true, 12
	iso, rnd := fitIsolation(t, rowsOf(x, 0, 400), iopts), fitRandom(t, x, y, ropts)
	var rows []int
	for r := 899; r >= 0; r -= 7 {
		rows = append(rows, r)
	}
	for name, f := range map[string]interface {
		Contributions(row []float32, out []float64) (float64, error)
		Explain(x [][]float32, rows []int, out [][]float64, threads int) (float64, error)
	}{"isolation": iso, "random": rnd} {
		for _, threads := range []int{1, 3} {
			out := make([][]float64, len(rows))
			for k := range out {
				out[k] = slices.Repeat([]float64{5}, 7) // what was there does not matter
			}
			base, err := f.Explain(x, rows, out, threads)
			if err != nil {
				t.Fatal(err)
			}
			for k, r := range rows {
				want := make([]float64, 7)
				wantBase, err := f.Contributions(rowOf(x, r), want)
				if err != nil || base != wantBase || !slices.Equal(out[k], want) {
					t.Fatalf("%s: %d threads: row %d: got %v and %v, want %v and %v (error %v)", name, threads, r, base, out[k], wantBase, want, err)
				}
			}
		}
		one := [][]float64{make([]float64, 7)}
		for _, c := range []struct {
			x    [][]float32
			rows []int
			out  [][]float64
			want string
		}{
			{x[:6], []int{0}, one, "columns: want 7, got 6"},
			{x, []int{0, 1}, one, "out: want 2 rows, got 1"},
			{x, []int{900}, one, "rows: entry 0: want 0 to 899, got 900"},
			{x, []int{-1}, one, "rows: entry 0: want 0 to 899, got -1"},
			{x, []int{0}, [][]float64{nil}, "out: row 0: want 7 features, got 0"},
		} {
			if _, err := f.Explain(c.x, c.rows, c.out, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got error %v, want %s", name, err, c.want)
			}
		}
		if base, err := f.Explain(x, nil, nil, 0); err != nil || base == 0 {
			t.Errorf("%s: no rows: got base %v, error %v", name, base, err)
		}
	}
	if _, err := new(Random).Explain(x, nil, nil, 0); err == nil {
		t.Error("zero value: got no error")
	}
}

// TestShapleyDeepPaths explains by a tree that asks two features in turn, over and
// over: products of many shares, and a feature many times on a path.
func TestShapleyDeepPaths(t *testing.T) {
	var deep tree
	const splits = 300
	for i := range splits {
		deep = append(deep, node{tag: uint32(i % 2), value: float32(i - splits/2)},
			node{tag: leafTag, value: float32(i%5) / 4, cover: 1 + float32(i%3)})
	}
	deep = append(deep, node{tag: leafTag, value: 1, cover: 1})
	if _, err := deep.link(); err != nil {
		t.Fatal(err)
	}
	f := newRandom(2, []tree{deep}, make([]float64, 2), OutOfBag{})
	for _, row := range [][]float32{{0, 0}, {200, -10}, {-200, 200}, {200, 200}, {nan, 3}} {
		out := make([]float64, 2)
		base, err := f.Contributions(row, out)
		if err != nil {
			t.Fatal(err)
		}
		for feature, got := range out {
			if want := shapleyValue(deep, row, feature); !(math.Abs(got-want) < 1e-12) {
				t.Errorf("row %v: feature %d: got %v, want %v", row, feature, got, want)
			}
		}
		if want := walkAll(f.trees, [][]float32{row[:1], row[1:]}, 0); math.Abs(base+sum(out)-want) > 1e-12 {
			t.Errorf("row %v: contributions add up to %v, want %v", row, base+sum(out), want)
		}
	}
}

func TestGaussLegendre(t *testing.T) {
	for n := 1; n <= maxDepth/2; n++ {
		at, weight := gaussLegendre(n)
		for _, degree := range []int{0, 1, n, 2*n - 1} {
			got := 0.0
			for q, v := range at {
				if !(v > 0 && v < 1 && weight[q] > 0) {
					t.Fatalf("%d nodes: got node %v with weight %v", n, v, weight[q])
				}
				got += weight[q] * math.Pow(v, float64(degree))
			}
			if want := 1 / float64(degree+1); math.Abs(got-want) > 1e-13 {
				t.Errorf("%d nodes: integral of t^%d: got %v, want %v", n, degree, got, want)
			}
		}
	}
}

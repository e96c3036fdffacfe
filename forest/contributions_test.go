package forest

import (
	"math"
	"math/bits"
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

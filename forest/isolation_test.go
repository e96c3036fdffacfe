package forest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// noise returns columns of normal values, of which the shares missing and
// infinite are NaN and infinities of both signs.
func noise(seed uint64, features, rows int, missing, infinite float64) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([][]float32, features)
	for f := range x {
		x[f] = make([]float32, rows)
		for i := range x[f] {
			x[f][i] = float32(r.NormFloat64())
			switch u := r.Float64(); {
			case u < missing:
				x[f][i] = nan
			case u < missing+infinite:
				x[f][i] = inf
			case u < missing+2*infinite:
				x[f][i] = -inf
			}
		}
	}
	return x
}

func fitIsolation(t testing.TB, x [][]float32, opts IsolationOptions) *Isolation {
	t.Helper()
	f, err := FitIsolation(x, opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

type scorer interface {
	Score(x [][]float32, out []float32, threads int) error
}

func scores(t testing.TB, f scorer, x [][]float32, threads int) []float32 {
	t.Helper()
	out := make([]float32, len(x[0]))
	if err := f.Score(x, out, threads); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMeanPath(t *testing.T) {
	// By equation 1 of the paper, computed apart.
	for n, want := range map[int]float64{0: 0, 1: 0, 2: 1, 3: 1.2073923576, 256: 10.2447709201} {
		if got := meanPath(n); math.Abs(got-want) > 1e-9 {
			t.Errorf("c(%d): got %.10f, want %.10f", n, got, want)
		}
	}
}

func TestIsolationFindsOutliers(t *testing.T) {
	x := noise(1, 4, 2000, 0, 0)
	for f := range x {
		x[f][77], x[f][1234], x[f][500] = 9, -9, inf
	}
	got := scores(t, fitIsolation(t, x, DefaultIsolationOptions()), x, 0)
	order := make([]int, len(got))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, float64(got[b]-got[a]))) })
	top := order[:3]
	slices.Sort(top)
	if !slices.Equal(top, []int{77, 500, 1234}) {
		t.Errorf("strangest rows: got %v, want [77 500 1234]", top)
	}
	for i, s := range got {
		if !(s > 0 && s <= 1) {
			t.Fatalf("row %d: got score %v, want (0, 1]", i, s)
		}
	}
}

func TestIsolationEdges(t *testing.T) {
	all := func(v float32, rows int) []float32 { return slices.Repeat([]float32{v}, rows) }
	for _, c := range []struct {
		name string
		x    [][]float32
		want []float32 // nil: any score in (0, 1]
	}{
		{"one row", [][]float32{{3}, {nan}}, []float32{0.5}},
		{"constant columns", [][]float32{all(2, 500), all(-inf, 500)}, all(0.5, 500)},
		{"only missing", [][]float32{all(nan, 50)}, all(0.5, 50)},
		{"infinity is the largest number", [][]float32{{inf, math.MaxFloat32, inf}}, all(0.5, 3)},
		{"zero of both signs", [][]float32{{0, float32(math.Copysign(0, -1))}}, all(0.5, 2)},
		{"two rows", [][]float32{{1, 2}}, all(0.5, 2)},
		{"fewer rows than MaxSamples", noise(2, 3, 40, 0, 0), nil},
		{"neighbours", [][]float32{{1, math.Nextafter32(1, 2)}}, all(0.5, 2)},
		{"ends of float32", [][]float32{{-math.MaxFloat32, math.MaxFloat32, -inf, inf}}, all(float32(math.Exp2(-2/meanPath(4))), 4)},
		{"missing and infinite", noise(3, 3, 400, 0.2, 0.1), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fitIsolation(t, c.x, DefaultIsolationOptions())
			if want := min(256, len(c.x[0])); f.Samples() != want {
				t.Errorf("samples: got %d, want %d", f.Samples(), want)
			}
			got := scores(t, f, c.x, 1)
			for i, s := range got {
				if !(s > 0 && s <= 1) || c.want != nil && math.Abs(float64(s-c.want[i])) > 1e-6 {
					t.Fatalf("row %d: got %v, want %v", i, got, c.want)
				}
			}
		})
	}
}

func TestIsolationRefuses(t *testing.T) {
	x := noise(1, 2, 10, 0, 0)
	change := func(f func(*IsolationOptions)) IsolationOptions {
		o := DefaultIsolationOptions()
		f(&o)
		return o
	}
	good := DefaultIsolationOptions()
	for _, c := range []struct {
		x    [][]float32
		opts IsolationOptions
		want string
	}{
		{nil, good, "columns: want at least one, got none"},
		{[][]float32{{}, {}}, good, "columns: want at least one row, got none"},
		{[][]float32{{1, 2}, {1}}, good, "column 1: want 2 rows as in column 0, got 1"},
		{x, change(func(o *IsolationOptions) { o.NEstimators = 0 }), "NEstimators: want 1 to 65536, got 0"},
		{x, change(func(o *IsolationOptions) { o.MaxSamples = -1 }), "MaxSamples: want 1 to 16777216, got -1"},
	} {
		if _, err := FitIsolation(c.x, c.opts); err == nil || err.Error() != c.want {
			t.Errorf("%v: got error %v, want %s", c.x, err, c.want)
		}
	}
	f := fitIsolation(t, x, good)
	for _, c := range []struct {
		f    *Isolation
		x    [][]float32
		out  int
		want string
	}{
		{f, x[:1], 10, "columns: want 2, got 1"},
		{f, x, 9, "out: want 10 rows, got 9"},
		{&Isolation{}, x, 10, "neither fitted nor decoded"},
	} {
		if err := c.f.Score(c.x, make([]float32, c.out), 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	if err := f.Score([][]float32{{}, nil}, nil, 1); err != nil {
		t.Errorf("zero rows: got error %v, want none", err)
	}
}

func TestIsolationSameBytesAtAnyThreads(t *testing.T) {
	x := noise(5, 7, 3000, 0.1, 0.01)
	var want []byte
	var wantScores []float32
	for _, threads := range []int{1, 2, 3, 16, 0} {
		opts := DefaultIsolationOptions()
		opts.Seed, opts.Threads = 9, threads
		f := fitIsolation(t, x, opts)
		got, err := f.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		gotScores := scores(t, f, x, threads)
		if want == nil {
			want, wantScores = got, gotScores
		}
		if !bytes.Equal(got, want) || !slices.Equal(gotScores, wantScores) {
			t.Errorf("%d threads: model or scores differ from those at one", threads)
		}
	}
	other := DefaultIsolationOptions()
	other.Seed = 10
	if got, _ := fitIsolation(t, x, other).MarshalBinary(); bytes.Equal(got, want) {
		t.Error("seeds 9 and 10 gave the same model")
	}
}

// TestIsolationFeaturesUniform checks the feature of the root: uniform among the
// columns that are not constant.
func TestIsolationFeaturesUniform(t *testing.T) {
	x := noise(6, 8, 300, 0, 0)
	for _, f := range []int{0, 3, 7} {
		x[f] = make([]float32, 300)
	}
	opts := DefaultIsolationOptions()
	opts.NEstimators, opts.MaxSamples = 5000, 8
	f := fitIsolation(t, x, opts)
	count := make([]int, len(x))
	for _, tree := range f.trees {
		count[tree[0].feature()]++
	}
	chi := 0.0
	for _, n := range []int{count[1], count[2], count[4], count[5], count[6]} {
		chi += float64((n-1000)*(n-1000)) / 1000
	}
	if chi > 18.47 || count[0]+count[3]+count[7] > 0 { // p = 0.001 at 4 degrees
		t.Errorf("roots per feature: got %v, want about 1000 each for 1 2 4 5 6 and none for the constant ones", count)
	}
}

func TestIsolationSampleWithoutReplacement(t *testing.T) {
	var g isolationGrower
	g.drawn = map[int32]struct{}{}
	seen := make([]int, 20)
	for i := range 4000 {
		g.chance.seed(1, i)
		g.sample(20, 5)
		slices.Sort(g.rows)
		if len(slices.Compact(slices.Clone(g.rows))) != 5 {
			t.Fatalf("sample %d: got %v, want five rows, none twice", i, g.rows)
		}
		for _, row := range g.rows {
			seen[row]++
		}
	}
	for row, n := range seen {
		if n < 850 || n > 1150 {
			t.Errorf("row %d: drawn %d times of 4000, want about 1000", row, n)
		}
	}
}

// TestIsolationMissing checks what the package comment says of missing values.
func TestIsolationMissing(t *testing.T) {
	// Missing in one row of many: a value of its own, and a rare one.
	x := [][]float32{slices.Repeat([]float32{1}, 200), noise(7, 1, 200, 0, 0)[0]}
	x[0][50] = nan
	got := scores(t, fitIsolation(t, x, DefaultIsolationOptions()), x, 1)
	if want := slices.Max(got); got[50] != want {
		t.Errorf("row with the only missing value: got score %v, want the highest, %v", got[50], want)
	}
	// Never missing in training: the side of most training rows.
	f := fitIsolation(t, noise(8, 3, 500, 0, 0), DefaultIsolationOptions())
	for k, tree := range f.trees {
		for i, n := range tree {
			if n.leaf() {
				continue
			}
			if left := tree[i+1].cover >= tree[n.right].cover; left != (n.tag&missingLeft != 0) {
				t.Fatalf("tree %d: node %d: missing goes left: got %v, want %v", k, i, !left, left)
			}
		}
	}
}

// walkAll scores by walking the model's nodes, not the plan's steps.
func walkAll(trees []tree, x [][]float32, row int) float64 {
	sum := 0.0
	for _, t := range trees {
		i := uint32(0)
		for !t[i].leaf() {
			i = t[i].next(i, clamp(x[t[i].feature()][row]))
		}
		sum += float64(t[i].value)
	}
	return sum
}

func TestPlanWalksAsTheModel(t *testing.T) {
	for _, c := range []struct {
		features, rows    int
		missing, infinite float64
	}{{1, 1, 0, 0}, {1, 5, 0, 0.2}, {3, 1000, 0, 0}, {64, 777, 0, 0.05}, {64, 777, 0.001, 0.05}, {3, 1001, 0.3, 0.1}, {9000, 11, 0.0001, 0}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			x := noise(3, c.features, c.rows, c.missing, c.infinite)
			iso := fitIsolation(t, noise(4, c.features, 600, c.missing, c.infinite), DefaultIsolationOptions())
			for r, got := range scores(t, iso, x, 2) {
				if want := float32(iso.anomaly(walkAll(iso.trees, x, r) / 100)); got != want {
					t.Fatalf("isolation: row %d: got %v, want %v", r, got, want)
				}
			}
			if c.features > 64 {
				return
			}
			rnd := fitRandom(t, noise(4, c.features, 600, c.missing, c.infinite), alternate(600), DefaultRandomOptions())
			for r, got := range scores(t, rnd, x, 2) {
				if want := float32(walkAll(rnd.trees, x, r) / 100); got != want {
					t.Fatalf("random: row %d: got %v, want %v", r, got, want)
				}
			}
		})
	}
}

func TestScoreAllocatesPerCallOnly(t *testing.T) {
	f := fitIsolation(t, noise(1, 5, 300, 0, 0), DefaultIsolationOptions())
	count := func(rows int) float64 {
		x, out := noise(1, 5, rows, 0, 0), make([]float32, rows)
		return testing.AllocsPerRun(3, func() { _ = f.Score(x, out, 1) })
	}
	if few, many := count(100), count(20000); few != many {
		t.Errorf("allocations: got %v for 100 rows and %v for 20000, want the same", few, many)
	}
}

// TestFitIsolationRows: some rows give the very forest that a copy of them gives.
func TestFitIsolationRows(t *testing.T) {
	chance := rand.New(rand.NewPCG(9, 9))
	x, at := make([][]float32, 5), []int32{}
	for c := range x {
		x[c] = make([]float32, 600)
		for i := range x[c] {
			x[c][i] = float32(chance.NormFloat64())
			if i%50 == 7 {
				x[c][i] = float32(math.NaN())
			}
		}
	}
	for i := range x[0] {
		if i%3 != 1 {
			at = append(at, int32(i))
		} else {
			x[2][i] = 1000 // outside of the box of the others
		}
	}
	copied := make([][]float32, len(x))
	for c := range x {
		for _, i := range at {
			copied[c] = append(copied[c], x[c][i])
		}
	}
	opts := DefaultIsolationOptions()
	opts.Box, opts.NEstimators = true, 20
	var files [2][]byte
	for k, fit := range []func() (*Isolation, error){
		func() (*Isolation, error) { return FitIsolation(copied, opts) },
		func() (*Isolation, error) { return FitIsolationRows(x, at, opts) },
	} {
		f, err := fit()
		if err != nil {
			t.Fatal(err)
		}
		if files[k], err = f.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Errorf("a copy of the rows gives %d bytes, the rows in place others (%d)", len(files[0]), len(files[1]))
	}
	for _, at := range [][]int32{{}, {-1}, {600}} {
		if _, err := FitIsolationRows(x, at, opts); err == nil {
			t.Errorf("rows %v of 600: got no error", at)
		}
	}
}

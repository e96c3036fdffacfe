package forest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func fitRandom(t testing.TB, x [][]float32, y []uint8, opts RandomOptions) *Random {
	t.Helper()
	f, err := FitRandom(x, y, opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// alternate returns the classes 0, 1, 0, 1, ….
func alternate(rows int) []uint8 {
	y := make([]uint8, rows)
	for i := range y {
		y[i] = uint8(i & 1)
	}
	return y
}

// attacks returns columns and classes: class 1 is rare, and depends on columns 0,
// 1 and 2 and on chance.
func attacks(seed uint64, features, rows int) (x [][]float32, y []uint8) {
	x = noise(seed, features, rows, 0, 0)
	r := rand.New(rand.NewPCG(seed, 2))
	y = make([]uint8, rows)
	for i := range y {
		if float64(x[0][i])+float64(x[1][i]*x[2][i])+r.NormFloat64()/2 > 2 {
			y[i] = 1
		}
	}
	return x, y
}

func TestRandomLearns(t *testing.T) {
	x, y := attacks(1, 8, 3000)
	f := fitRandom(t, x, y, DefaultRandomOptions())
	fresh, truth := attacks(2, 8, 3000)
	got := scores(t, f, fresh, 0)
	onFresh := area(got, truth)
	bag := f.OutOfBag()
	if onFresh < 0.9 || math.Abs(onFresh-bag.AUROC) > 0.03 {
		t.Errorf("AUROC: got %.3f on fresh rows and %.3f out of bag, want above 0.9 and alike", onFresh, bag.AUROC)
	}
	if bag.Rows != 3000 || !(bag.Accuracy > 0.9 && bag.Accuracy < 1) || !(bag.LogLoss > 0 && bag.LogLoss < 0.5) {
		t.Errorf("out of bag: got %+v, want all 3000 rows, accuracy in (0.9, 1), log loss in (0, 0.5)", bag)
	}
	importance, sum := f.Importance(), 0.0
	for i, v := range importance {
		sum += v
		if i > 2 && v > slices.Min(importance[:3]) {
			t.Errorf("importance: got %.3f, want features 0, 1 and 2 first", importance)
		}
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("importance: got sum %v, want 1", sum)
	}
}

func TestRandomSameBytesAtAnyThreads(t *testing.T) {
	x, y := attacks(3, 6, 1500)
	x[4] = noise(4, 1, 1500, 0.3, 0.05)[0]
	var want []byte
	for _, threads := range []int{1, 2, 5, 0} {
		opts := DefaultRandomOptions()
		opts.NEstimators, opts.Seed, opts.Threads = 30, 3, threads
		got, err := fitRandom(t, x, y, opts).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d threads: model differs from that at one", threads)
		}
	}
}

func TestRandomMissing(t *testing.T) {
	// Column 0 is missing exactly in class 1; column 1 says nothing.
	x := noise(1, 2, 400, 0, 0.02)
	y := alternate(400)
	for i := range y {
		if y[i] == 1 {
			x[0][i] = nan
		}
	}
	f := fitRandom(t, x, y, DefaultRandomOptions())
	got := scores(t, f, [][]float32{{nan, 0, inf, -inf, 100}, {0, 0, nan, inf, 0}}, 1)
	if got[0] < 0.7 || slices.Max(got[1:]) > 0.4 {
		t.Errorf("got %v, want a high score for the row with column 0 missing and low ones for the others", got)
	}
	// Never missing in training: the side of most draws; a model of the
	// training rows with uniform weights shows it in the cover.
	opts := DefaultRandomOptions()
	opts.ClassWeight = Uniform
	x, y = attacks(1, 4, 500)
	for k, tree := range fitRandom(t, x, y, opts).trees {
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

func TestRandomOptions(t *testing.T) {
	x, y := attacks(5, 5, 800)
	opts := DefaultRandomOptions()
	opts.ClassWeight, opts.MinSamplesLeaf, opts.MaxDepth, opts.NEstimators = Uniform, 20, 4, 20
	f := fitRandom(t, x, y, opts)
	for k, tree := range f.trees {
		if depth := tree.measure(nil); depth > 4 || depth < 2 {
			t.Errorf("tree %d: got depth %d, want 2 to 4", k, depth)
		}
		for i, n := range tree {
			if n.leaf() && n.cover < 20 {
				t.Errorf("tree %d: node %d: got %v rows in the leaf, want at least 20", k, i, n.cover)
			}
		}
		if tree[0].cover != 800 {
			t.Errorf("tree %d: got %v rows, want 800", k, tree[0].cover)
		}
	}
	// Balanced: both classes weigh the same in the whole bootstrap sample.
	base, err := fitRandom(t, x, y, DefaultRandomOptions()).Contributions(make([]float32, 5), make([]float64, 5))
	if err != nil || math.Abs(base-0.5) > 0.02 {
		t.Errorf("balanced: got mean score %v, error %v, want about 0.5", base, err)
	}
	// With two bins a column has one threshold.
	opts = DefaultRandomOptions()
	opts.Bins = 2
	seen := map[node]bool{}
	for _, tree := range fitRandom(t, x, y, opts).trees {
		for _, n := range tree {
			if !n.leaf() {
				seen[node{tag: n.tag &^ missingLeft, value: n.value}] = true
			}
		}
	}
	if len(seen) != 5 {
		t.Errorf("two bins: got splits %v, want one threshold for each of 5 features", seen)
	}
}

func TestRandomEdges(t *testing.T) {
	constant := [][]float32{slices.Repeat([]float32{7}, 40), slices.Repeat([]float32{nan}, 40)}
	f := fitRandom(t, constant, alternate(40), DefaultRandomOptions())
	if got := scores(t, f, constant, 1); math.Abs(float64(got[0])-0.5) > 0.05 {
		t.Errorf("constant columns: got %v, want about 0.5", got[0])
	}
	for f, v := range f.Importance() {
		if v != 0 {
			t.Errorf("constant columns: importance of feature %d: got %v, want 0", f, v)
		}
	}
	two := fitRandom(t, [][]float32{{0, 1}}, []uint8{0, 1}, DefaultRandomOptions())
	if got := scores(t, two, [][]float32{{0, 1}}, 1); !(got[0] < got[1]) {
		t.Errorf("two rows: got %v, want the second above the first", got)
	}
	if got := two.OutOfBag(); got.Rows != 2 {
		t.Errorf("two rows: got %+v, want both out of bag for some tree", got)
	}
	x, y := attacks(1, 3, 50)
	good := DefaultRandomOptions()
	change := func(f func(*RandomOptions)) RandomOptions {
		o := good
		f(&o)
		return o
	}
	for _, c := range []struct {
		x    [][]float32
		y    []uint8
		opts RandomOptions
		want string
	}{
		{nil, nil, good, "columns: want at least one, got none"},
		{[][]float32{{}}, nil, good, "at least one row"},
		{x, y[:49], good, "classes: want 50 rows, got 49"},
		{x, make([]uint8, 50), good, "classes: want rows of both, got 50 of class 0 and 0 of class 1"},
		{[][]float32{{1}}, []uint8{1}, good, "classes: want rows of both, got 0 of class 0 and 1 of class 1"},
		{x, slices.Repeat([]uint8{0, 2}, 25), good, "classes: row 1: want 0 or 1, got 2"},
		{x, y, change(func(o *RandomOptions) { o.NEstimators = 0 }), "NEstimators: want 1 to 65536, got 0"},
		{x, y, change(func(o *RandomOptions) { o.MaxDepth = 513 }), "MaxDepth: want 0 to 512, got 513"},
		{x, y, change(func(o *RandomOptions) { o.MinSamplesLeaf = 0 }), "MinSamplesLeaf: want 1 to"},
		{x, y, change(func(o *RandomOptions) { o.MaxFeatures = 4 }), "MaxFeatures: want 0 to 3, got 4"},
		{x, y, change(func(o *RandomOptions) { o.Bins = 256 }), "Bins: want 2 to 255, got 256"},
		{x, y, change(func(o *RandomOptions) { o.ClassWeight = 7 }), "ClassWeight: want 0 to 1, got 7"},
	} {
		if _, err := FitRandom(c.x, c.y, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	if err := new(Random).Score(x, make([]float32, 50), 1); err == nil {
		t.Error("zero value: got no error")
	}
}

// TestBins checks that a bin is what the edges say, and that no bin is crowded,
// the middle of a column at most half as much again as its share.
func TestBins(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	skewed := make([]float32, 5000)
	for i := range skewed {
		skewed[i] = float32(max(0, r.IntN(2000)-1200)) // three fifths are zero
	}
	narrow := noise(4, 1, 4000, 0, 0)[0] // within one step of the exponent
	for i := range narrow {
		narrow[i] = 1000 + narrow[i]/100
	}
	for _, c := range []struct {
		name     string
		col      []float32
		bins     int
		distinct int // bins that are wanted
		most     int // rows in a bin
	}{
		{"normal", noise(1, 1, 10000, 0.1, 0.01)[0], 255, 253, 150}, // the infinities fill three bins
		{"few values", []float32{3, 1, 2, nan, 1, inf, -inf, 2}, 255, 5, 2},
		{"skewed", skewed, 16, 16, 3100},
		{"one value", []float32{5, 5, 5}, 255, 1, 3},
		{"missing", []float32{nan, nan}, 255, 1, 2},
		{"two bins", noise(2, 1, 1000, 0, 0)[0], 2, 2, 600},
		{"more rows than edges come from", noise(3, 1, edgeRows+40000, 0, 0)[0], 100, 100, 5000},
		{"zero of both signs", []float32{0, float32(math.Copysign(0, -1)), float32(math.Copysign(0, -1)), 0}, 255, 1, 4},
		{"cut at zero", []float32{0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32}, 255, 3, 2},
		{"close together", narrow, 255, 255, 32},
		{"ends", []float32{math.MaxFloat32, -math.MaxFloat32, 0, math.Nextafter32(math.MaxFloat32, 0)}, 255, 4, 1},
	} {
		var cutter cutter
		edges := edges(cutter.sorted(c.col), c.bins)
		codes := cutter.encode(c.col, edges)
		if len(edges) != c.distinct-1 || !slices.IsSorted(edges) {
			t.Errorf("%s: got %d edges, want %d, ascending: %v", c.name, len(edges), c.distinct-1, edges)
		}
		count := map[uint8]int{}
		for i, v := range c.col {
			count[codes[i]]++
			want := uint8(0)
			for want < uint8(len(edges)) && clamp(v) > edges[want] {
				want++
			}
			if v != v {
				want = missingBin
			}
			if codes[i] != want {
				t.Fatalf("%s: bin of %v: got %d, want %d", c.name, v, codes[i], want)
			}
		}
		for code, n := range count {
			if n > c.most && code != missingBin {
				t.Errorf("%s: bin %d: got %d rows, want at most %d", c.name, code, n, c.most)
			}
		}
	}
}

func TestAUROC(t *testing.T) {
	for _, c := range []struct {
		v    []vote
		want float64
	}{
		{[]vote{{0.1, 0}, {0.9, 1}}, 1},
		{[]vote{{0.1, 1}, {0.9, 0}}, 0},
		{[]vote{{0.5, 1}, {0.5, 0}, {0.5, 0}}, 0.5},
		{[]vote{{0.1, 0}, {0.4, 0}, {0.35, 1}, {0.8, 1}}, 0.75},
		{[]vote{{0.1, 0}}, math.NaN()},
	} {
		if got := auroc(slices.Clone(c.v)); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%v: got %v, want %v", c.v, got, c.want)
		}
	}
}

// TestSiblingSubtraction grows with and without it: counts are whole numbers, so
// the trees are the same.
func TestSiblingSubtraction(t *testing.T) {
	x, y := attacks(6, 5, 4000)
	x[3] = noise(4, 1, 4000, 0.3, 0.05)[0]
	x[4] = make([]float32, 4000)
	weights, err := classWeights(y, len(y), Balanced)
	if err != nil {
		t.Fatal(err)
	}
	opts := DefaultRandomOptions()
	opts.MaxFeatures, opts.MaxDepth, opts.Seed = 5, maxDepth, 2
	g := growth{binned: cut(x, 255, 1), y: y, weights: weights, RandomOptions: opts}
	var want []tree
	for _, keepFrom := range []int{len(y) + 1, siblingDraws, 40, 1} {
		grower := newRandomGrower(&g)
		grower.keepFrom = keepFrom
		for number := range 4 {
			tree, _ := grower.grow(number)
			if keepFrom > len(y) {
				want = append(want, tree)
			} else if !slices.Equal(tree, want[number]) {
				t.Fatalf("counts kept from %d draws: tree %d: differs from the one without", keepFrom, number)
			}
		}
		if grower.subtracts(part{to: len(y)}) != (keepFrom <= len(y)) || (len(grower.free) > 0) != (keepFrom <= len(y)) {
			t.Errorf("counts kept from %d draws: got %d kept", keepFrom, len(grower.free))
		}
	}
}

package forest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// odd are values at the edges of float32.
var odd = []float32{
	nan, inf, -inf, 0, float32(math.Copysign(0, -1)), math.MaxFloat32, -math.MaxFloat32,
	math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-126, -0x1p-126, 1e-40, 1,
}

// block returns values for a block of rows, among them odd ones and those of equal.
func block(r *rand.Rand, equal []float32) *[blockRows]float32 {
	x := new([blockRows]float32)
	for i := range x {
		switch r.IntN(8) {
		case 0:
			x[i] = odd[r.IntN(len(odd))]
		case 1, 2:
			x[i] = equal[r.IntN(len(equal))]
		default:
			x[i] = float32(r.NormFloat64())
		}
	}
	return x
}

// eachKernel runs a test for each kernel of this machine that is not the
// reference itself.
func eachKernel(t *testing.T, test func(t *testing.T, k *kernel)) {
	tested := 0
	for _, k := range kernels {
		if k != &portable {
			t.Run(k.name, func(t *testing.T) { test(t, k) })
			tested++
		}
	}
	if tested == 0 {
		t.Skip("this machine has the portable kernel only")
	}
}

func randomCuts(r *rand.Rand, n int) []float32 {
	seen := map[float32]bool{}
	for len(seen) < n {
		v := float32(r.NormFloat64())
		if r.IntN(10) == 0 {
			v = odd[r.IntN(len(odd))]
		}
		if v = cutAt(v); v == v && v > -math.MaxFloat32 {
			seen[v] = true
		}
	}
	var sorted []float32
	for v := range seen {
		sorted = append(sorted, v)
	}
	slices.Sort(sorted)
	return sorted
}

func TestKernelsCut(t *testing.T) {
	for _, k := range kernels {
		t.Run(k.name, func(t *testing.T) {
			for count := 1; count <= mostCuts; count++ {
				r := rand.New(rand.NewPCG(uint64(count), 2))
				sorted := randomCuts(r, count)
				x := block(r, sorted)
				if count%3 == 0 {
					for i, v := range x {
						if v != v {
							x[i] = 0
						}
					}
				}
				c := newCuts(slices.Clone(sorted), k.coarse)
				var rank planes
				var missing mask
				some := k.cut(x, x, &c, &rank, &missing)
				exceeds := make([]mask, count+1)
				exceeds[count] = mask{1, 2, 3, 4, 5, 6, 7, 8}
				k.expand(&rank, c.levels, exceeds[:count])
				if exceeds[count] != (mask{1, 2, 3, 4, 5, 6, 7, 8}) {
					t.Fatalf("%d cuts: expand wrote behind the last mask", count)
				}
				none := false
				for i, v := range x {
					none = none || v != v
					if got := missing[i/64]>>(i%64)&1 == 1; got != (v != v) {
						t.Fatalf("%d cuts: value %g: missing: got %v", count, v, got)
					}
					for j, cut := range sorted {
						if got := exceeds[j][i/64]>>(i%64)&1 == 1; got != (v > cut) {
							t.Fatalf("%d cuts: value %g exceeds %g: got %v", count, v, cut, got)
						}
					}
				}
				if some != none {
					t.Fatalf("%d cuts: any missing: got %v, want %v", count, some, none)
				}
			}
		})
	}
}

func TestKernelsRoute(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *kernel) {
		r := rand.New(rand.NewPCG(1, 3))
		for width := 1; width <= 8; width++ {
			for _, count := range []int{1, 2, 17, 300} {
				exceeds := make([]mask, 40)
				for i := range exceeds {
					for w := range exceeds[i] {
						exceeds[i][w] = r.Uint64()
					}
				}
				at, turns := make([]uint32, count), make([]uint16, 2*count)
				for i := range at {
					at[i] = uint32(r.IntN(len(exceeds))) * maskBytes
					turns[2*i] = uint16(r.IntN(10)) * maskBytes
					turns[2*i+1] = uint16(r.IntN(1<<width)) * flipBytes
				}
				var got, want [2]planes
				var a, b [maxDepth + 1]mask
				portable.route(exceeds, at, turns, width, &a, &want[0])
				k.route(exceeds, at, turns, width, &b, &got[0])
				if a != b || got != want {
					t.Fatalf("width %d, %d splits: other masks than the portable kernel's", width, count)
				}
				values := make([]uint32, max(leastValues, 1<<width))
				for i := range values {
					values[i] = r.Uint32()
				}
				var sums, wantSums [blockRows]uint32
				for i := range sums {
					sums[i] = r.Uint32()
				}
				wantSums = sums
				portable.add(&want[0], width, values, &wantSums)
				k.add(&got[0], width, values, &sums)
				if sums != wantSums {
					t.Fatalf("width %d: other sums than the portable kernel's", width)
				}
				var totals, wantTotals [blockRows]uint64
				for i := range totals {
					totals[i] = r.Uint64() >> 1
				}
				wantTotals = totals
				portable.flush(&wantSums, &wantTotals)
				k.flush(&sums, &totals)
				if totals != wantTotals || sums != wantSums {
					t.Fatal("flush: other totals than the portable kernel's")
				}
			}
		}
	})
}

func TestKernelsOutside(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *kernel) {
		r := rand.New(rand.NewPCG(1, 4))
		for _, c := range [][2]float32{{-1, 1}, {0, 0}, {-math.MaxFloat32, math.MaxFloat32}, {-inf, inf}, {0x1p-126, 0x1p-126}} {
			x := block(r, c[:])
			var got, want mask
			a, b := k.outside(x, c[0], c[1], &got), portable.outside(x, c[0], c[1], &want)
			if got != want || a != b {
				t.Errorf("outside of %g: got %v %x, want %v %x", c, a, got, b, want)
			}
			for i := range x {
				x[i] = c[0]
			}
			if k.outside(x, c[0], c[1], &got) || got != (mask{}) {
				t.Errorf("outside of %g: the lower bound is outside", c)
			}
		}
	})
}

// TestKernelsScoreAlike holds that each path gives the bits that walking the model gives.
func TestKernelsScoreAlike(t *testing.T) {
	type shape struct {
		features, rows, samples, trees int
		missing                        float64
	}
	for _, c := range []shape{
		{64, 3000, 256, 100, 0}, {64, 3000, 256, 100, 0.05}, {3, 1500, 256, 50, 0.01},
		{1, 2000, 1024, 20, 0}, {300, 1100, 64, 30, 0.3}, {5, 600, 2, 10, 0}, {2, 5000, 4096, 3, 0.1},
		{4, chunkRows + blockRows + 3, 256, 10, 0.001},
	} {
		x := noise(5, c.features, c.rows, c.missing, 0.01)
		for f := 1; f < c.features; f += 2 { // values that many rows share
			for i, v := range x[f] {
				x[f][i] = float32(math.Round(float64(v) * 4))
			}
		}
		opts := DefaultIsolationOptions()
		opts.MaxSamples, opts.NEstimators, opts.Box = c.samples, c.trees, true
		iso := fitIsolation(t, rowsOf(x, 0, c.rows/2), opts)
		y := make([]uint8, c.rows)
		for i := range y {
			y[i] = uint8(i % 3 / 2)
		}
		ropts := DefaultRandomOptions()
		ropts.NEstimators, ropts.MinSamplesLeaf = 10, 1+c.trees%3
		rnd := fitRandom(t, x, y, ropts)
		for name, m := range map[string]*model{"isolation": &iso.model, "random": &rnd.model} {
			want := make([]uint64, c.rows)
			m.plan().walkFew(x, 0, want)
			for _, k := range kernels {
				for _, most := range []int{k.mostSplits, 100, 0} { // also with trees that are walked
					limited := *k
					limited.mostSplits = most
					p := newPlan(m.features, m.trees, m.plan().unit, &limited)
					got := make([]float32, c.rows)
					r := 0
					sum := func(sum, _ float64) float32 {
						if uint64(math.Ldexp(sum, int(p.unit))) != want[r] {
							t.Fatalf("%s %v, %s, at most %d splits: row %d: got %v, want %d", name, c, k.name, most, r, sum, want[r])
						}
						r++
						return float32(sum)
					}
					if err := p.score(x, got, 1, nil, sum); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		var want []float32
		for _, k := range kernels {
			forced := newPlan(iso.features, iso.trees, pathUnit, k)
			iso.plan = func() *plan { return forced }
			got := scores(t, iso, x, 2)
			if want == nil {
				want = got
			}
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%v: %s: row %d: got %v, want %v", c, k.name, i, got[i], want[i])
				}
			}
		}
	}
}

// TestManyCuts holds that columns with more thresholds than a byte tells apart are
// cut several times.
func TestManyCuts(t *testing.T) {
	x := noise(5, 3, 2000, 0, 0)
	p := fitIsolation(t, x, DefaultIsolationOptions()).plan()
	if len(p.groups) < 2 || p.walk != nil {
		t.Fatalf("100 trees on 3 columns: got %d groups, walked trees: %v; want several, none walked", len(p.groups), p.walk != nil)
	}
	trees := 0
	for _, g := range p.groups {
		trees += len(g.programs)
		for _, c := range g.columns {
			if c.count > mostCuts {
				t.Errorf("feature %d: got %d cuts in one group, want at most %d", c.feature, c.count, mostCuts)
			}
		}
	}
	if trees != 100 {
		t.Errorf("trees: got %d, want 100", trees)
	}
}

func TestOn(t *testing.T) {
	f := fitIsolation(t, noise(5, 3, 200, 0, 0), DefaultIsolationOptions())
	if _, err := f.On("MMX"); err == nil || !strings.Contains(err.Error(), `portable, got "MMX"`) {
		t.Errorf("path MMX: got error %v", err)
	}
	if _, err := new(Isolation).On("portable"); err == nil {
		t.Error("empty forest: got no error")
	}
	if last := Paths()[len(Paths())-1]; last != "portable" {
		t.Errorf("last path: got %s, want portable", last)
	}
}

// TestWideCodes holds trees whose leaves answer more numbers than one pass tells apart.
func TestWideCodes(t *testing.T) {
	const rows = 40_000
	x := noise(9, 4, rows, 0.01, 0)
	y := make([]uint8, rows)
	for i := range y {
		y[i] = uint8(i * 7919 % 5 / 4)
	}
	opts := DefaultRandomOptions()
	opts.NEstimators, opts.MinSamplesLeaf = 5, 50
	f := fitRandom(t, x, y, opts)
	want := make([]uint64, rows)
	f.plan().walkFew(x, 0, want)
	for _, k := range kernels {
		all := *k
		all.mostSplits = maxNodes
		p := newPlan(f.features, f.trees, probabilityUnit, &all)
		widest := 0
		for _, g := range p.groups {
			for _, p := range g.programs {
				widest = max(widest, p.width)
			}
		}
		if widest <= 8 {
			t.Fatalf("widest code: got %d bits, want more than 8", widest)
		}
		for i, got := range sumsByBlocks(p, x) {
			if got != want[i] {
				t.Fatalf("%s: row %d: got %d, want %d", k.name, i, got, want[i])
			}
		}
	}
}

func BenchmarkKernels(b *testing.B) {
	x := noise(1, benchFeatures, 20_000, 0, 0)
	f := fitIsolation(b, x, DefaultIsolationOptions())
	out := make([]float32, len(x[0]))
	for _, k := range kernels {
		p := newPlan(f.features, f.trees, pathUnit, k)
		b.Run(fmt.Sprint(k.name), func(b *testing.B) {
			report := spent(b, len(out))
			for b.Loop() {
				_ = p.score(x, out, 1, nil, func(sum, _ float64) float32 { return float32(sum) })
			}
			report()
		})
	}
}

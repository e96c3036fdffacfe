//go:build unix

package forest

import (
	"cmp"
	"encoding/binary"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var (
	tableDir     = flag.String("table", "", "folder with the tables of testdata/side_by_side.py, for BenchmarkTable")
	tableThreads = flag.Int("threads", 1, "threads of BenchmarkTable")
	tableSeed    = flag.Uint64("table-seed", 0, "seed of BenchmarkTable")
)

// readTable reads n columns of float32.
func readTable(b *testing.B, name string, n int) [][]float32 {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join(*tableDir, name))
	if err != nil {
		b.Fatal(err)
	}
	rows := len(raw) / 4 / n
	x := make([][]float32, n)
	for f := range x {
		x[f] = make([]float32, rows)
		for i := range x[f] {
			x[f][i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(f*rows+i):]))
		}
	}
	return x
}

// precision returns the average precision of scores, as scikit-learn defines it.
func precision(scores []float32, y []uint8) float64 {
	order := make([]int, len(y))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var sum, positives, before float64
	for k := 0; k < len(order); {
		for s := scores[order[k]]; k < len(order) && scores[order[k]] == s; k++ {
			positives += float64(y[order[k]])
		}
		sum += (positives - before) * positives / float64(k)
		before = positives
	}
	return sum / positives
}

// BenchmarkTable is this package's side of testdata/side_by_side.py.
func BenchmarkTable(b *testing.B) {
	if *tableDir == "" {
		b.Skip("no -table: run testdata/side_by_side.py")
	}
	b.Run("fit-isolation", func(b *testing.B) {
		x := readTable(b, "isolation.f32", benchFeatures)
		opts := DefaultIsolationOptions()
		opts.Threads, opts.Seed = *tableThreads, *tableSeed
		report := spent(b, 0)
		for b.Loop() {
			fitIsolation(b, x, opts)
		}
		report()
	})
	for _, k := range kernels {
		b.Run("score-isolation/"+k.name, func(b *testing.B) {
			x := readTable(b, "isolation.f32", benchFeatures)
			opts := DefaultIsolationOptions()
			opts.Seed = *tableSeed
			f, err := fitIsolation(b, x, opts).On(k.name)
			if err != nil {
				b.Fatal(err)
			}
			benchScore(b, f, x)
		})
	}
	var f *Random
	b.Run("fit-random", func(b *testing.B) {
		x := readTable(b, "train.f32", benchFeatures)
		y, err := os.ReadFile(filepath.Join(*tableDir, "train.u8"))
		if err != nil {
			b.Fatal(err)
		}
		opts := DefaultRandomOptions()
		opts.Threads, opts.Seed = *tableThreads, *tableSeed
		report := spent(b, 0)
		for b.Loop() {
			f = fitRandom(b, x, y, opts)
		}
		report()
		truth, err := os.ReadFile(filepath.Join(*tableDir, "test.u8"))
		if err != nil {
			b.Fatal(err)
		}
		got := scores(b, f, readTable(b, "test.f32", benchFeatures), *tableThreads)
		b.ReportMetric(area(got, truth), "AUROC")
		b.ReportMetric(precision(got, truth), "AUPRC")
	})
	for _, k := range kernels {
		b.Run("score-random/"+k.name, func(b *testing.B) {
			if f == nil {
				f = keptForest(b)
			}
			x := readTable(b, "test.f32", benchFeatures)
			p := newPlan(f.features, f.trees, probabilityUnit, k)
			other := *f
			other.plan = func() *plan { return p }
			benchScore(b, &other, x)
		})
	}
}

// keptForest returns the random forest of seed 0, fitted once for a folder of tables.
func keptForest(b *testing.B) *Random {
	b.Helper()
	name := filepath.Join(*tableDir, "random.forest")
	if raw, err := os.ReadFile(name); err == nil {
		f := new(Random)
		if err := f.UnmarshalBinary(raw); err != nil {
			b.Fatal(err)
		}
		return f
	}
	y, err := os.ReadFile(filepath.Join(*tableDir, "train.u8"))
	if err != nil {
		b.Fatal(err)
	}
	f := fitRandom(b, readTable(b, "train.f32", benchFeatures), y, DefaultRandomOptions())
	raw, err := f.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(name, raw, 0o666); err != nil {
		b.Fatal(err)
	}
	return f
}

// benchScore scores the table once before the clock starts, so that the forest is
// compiled.
func benchScore(b *testing.B, f scorer, x [][]float32) {
	out := scores(b, f, x, *tableThreads)
	report := spent(b, len(out))
	for b.Loop() {
		_ = f.Score(x, out, *tableThreads)
	}
	report()
}

func TestPrecision(t *testing.T) {
	// By hand: ranks 1 and 3 hold the positives; ties are one step.
	for _, c := range []struct {
		scores []float32
		y      []uint8
		want   float64
	}{
		{[]float32{0.9, 0.8, 0.7, 0.1}, []uint8{1, 0, 1, 0}, (1 + 2.0/3) / 2},
		{[]float32{0.5, 0.5, 0.5, 0.5}, []uint8{1, 0, 0, 0}, 0.25},
	} {
		if got := precision(c.scores, c.y); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v %v: got %v, want %v", c.scores, c.y, got, c.want)
		}
	}
}

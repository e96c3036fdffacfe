package forest

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestNarrow holds that big trees are walked to the leaves that the model says: with ranks
// in rows of each length, with missing values and without, with any number of rows in the
// last block, with few answers and with many.
func TestNarrow(t *testing.T) {
	for _, c := range []struct {
		features, rows, leaf int
		missing              float64
	}{
		{6, chunkRows + 700, 1, 0.02}, {6, blockRows + 9, 1, 0}, {64, 3000, 3, 0}, {64, 3001, 1, 0.001},
		{65, 2003, 2, 0.05}, {65, 2000, 1, 0}, {mostNarrowColumns, 4000, 1, 0.001},
	} {
		x := noise(3, c.features, c.rows, c.missing, 0.01)
		y := make([]uint8, c.rows)
		for i := range y {
			y[i] = uint8(i * 7919 % 5 / 4)
		}
		opts := DefaultRandomOptions()
		opts.NEstimators, opts.MinSamplesLeaf = 8, c.leaf
		rnd := fitRandom(t, x, y, opts)
		for _, k := range kernels {
			limited := *k
			limited.mostSplits = 8
			p := newPlan(c.features, rnd.trees, probabilityUnit, &limited)
			if len(p.narrow) != 1 || p.walk != nil || len(p.groups) != 0 || len(p.deep) != 0 {
				t.Fatalf("%s, %v: want all trees in one narrow", k.name, c)
			}
			want := make([]uint64, c.rows)
			p.walkFew(x, 0, want)
			s := p.scratch()
			for from := 0; from < c.rows; from += chunkRows {
				got := s.totals[:min(chunkRows, c.rows-from)]
				clear(got)
				p.narrow[0].sum(k, x, from, got, s)
				for r := range got {
					if got[r] != want[from+r] {
						t.Fatalf("%s, %v: row %d: got %d, want %d", k.name, c, from+r, got[r], want[from+r])
					}
				}
			}
		}
	}
}

// TestTooLargeForNarrow holds that trees with more pairs than a word can number are walked all the same.
func TestTooLargeForNarrow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var big tree
	var grow func(depth int)
	grow = func(depth int) {
		if depth == 0 {
			big = append(big, node{tag: leafTag, value: float32(len(big)) / (1 << 20), cover: 1})
			return
		}
		big = append(big, node{tag: uint32(r.IntN(100)), value: float32(r.IntN(200))})
		grow(depth - 1)
		grow(depth - 1)
	}
	grow(17)
	if _, err := big.link(); err != nil {
		t.Fatal(err)
	}
	x := make([][]float32, 100)
	for f := range x {
		for range 600 {
			x[f] = append(x[f], float32(r.IntN(220)))
		}
	}
	for _, k := range kernels {
		p := newPlan(len(x), []tree{big}, probabilityUnit, k)
		if len(p.narrow) != 0 || len(p.deep) != 1 {
			t.Fatalf("%s: a tree of %d nodes: got %d narrows, %d deeps; want one deep", k.name, len(big), len(p.narrow), len(p.deep))
		}
		want := make([]uint64, len(x[0]))
		p.walkFew(x, 0, want)
		for r, got := range sumsByBlocks(p, x) {
			if got != want[r] {
				t.Fatalf("%s: row %d: got %d, want %d", k.name, r, got, want[r])
			}
		}
	}
}

// TestKernelsWalk holds that all kernels take the same steps.
func TestKernelsWalk(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pairs := new([mostPairs][2]uint32)
	for i := range pairs {
		pairs[i] = [2]uint32{r.Uint32(), r.Uint32()}
	}
	eachKernel(t, func(t *testing.T, k *kernel) {
		for _, stride := range []int{64, 128, 256} {
			for _, rows := range []int{8, 16, 520} {
				for _, steps := range []int{1, 2, 23} {
					ranks := make([]uint8, rows*stride+2*mostNarrowColumns)
					for i := range ranks {
						ranks[i] = uint8(r.Uint32())
					}
					want := make([]uint32, rows)
					for i := range want {
						want[i] = r.Uint32()
					}
					got := slices.Clone(want)
					walkPortable(pairs, ranks, stride, want, steps)
					k.walk(pairs, ranks, stride, got, steps)
					if !slices.Equal(got, want) {
						t.Fatalf("stride %d, %d rows, %d steps: words differ", stride, rows, steps)
					}
				}
			}
		}
	})
}

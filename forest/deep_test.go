package forest

import (
	"math"
	"testing"
)

// TestDeep holds that big trees over many columns are walked with a top and without, that trees with
// more cuts in a column than a rank tells apart are walked by their values, and that all
// of it gives the same sums.
func TestDeep(t *testing.T) {
	x := noise(3, mostNarrowColumns+2, chunkRows+700, 0.02, 0.01)
	y := make([]uint8, len(x[0]))
	for i := range y {
		y[i] = uint8(i * 7919 % 5 / 4)
	}
	opts := DefaultRandomOptions()
	opts.NEstimators, opts.MaxFeatures = 6, 2 // every column is used
	rnd := fitRandom(t, x, y, opts)
	iopts := DefaultIsolationOptions()
	iopts.NEstimators, iopts.MaxSamples = 3, 4096
	z := noise(4, 1, len(y), 0.02, 0)
	iso := fitIsolation(t, z, iopts)
	for _, k := range kernels {
		for _, top := range []int{0, 1, 15, 255} {
			limited := *k
			limited.topSplits = top
			p := newPlan(len(x), rnd.trees, probabilityUnit, &limited)
			if len(p.deep) != 1 || p.walk != nil || len(p.groups) != 0 || (top > 0) != (len(p.deep[0].tops) > 0) {
				t.Fatalf("%s, top of %d splits: want the random forest in one deep, with a top unless 0", k.name, top)
			}
			want := make([]uint64, len(x[0]))
			p.walkFew(x, 0, want)
			for r, got := range sumsByBlocks(p, x) {
				if got != want[r] {
					t.Fatalf("%s, top of %d splits: row %d: got %d, want %d", k.name, top, r, got, want[r])
				}
			}
		}
		limited := *k
		limited.mostSplits = 100
		p := newPlan(1, iso.trees, pathUnit, &limited)
		if p.walk == nil || len(p.deep) != 0 {
			t.Fatalf("%s: want the isolation forest walked by values, got %d groups, %d deeps, walked: %v", k.name, len(p.groups), len(p.deep), p.walk != nil)
		}
		want := make([]uint64, len(x[0]))
		p.walkFew(z, 0, want)
		for r, got := range sumsByBlocks(p, z) {
			if got != want[r] {
				t.Fatalf("%s, walked: row %d: got %d, want %d", k.name, r, got, want[r])
			}
		}
	}
}

// TestDeepLimits holds that trees that do not fit beside others begin a new narrow.
func TestDeepLimits(t *testing.T) {
	stump := tree{{tag: 0, value: 0, right: 2, cover: 2}, {tag: leafTag, value: 0, cover: 1}, {tag: leafTag, value: 1, cover: 1}}
	trees := make([]tree, mostDeepTrees+1)
	for i := range trees {
		trees[i] = stump
	}
	for _, k := range kernels {
		limited := *k
		limited.mostSplits = 0
		p := newPlan(1, trees, probabilityUnit, &limited)
		if len(p.narrow) != 2 || len(p.narrow[0].trees) != mostDeepTrees || len(p.narrow[1].trees) != 1 {
			t.Fatalf("%s: got %d narrows, want 2 of %d trees and one", k.name, len(p.narrow), mostDeepTrees)
		}
		one := probabilityUnit.of(1)
		want := []uint64{0, uint64(one) * uint64(len(trees)), uint64(one) * uint64(len(trees))}
		for r, got := range sumsByBlocks(p, [][]float32{{-1, 1, float32(math.NaN())}}) {
			if got != want[r] {
				t.Errorf("%s: row %d: got %d, want %d", k.name, r, got, want[r])
			}
		}
	}
}

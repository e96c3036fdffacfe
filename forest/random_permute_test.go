package forest

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

func TestPermutationImportance(t *testing.T) {
	x, y := attacks(1, 8, 3000)
	x[5] = noise(4, 1, 3000, 0.3, 0.05)[0]
	x[7] = make([]float32, 3000) // constant
	opts := DefaultRandomOptions()
	plain, _ := fitRandom(t, x, y, opts).MarshalBinary()
	opts.Permute = true
	f := fitRandom(t, x, y, opts)
	if b, _ := f.MarshalBinary(); !bytes.Equal(b, plain) {
		t.Error("the model differs from that without")
	}
	got := f.PermutationImportance()
	for i, v := range got {
		if i < 3 && v < 0.02 || i >= 3 && math.Abs(v) > 0.005 {
			t.Errorf("got %.4f, want features 0 to 2 above 0.02 and the others about 0", got)
			break
		}
	}
	if got[7] != 0 {
		t.Errorf("constant column: got %v, want 0", got[7])
	}
	opts.Threads = 3
	if again := fitRandom(t, x, y, opts).PermutationImportance(); !slices.Equal(got, again) {
		t.Errorf("three threads: got %v, want %v", again, got)
	}
	opts.Permute = false
	if p := fitRandom(t, x, y, opts).PermutationImportance(); p != nil {
		t.Errorf("not asked for: got %v", p)
	}
}

// TestPermutationByHand permutes columns and scores every tree anew.
func TestPermutationByHand(t *testing.T) {
	x, y := attacks(2, 4, 200)
	x[1] = noise(9, 1, 200, 0.2, 0.1)[0]
	opts := DefaultRandomOptions()
	opts.NEstimators, opts.Permute, opts.Seed = 7, true, 5
	f := fitRandom(t, x, y, opts)
	auc := func(x [][]float32) float64 {
		var c chance
		votes := make([]uint64, len(y))
		for k := range f.trees {
			c.seed(opts.Seed, k)
			drawn := make([]bool, len(y))
			for range y {
				drawn[c.below(len(y))] = true
			}
			for row := range y {
				if !drawn[row] {
					votes[row] += quantised(float32(walkAll(f.trees[k:k+1], x, row))) | 1<<voteWidth
				}
			}
		}
		return measureVotes(votes, y).AUROC
	}
	if got := auc(x); got != f.OutOfBag().AUROC {
		t.Fatalf("AUROC by hand: got %v, want %v", got, f.OutOfBag().AUROC)
	}
	for feature, got := range f.PermutationImportance() {
		var c chance
		c.seed(opts.Seed, -2-feature)
		from := make([]int, len(y))
		for i := range from {
			j := c.below(i + 1)
			from[i], from[j] = from[j], i
		}
		permuted := slices.Clone(x)
		permuted[feature] = make([]float32, len(y))
		for row, other := range from {
			permuted[feature][row] = x[feature][other]
		}
		if want := f.OutOfBag().AUROC - auc(permuted); got != want {
			t.Errorf("feature %d: got %v, want %v", feature, got, want)
		}
	}
}

package forest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// bowl is rows of a normal feature, a constant one and one that is missing now
// and then.
func bowl(rows int) [][]float32 {
	rnd := rand.New(rand.NewPCG(3, 3))
	x := [][]float32{make([]float32, rows), make([]float32, rows), make([]float32, rows), make([]float32, rows)}
	for i := range rows {
		x[0][i] = float32(rnd.NormFloat64() * 3)
		x[2][i] = float32(rnd.Float64())
		if i%7 == 0 {
			x[2][i] = nan
		}
		x[3][i] = nan
	}
	return x
}

func boxed(t *testing.T) (*Isolation, [][]float32) {
	t.Helper()
	x := bowl(2000)
	opts := DefaultIsolationOptions()
	opts.Box = true
	f, err := FitIsolation(x, opts)
	if err != nil {
		t.Fatal(err)
	}
	return f, x
}

func scoreRow(t *testing.T, f *Isolation, row ...float32) float64 {
	t.Helper()
	x := make([][]float32, len(row))
	for i, v := range row {
		x[i] = []float32{v}
	}
	out := make([]float32, 1)
	if err := f.Score(x, out, 1); err != nil {
		t.Fatal(err)
	}
	return float64(out[0])
}

func TestBoxTellsHowFarOutside(t *testing.T) {
	f, x := boxed(t)
	highest := f.box.high[0]
	last := scoreRow(t, f, highest, 0, 0.5, nan)
	for _, beyond := range []float32{1, 5, 50} {
		got := scoreRow(t, f, highest+beyond, 0, 0.5, nan)
		if got <= last {
			t.Errorf("%g beyond the box: score %g, want more than %g of a row nearer to it", beyond, got, last)
		}
		last = got
	}
	inside, constant := scoreRow(t, f, 0, 0, 0.5, nan), scoreRow(t, f, 0, 2, 0.5, nan)
	if constant <= inside+0.1 {
		t.Errorf("a value that a constant column never had: score %g beside %g, want clearly more", constant, inside)
	}
	if got, want := scoreRow(t, f, nan, nan, nan, nan), 0.9; got > want {
		t.Errorf("a row of missing values lies nowhere: score %g, want below %g", got, want)
	}
	if got := scoreRow(t, f, float32(math.Inf(1)), float32(math.Inf(-1)), 0, 7); !(got > 0.9 && got <= 1) {
		t.Errorf("infinities: score %g, want in (0.9, 1]", got)
	}

	plain := *f
	plain.box = nil
	a, b := make([]float32, len(x[0])), make([]float32, len(x[0]))
	if err := f.Score(x, a, 1); err != nil {
		t.Fatal(err)
	}
	if err := plain.Score(x, b, 1); err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-6 {
			t.Fatalf("training row %d scores %g with the box and %g without, want the same", i, a[i], b[i])
		}
	}
}

func TestBoxedScoresDoNotDependOnThreadsOrBlocks(t *testing.T) {
	f, _ := boxed(t)
	x := bowl(2*chunkRows + 17)
	for i := range x[0] {
		x[0][i] *= 2
	}
	one, three := make([]float32, len(x[0])), make([]float32, len(x[0]))
	if err := f.Score(x, one, 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Score(x, three, 3); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, chunkRows - 1, chunkRows, 2*chunkRows + 16} {
		if want := scoreRow(t, f, x[0][i], x[1][i], x[2][i], x[3][i]); float64(one[i]) != want || one[i] != three[i] {
			t.Errorf("row %d: %g and %g with 1 and 3 threads, %g alone", i, one[i], three[i], want)
		}
	}
}

func TestBoxContributionsAddUp(t *testing.T) {
	f, _ := boxed(t)
	for _, row := range [][]float32{{0, 0, 0.5, nan}, {60, 3, nan, nan}, {-100, 0, 9, 1}} {
		out := make([]float64, 4)
		base, err := f.Contributions(row, out)
		if err != nil {
			t.Fatal(err)
		}
		sum := base
		for _, v := range out {
			sum += v
		}
		if got, want := f.anomaly(sum), scoreRow(t, f, row...); math.Abs(got-want) > 1e-6 {
			t.Errorf("row %v: contributions give the score %g, want %g", row, got, want)
		}
	}
}

func TestBoxRoundTrip(t *testing.T) {
	f, _ := boxed(t)
	b, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var g Isolation
	if err := g.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if again, _ := g.MarshalBinary(); !bytes.Equal(again, b) {
		t.Error("decoding and encoding again gave other bytes")
	}
	if a, b := scoreRow(t, f, 40, 1, 0, nan), scoreRow(t, &g, 40, 1, 0, nan); a != b {
		t.Errorf("decoded forest scores %g, the fitted one %g", b, a)
	}
	const low0 = 4 + 2 + 2 + 4 + 4 + 4 + 4 // the first feature's least value
	for _, bad := range []float32{nan, float32(math.Inf(1)), f.box.high[0] + 1} {
		hostile := bytes.Clone(b)
		bits := math.Float32bits(bad)
		hostile[low0], hostile[low0+1], hostile[low0+2], hostile[low0+3] = byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24)
		if err := g.UnmarshalBinary(hostile); err == nil {
			t.Errorf("least value %g: want an error", bad)
		}
	}
}

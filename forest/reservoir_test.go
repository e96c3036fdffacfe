package forest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// stream gives x to a sampler in batches of the given number of rows.
func stream(t testing.TB, x [][]float32, size, batch int) *Sampler {
	t.Helper()
	s, err := NewSampler(len(x), size, 7)
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < len(x[0]); from += batch {
		if err := s.Add(rowsOf(x, from, min(from+batch, len(x[0])))); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestSamplerSameBytesAtAnyBatch(t *testing.T) {
	x := noise(1, 4, 5000, 0.05, 0.01)
	opts := DefaultIsolationOptions()
	opts.Box, opts.NEstimators = true, 20
	var want []byte
	for _, batch := range []int{1, 7, 1024, 5000} {
		s := stream(t, x, 900, batch)
		f, err := s.Fit(opts)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("batches of %d rows: the model differs from that of single rows", batch)
		}
		if s.Rows() != 5000 || len(s.Sample()[0]) != 900 {
			t.Errorf("batches of %d rows: got %d rows, %d in the sample, want 5000 and 900", batch, s.Rows(), len(s.Sample()[0]))
		}
		if low, high := slices.Min(dropNaN(x[2])), slices.Max(dropNaN(x[2])); f.box.low[2] != clamp(low) || f.box.high[2] != clamp(high) {
			t.Errorf("box of feature 2: got %v to %v, want that of all rows, %v to %v", f.box.low[2], f.box.high[2], low, high)
		}
	}
}

func dropNaN(column []float32) []float32 {
	return slices.DeleteFunc(slices.Clone(column), func(v float32) bool { return v != v })
}

func TestSamplerOfAllRowsIsFitIsolation(t *testing.T) {
	x := noise(2, 5, 700, 0.05, 0.01)
	opts := DefaultIsolationOptions()
	opts.Box, opts.Seed = true, 3
	f, err := stream(t, x, 700, 64).Fit(opts)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := f.MarshalBinary()
	want, _ := fitIsolation(t, x, opts).MarshalBinary()
	if !bytes.Equal(got, want) {
		t.Error("a sample of all rows gave another forest than the table")
	}
}

// TestReservoirUniform checks that each row is in the sample equally often, the
// first and the last ones too, and that slots hold rows of the stream's order.
func TestReservoirUniform(t *testing.T) {
	const rows, size, seeds = 60, 12, 5000
	var kept [rows]int
	for seed := range uint64(seeds) {
		r := NewReservoir(size, seed)
		var slots [size]int
		for row := range rows {
			slot, ok := r.Offer()
			if ok != (slot < size) || row < size && slot != row {
				t.Fatalf("row %d: got slot %d, kept %v", row, slot, ok)
			}
			if ok {
				slots[slot] = row
			}
		}
		for _, row := range slots {
			kept[row]++
		}
	}
	chi := 0.0
	for _, n := range kept {
		const want = float64(seeds*size) / rows
		chi += (float64(n) - want) * (float64(n) - want) / want
	}
	if chi > 98.3 { // p = 0.001 at 59 degrees, and rows of one sample repel each other
		t.Errorf("rows in the sample: got %v, want about 1000 each (chi squared %.1f)", kept, chi)
	}
}

func TestSamplerRefuses(t *testing.T) {
	for _, c := range []struct {
		features, size int
		want           string
	}{
		{0, 10, "features: want 1 to"},
		{1 << 21, 10, "features: want 1 to"},
		{1, 0, "sample: want 1 to"},
		{1, 1 << 25, "sample: want 1 to"},
	} {
		if _, err := NewSampler(c.features, c.size, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	s, err := NewSampler(2, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fit(DefaultIsolationOptions()); err == nil || !strings.Contains(err.Error(), "at least one row") {
		t.Errorf("no rows: got error %v", err)
	}
	if err := s.Add([][]float32{{1}}); err == nil || s.Rows() != 0 {
		t.Errorf("one column of two: got error %v, %d rows", err, s.Rows())
	}
	if err := s.Add([][]float32{{1, 2}, {3}}); err == nil || s.Rows() != 0 {
		t.Errorf("columns of unlike lengths: got error %v, %d rows", err, s.Rows())
	}
	if err := s.Add([][]float32{{}, {}}); err != nil {
		t.Errorf("an empty batch: got error %v", err)
	}
}

// TestSampleInOrder numbers the rows: a sample has them in the order of the stream,
// each with all of its values, the late ones too.
func TestSampleInOrder(t *testing.T) {
	x := [][]float32{make([]float32, 3000), make([]float32, 3000)}
	for row := range x[0] {
		x[0][row], x[1][row] = float32(row), float32(-row)
	}
	got := stream(t, x, 200, 64).Sample()
	for k, row := range got[0] {
		if k > 0 && row <= got[0][k-1] || got[1][k] != -row {
			t.Fatalf("sample: row %d: got %v and %v after %v", k, row, got[1][k], got[0][max(k-1, 0)])
		}
	}
	if last := got[0][199]; len(got[0]) != 200 || last < 2500 {
		t.Errorf("sample: got %d rows up to %v, want 200 from all of the stream", len(got[0]), last)
	}
	for _, c := range [][2]int{{1, 1}, {maxFeatures, 1}, {1, maxSamples}} {
		if _, err := NewSampler(c[0], c[1], 0); err != nil {
			t.Errorf("%d features, %d rows: got error %v", c[0], c[1], err)
		}
	}
}

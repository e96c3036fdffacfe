package feature

import (
	"math"
	"testing"
)

func TestHistogramBins(t *testing.T) {
	last := -1
	for _, v := range []uint64{0, 1, 7, 15, 16, 17, 18, 31, 32, 100, 1000, 1 << 20, 1<<32 - 1, 1 << 50} {
		bin := binOf(v)
		if bin < last {
			t.Errorf("bin of %d: got %d, below that of a smaller value", v, bin)
		}
		last = bin
		if got := binValue(bin); math.Abs(got-float64(v)) > float64(v)/16 {
			t.Errorf("value of the bin of %d: got %g, want it within 1/16", v, got)
		}
	}
}

func TestSummary(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []uint64
		total  uint64
		want   Range
	}{
		{"none", nil, 0, Range{Down: minScale, Up: minScale}},
		{"never", nil, 100, Range{Down: minScale, Up: minScale}},
		{"constant", []uint64{7, 7, 7, 7}, 4, Range{7, 7, 7, 7, minScale, minScale}},
		{"once in a thousand", []uint64{9}, 1000, Range{0, 0, 0, 9, minScale, minScale}},
		{"one to three", []uint64{1, 2, 3}, 3, Range{1, 2, 2, 3, 1.4826 * math.Log(4.0/3), 1.4826 * math.Log(4.0/3)}},
	} {
		var h histogram
		for _, v := range tt.values {
			h.add(v)
		}
		got := h.summary(tt.total)
		if math.Abs(got.Up-tt.want.Up) > 1e-9 || math.Abs(got.Down-tt.want.Down) > 1e-9 {
			t.Errorf("%s: scales: got %+v, want %+v", tt.name, got, tt.want)
		}
		got.Up, got.Down = tt.want.Up, tt.want.Down
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestExcess(t *testing.T) {
	r := Range{Low: 8, Median: 10, High: 12, Max: 20, Down: 0.2, Up: 0.2}
	for _, count := range []float64{5, 10, 15, 23} {
		if got := r.excess(count); got != 0 {
			t.Errorf("excess of %g: got %g, want 0: within 4 scales", count, got)
		}
	}
	if up, down := r.excess(1000), r.excess(0); up < 5 || down > -5 {
		t.Errorf("got %g for 1000 and %g for 0, want far above and far below 0", up, down)
	}
}

func TestFeaturesAreDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Features() {
		if f.Name == "" || f.Family == "" || f.Unit == "" || f.Reason == "" || seen[f.Name] {
			t.Errorf("feature %+v: something is empty, or its name stands twice", f)
		}
		seen[f.Name] = true
	}
	for i, c := range Counters {
		if c.Name == "" || c.Unit == "" || c.Doc == "" {
			t.Errorf("counter %d: %+v: something is empty", i, c)
		}
	}
	for f := range numFamilies {
		if familyReasons[f] == "" {
			t.Errorf("family %s has no reason", familyNames[f])
		}
	}
}

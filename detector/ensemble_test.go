package detector

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSurpriseCountsShares(t *testing.T) {
	scores := make([]float64, 999)
	for i := range scores {
		scores[i] = 0.3 + 0.4*float64(i)/998
	}
	s := newSurprise(scores, false)
	for _, tc := range []struct{ score, share, within float64 }{
		{0.7, 1.0 / 1000, 0.01},
		{0.66, 0.1, 0.02},
		{0.5, 0.5, 0.02},
		{0.1, 0.999, 0.01},
	} {
		if got := s.nats(tc.score); math.Abs(got+math.Log(tc.share)) > tc.within {
			t.Errorf("score %g: got %g nats, want %g", tc.score, got, -math.Log(tc.share))
		}
	}
	last := -1.0
	for score := float64(0); score <= 1; score += 1.0 / 512 {
		if got := s.nats(score); got < last {
			t.Fatalf("score %g: %g nats, fewer than a lower score's %g", score, got, last)
		} else {
			last = got
		}
	}
	if far, near := s.nats(0.99), s.nats(0.9); !(far > near && near > s.nats(0.7)) || math.IsInf(s.nats(1), 0) {
		t.Errorf("beyond training: got %g, %g and %g nats, want them to grow and to end", near, far, s.nats(1))
	}
}

func TestSurpriseOfEqualScores(t *testing.T) {
	s := newSurprise(slices.Repeat([]float64{0.5}, 100), false)
	if got := s.nats(0.5); got > 0.02 {
		t.Errorf("got %g nats for what every window has, want none", got)
	}
	if s.nats(0.9) <= s.nats(0.5) {
		t.Error("a score that no window had is no rarer than one that all have")
	}
	if one := newSurprise([]float64{0.4}, false); !(one.nats(0.6) > one.nats(0.4)) {
		t.Error("of one window: want a higher score to be rarer")
	}
}

func TestEnsembleRoundTrip(t *testing.T) {
	d := fit(t, Training{Windows: source(quiet(6, 200))}, nil)
	e := d.model.(*ensemble)
	if len(e.members) != 3 || e.members[2].forest != nil {
		t.Fatalf("got %d members, want forests over the joint features and over all, and what is new", len(e.members))
	}
	packed, err := e.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back ensemble
	if err := back.UnmarshalBinary(packed); err != nil {
		t.Fatal(err)
	}
	again, err := back.MarshalBinary()
	if err != nil || !bytes.Equal(packed, again) {
		t.Errorf("written again: %d bytes (%v), want the same %d", len(again), err, len(packed))
	}
	r := rand.New(rand.NewPCG(1, 1))
	row := make([]float32, e.features)
	for range 50 {
		for i := range row {
			row[i] = float32(r.NormFloat64() * 5)
		}
		x := make([][]float32, len(row))
		for i := range row {
			x[i] = row[i : i+1]
		}
		a, b := make([]float32, 1), make([]float32, 1)
		if err := e.Score(x, a, 1); err != nil {
			t.Fatal(err)
		}
		if err := back.Score(x, b, 1); err != nil || a[0] != b[0] || a[0] < 0 || a[0] >= 1 {
			t.Fatalf("got %g and, read back, %g (%v)", a[0], b[0], err)
		}
	}
}

func TestEnsembleRefuses(t *testing.T) {
	d := fit(t, Training{Windows: source(quiet(6, 200))}, nil)
	packed, err := d.model.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for n := range min(len(packed), 4000) {
		if new(ensemble).UnmarshalBinary(packed[:n]) == nil {
			t.Fatalf("the first %d bytes of %d: got no error", n, len(packed))
		}
	}
	for name, at := range map[string]int{"features": 7, "members": 8, "weight": 19, "columns": 21, "column": 27} {
		bad := slices.Clone(packed)
		bad[at] ^= 0xff
		if new(ensemble).UnmarshalBinary(bad) == nil {
			t.Errorf("%s spoilt: got no error", name)
		}
	}
	if new(ensemble).UnmarshalBinary(append(slices.Clone(packed), 0)) == nil {
		t.Error("a byte too many: got no error")
	}
}

// What stands behind few windows may spend little: a forest over the joint
// features alone comes only as far as they are founded.
func TestSharesFollowTheWindows(t *testing.T) {
	for _, tc := range []struct {
		windows     int
		least, most float64
	}{{20, 0.1 * (1 - rarityShare), 0.35 * (1 - rarityShare)}, {2000, jointShare * (1 - rarityShare), jointShare * (1 - rarityShare)}} {
		d := fit(t, Training{Windows: source(quiet(2, tc.windows/2))}, nil)
		weight := d.model.(*ensemble).members[0].weight
		if weight < tc.least-1e-9 || weight > tc.most+1e-9 {
			t.Errorf("%d windows: weight %g, want %g to %g", tc.windows, weight, tc.least, tc.most)
		}
	}
}

func FuzzEnsemble(f *testing.F) {
	e := &ensemble{features: 2}
	packed, err := e.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte(ensembleMagic + "\x02\x00\x00\x00\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e ensemble
		if e.UnmarshalBinary(b) != nil {
			return
		}
		x, out := make([][]float32, e.features), make([]float32, 1)
		for i := range x {
			x[i] = []float32{1}
		}
		if err := e.Score(x, out, 1); err != nil || !(out[0] >= 0 && out[0] <= 1) {
			t.Errorf("got score %g (%v)", out[0], err)
		}
	})
}

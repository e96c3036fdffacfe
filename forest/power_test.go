package forest

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// TestSameBitsEverywhere holds scores of fixed trees to a hash that amd64 and arm64
// give.
func TestSameBitsEverywhere(t *testing.T) {
	b, err := os.ReadFile("testdata/isolation.forest")
	if err != nil {
		t.Fatal(err)
	}
	var f Isolation
	if err := f.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	x, _ := table(t)
	h := fnv.New64a()
	for _, s := range scores(t, &f, x, 1) {
		_ = binary.Write(h, binary.LittleEndian, math.Float32bits(s))
	}
	if got, want := h.Sum64(), uint64(0xd378f807d6f4cdde); got != want {
		t.Errorf("hash of the scores: got %#x, want %#x", got, want)
	}
}

func TestPower(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for i := range 1_000_000 {
		x := -r.Float64() * math.Exp2(float64(i%14)-4)
		if x < -1000 || i < 1001 {
			x = -float64(i % 1001)
		}
		want := math.Exp2(x)
		if got := power(x); !(math.Abs(got-want) <= 2e-12*want) {
			t.Fatalf("2^%v: got %v, want %v", x, got, want)
		}
	}
}

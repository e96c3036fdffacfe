package forest

import (
	"math"
	"math/rand/v2"
	"testing"
)

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

package feature

import (
	"math"
	"testing"

	"mayfly/trace"
)

// TestBackoff: probabilities of all calls after two calls sum to one, known or not, and
// what was never seen is the less surprising the more its shorter orders were.
func TestBackoff(t *testing.T) {
	m := model{Windows: 10}
	for i, abc := range [][3]trace.Call{{1, 2, 3}, {1, 2, 4}, {2, 3, 1}, {3, 1, 2}, {4, 3, 1}, {5, 2, 4}} {
		m.Trigrams = append(m.Trigrams, Trigram(abc[0], abc[1], abc[2]))
		m.TrigramCounts, m.TrigramWindows = append(m.TrigramCounts, uint32(i+1)), append(m.TrigramWindows, 1)
	}
	m.indexSequences()
	bits := func(a, b, c trace.Call) float64 {
		at, n := m.trigram(Trigram(a, b, c))
		if n > 0 {
			return m.bits[at]
		}
		return m.order.bits(Trigram(a, b, c), 0, m.pairs[Trigram(0, a, b)])
	}
	for _, ab := range [][2]trace.Call{{1, 2}, {2, 3}, {9, 2}, {9, 9}} {
		sum := 0.0
		for c := range trace.Call(maxKnownCall) {
			sum += math.Exp2(-bits(ab[0], ab[1], c))
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("after %v: probabilities sum to %g, want 1", ab, sum)
		}
	}
	often, rare, follows, never, nothing := bits(1, 2, 4), bits(1, 2, 3), bits(3, 2, 4), bits(1, 2, 1), bits(1, 2, 9)
	if !(often < rare && rare < never && follows < never && never < nothing) {
		t.Errorf("got bits %.2f of what came often, %.2f seldom, %.2f after another call, %.2f never after that call, %.2f never at all: want them ascending", often, rare, follows, never, nothing)
	}
}

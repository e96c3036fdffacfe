package feature

import "math"

// backoff is how probable a call is after two others, told by shorter orders where the
// longer one was seen seldom: interpolated Kneser-Ney smoothing (Chen and Goodman, "An
// empirical study of smoothing techniques for language modeling", Computer Speech &
// Language 13, 1999, section 2.7). Orders are counted by how many different ones they
// were seen in, so that one loop does not make a call probable everywhere. A step that
// no training window made is thus a little surprising where its call follows on
// anything, and very surprising where it never followed on that call.
//
// It is made of the trigrams of a model alone, and read-only.
type backoff struct {
	before map[uint32]float64     // b<<10|c: how many different calls came before b, c
	middle [1 << callBits]follows // by b
	last   [1 << callBits]float64 // by c: how many different calls came right before it
	pairs  float64                // different pairs b, c
}

// follows is what came after a call b.
type follows struct {
	trigrams float64 // different ones with b in the middle
	calls    float64 // different c
}

const (
	discount = 0.75 // taken from each count for what was never seen
	unseenC  = 0.5  // added to last of every call
)

func newBackoff(trigrams []uint32) *backoff {
	const pair, mask = 1<<(2*callBits) - 1, 1<<callBits - 1
	o := &backoff{before: map[uint32]float64{}}
	for _, t := range trigrams {
		bc := t & pair
		b, c := bc>>callBits, bc&mask
		if o.before[bc] == 0 {
			o.middle[b].calls++
			o.last[c]++
			o.pairs++
		}
		o.before[bc]++
		o.middle[b].trigrams++
	}
	return o
}

// bits is -log2 of the probability of the last call of a trigram that was seen so often,
// after its first two, of which after says what came (nothing: they never came together).
func (o *backoff) bits(t uint32, seen uint64, after pairModel) float64 {
	const pair, mask = 1<<(2*callBits) - 1, 1<<callBits - 1
	bc := t & pair
	p := (o.last[bc&mask] + unseenC) / (o.pairs + unseenC*maxKnownCall)
	if b := &o.middle[bc>>callBits]; b.trigrams > 0 {
		p = (max(o.before[bc]-discount, 0) + discount*b.calls*p) / b.trigrams
	}
	if n := float64(after.count); n > 0 {
		p = (max(float64(seen)-discount, 0) + discount*float64(after.kinds)*p) / n
	}
	return -math.Log2(p)
}

package forest

import (
	"math/bits"
	"math/rand/v2"
)

// chance is one tree's stream of random numbers. Its methods are written out
// here, over the fixed PCG-DXSM generator, so that a seed means the same trees
// in every release of Go.
type chance struct{ pcg rand.PCG }

// seed starts the stream of one tree of the forest with the given seed.
func (c *chance) seed(forest uint64, tree int) {
	a := mix(forest + 0x9e3779b97f4a7c15)
	b := mix(a ^ mix(uint64(tree)+0x9e3779b97f4a7c15))
	c.pcg.Seed(a^b, b)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a uniform number in [0, n), n > 0 (Lemire 2019).
func (c *chance) below(n int) int {
	hi, lo := bits.Mul64(c.pcg.Uint64(), uint64(n))
	if lo < uint64(n) {
		for limit := -uint64(n) % uint64(n); lo < limit; {
			hi, lo = bits.Mul64(c.pcg.Uint64(), uint64(n))
		}
	}
	return int(hi)
}

// unit returns a uniform number in [0, 1).
func (c *chance) unit() float64 { return float64(c.pcg.Uint64()>>11) / (1 << 53) }

// coin returns true half of the time.
func (c *chance) coin() bool { return c.pcg.Uint64()>>63 == 1 }

package forest

import "errors"

var errSoon = errors.New("forest: not built yet")

// FitRandom grows a random forest from x and the classes y (0 or 1).
func FitRandom(x [][]float32, y []uint8, opts RandomOptions) (*Random, error) { return nil, errSoon }

// Contributions writes into out (length n) how much each feature moved the row's
// mean path length away from base, the mean path length of training rows:
// base + sum(out) is the row's mean path length, and the score
// 2^(-(base+sum(out))/c(psi)). Below zero: the feature makes the row stranger.
func (f *Isolation) Contributions(row []float32, out []float64) (base float64, err error) {
	return 0, errSoon
}

// Contributions writes into out (length n) each feature's part in the row's
// probability of class 1: base + sum(out) is the score.
func (f *Random) Contributions(row []float32, out []float64) (base float64, err error) {
	return 0, errSoon
}

// MarshalBinary writes the forest as FORMAT.md describes.
func (f *Isolation) MarshalBinary() ([]byte, error) { return nil, errSoon }

// UnmarshalBinary reads what MarshalBinary wrote.
func (f *Isolation) UnmarshalBinary(b []byte) error { return errSoon }

// MarshalBinary writes the forest as FORMAT.md describes.
func (f *Random) MarshalBinary() ([]byte, error) { return nil, errSoon }

// UnmarshalBinary reads what MarshalBinary wrote.
func (f *Random) UnmarshalBinary(b []byte) error { return errSoon }

package detector

import (
	"bytes"
	"fmt"

	"mayfly/feature"
	"mayfly/forest"
)

// Detector is what was learned: it tells how strange a window is. It is
// read-only and safe for concurrent use; each goroutine makes its own Scorer.
type Detector struct {
	Manifest Manifest
	Space    *feature.Space // what is normal, and how a window becomes a row of the forest

	model  model
	sha256 string // of the file it was loaded from
}

// model is a forest of either kind.
type model interface {
	Score(x [][]float32, out []float32, threads int) error
	Contributions(row []float32, out []float64) (base float64, err error)
	Features() int
	MarshalBinary() ([]byte, error)
	UnmarshalBinary([]byte) error
}

func newModel(engine string) (model, error) {
	switch engine {
	case Isolation, Golearn:
		return new(forest.Isolation), nil
	case Random:
		return new(forest.Random), nil
	}
	return nil, fmt.Errorf("engine: want %s, %s or %s, got %q", Isolation, Random, Golearn, engine)
}

func decodeModel(engine string, trees []byte) (model, error) {
	m, err := newModel(engine)
	if err != nil {
		return nil, err
	}
	if engine == Isolation && bytes.HasPrefix(trees, []byte(ensembleMagic)) {
		m = new(ensemble)
	}
	return m, m.UnmarshalBinary(trees)
}

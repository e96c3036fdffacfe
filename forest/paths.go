package forest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Paths returns the names of the ways in which this machine can score, the
// fastest first, which is what forests use: "AVX-512", "AVX2", and "portable",
// which is always there. All give the same bits.
func Paths() []string {
	names := make([]string, len(kernels))
	for i, k := range kernels {
		names[i] = k.name
	}
	return names
}

// On returns a forest that is f but for scoring by one of Paths, for measuring it.
func (f *Isolation) On(path string) (*Isolation, error) {
	if f.plan == nil {
		return nil, errors.New("isolation forest: neither fitted nor decoded")
	}
	for _, k := range kernels {
		if k.name == path {
			other := *f
			other.plan = sync.OnceValue(func() *plan { return newPlan(f.features, f.trees, pathUnit, k) })
			return &other, nil
		}
	}
	return nil, fmt.Errorf("path: want one of %s, got %q", strings.Join(Paths(), ", "), path)
}

package forest

import (
	"errors"
	"fmt"
	"slices"
)

// Reservoir decides which rows of a stream stay in a sample of fixed size: after
// any number of rows, every set of that many of them is equally likely
// (Algorithm R of Vitter, "Random Sampling with a Reservoir", ACM TOMS 11, 1985).
// Its decisions depend on the seed and on a row's number in the stream alone. Not
// safe for concurrent use.
type Reservoir struct {
	chance chance
	size   int
	seen   int64
}

// NewReservoir returns one for a sample of size rows, at least 1.
func NewReservoir(size int, seed uint64) *Reservoir {
	r := &Reservoir{size: max(size, 1)}
	r.chance.seed(seed, -1) // trees count from 0
	return r
}

// Offer takes the next row of the stream and returns the slot of the sample, below
// its size, that the row belongs into, in place of what is there; kept is false
// when the row is not in the sample. Slots fill from 0 up.
func (r *Reservoir) Offer() (slot int, kept bool) {
	r.seen++
	if r.seen <= int64(r.size) {
		return int(r.seen - 1), true
	}
	slot = r.chance.below(int(r.seen))
	return slot, slot < r.size
}

// Seen returns how many rows were offered.
func (r *Reservoir) Seen() int64 { return r.seen }

// Sampler takes a table that does not fit into memory, batch after batch, and
// grows an isolation forest from it. It holds a sample of the rows and the box of
// all of them: size × n × 4 bytes, however long the stream. The forest depends on
// the seed and on the order of the rows, not on how they were cut into batches. Not
// safe for concurrent use.
//
//	s, err := forest.NewSampler(len(columns), 100*256, seed)
//	for batch := range batches {
//		err = s.Add(batch)
//	}
//	f, err := s.Fit(forest.DefaultIsolationOptions())
type Sampler struct {
	reservoir *Reservoir
	columns   [][]float32 // of the sample, slot by slot
	number    []int64     // row of the stream in each slot
	box       *box        // of every row
}

// NewSampler returns a sampler of rows of n features that keeps size of them. Trees
// of IsolationOptions.MaxSamples rows are drawn from those: NEstimators times
// MaxSamples of them let the trees be about as different as on the whole table.
func NewSampler(features, size int, seed uint64) (*Sampler, error) {
	switch {
	case features < 1 || features > maxFeatures:
		return nil, fmt.Errorf("features: want 1 to %d, got %d", maxFeatures, features)
	case size < 1 || size > maxSamples:
		return nil, fmt.Errorf("sample: want 1 to %d rows, got %d", maxSamples, size)
	}
	return &Sampler{
		reservoir: NewReservoir(size, seed), columns: make([][]float32, features),
		box: newBox(make([][]float32, features), nil),
	}, nil
}

// Add offers the rows of x: n columns of one length, which are not kept.
func (s *Sampler) Add(x [][]float32) error {
	rows, err := checkColumns(x, len(s.columns))
	if err != nil {
		return err
	}
	s.box.extend(x)
	for row := range rows {
		slot, kept := s.reservoir.Offer()
		switch {
		case !kept:
		case slot == len(s.number):
			s.number = append(s.number, s.reservoir.Seen()-1)
			for f, column := range x {
				s.columns[f] = append(s.columns[f], column[row])
			}
		default:
			s.number[slot] = s.reservoir.Seen() - 1
			for f, column := range x {
				s.columns[f][slot] = column[row]
			}
		}
	}
	return nil
}

// Rows returns how many rows were added.
func (s *Sampler) Rows() int64 { return s.reservoir.Seen() }

// Sample returns the columns of the sample in the order of the stream, copied.
func (s *Sampler) Sample() [][]float32 {
	order := make([]int, len(s.number))
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(a, b int) int { return int(s.number[a] - s.number[b]) })
	x := make([][]float32, len(s.columns))
	for f, column := range s.columns {
		x[f] = make([]float32, len(order))
		for k, slot := range order {
			x[f][k] = column[slot]
		}
	}
	return x
}

// Fit grows a forest from the sample, as FitIsolation does from a table; with
// IsolationOptions.Box, the box is that of every row that was added. As long as
// the sample holds all rows, the forest is the one that FitIsolation grows.
func (s *Sampler) Fit(opts IsolationOptions) (*Isolation, error) {
	if s.Rows() == 0 {
		return nil, errors.New("columns: want at least one row, got none")
	}
	f, err := FitIsolation(s.Sample(), opts)
	if err == nil && opts.Box {
		f.box = &box{slices.Clone(s.box.low), slices.Clone(s.box.high)}
	}
	return f, err
}

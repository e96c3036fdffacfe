package detector

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"mayfly/feature"
	"mayfly/forest"
	"mayfly/reference"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// fit grows the forest from all rows, or from those of which keep is true.
func (r *rows) fit(opts Options, keep []bool) (model, error) {
	if opts.Engine == Isolation {
		var at []int32 // nil: all
		if keep != nil {
			at = make([]int32, 0, len(keep))
		}
		for i, k := range keep {
			if k {
				at = append(at, int32(i))
			}
		}
		o := opts.Forest
		o.Seed, o.Threads = opts.Seed, opts.Threads
		return forest.FitIsolationRows(r.columns, at, o)
	}
	x, y := r.columns, r.class
	if keep != nil {
		x = make([][]float32, len(r.columns))
		for c, column := range r.columns {
			x[c] = pick(column, keep)
		}
		y = pick(r.class, keep)
	}
	if opts.Engine == Golearn {
		o := opts.Forest
		o.Seed, o.Threads = opts.Seed, opts.Threads
		return reference.Golearn(x, o)
	}
	if r.momentary() {
		x = silenced(x)
	}
	o := opts.Random
	o.Seed, o.Threads = opts.Seed, opts.Threads
	return forest.FitRandom(x, y, o)
}

// model grows what the options ask for, and returns it with the scores of the
// normal rows.
func (r *rows) model(opts Options, space *feature.Space) (model, *held, error) {
	h := &held{rows: r.heldOutRows(opts.Engine)}
	if opts.Engine == Isolation && opts.Families {
		e, err := r.ensemble(opts, space, h)
		if err != nil {
			return nil, nil, err
		}
		return e, h, nil
	}
	m, err := r.fit(opts, nil)
	if err != nil {
		return nil, nil, err
	}
	if h.scores, err = r.heldOutScores(opts); err != nil {
		return nil, nil, fmt.Errorf("calibrate: %w", err)
	}
	h.parts = []heldPart{{scores: h.scores, weight: 1}}
	return m, h, nil
}

func pick[T any](column []T, keep []bool) []T {
	var picked []T
	for i, v := range column {
		if keep[i] {
			picked = append(picked, v)
		}
	}
	return picked
}

// scoredAtOnce is how many rows are copied to be scored.
const scoredAtOnce = 1 << 16

// heldOutScores scores every normal row by a forest that grew without the row's
// part, and returns the scores in the order of heldOutRows.
func (r *rows) heldOutScores(opts Options) ([]float64, error) {
	var scores []float64
	for keep, held := range r.folds(opts.Engine) {
		m, err := r.fit(opts, keep)
		if err != nil {
			return nil, err
		}
		x := make([][]float32, len(r.columns))
		for some := range slices.Chunk(held, scoredAtOnce) {
			for c, column := range r.columns {
				x[c] = permuted(column, some)
			}
			out := make([]float32, len(some))
			if err := m.Score(x, out, opts.Threads); err != nil {
				return nil, err
			}
			for _, s := range out {
				scores = append(scores, float64(s))
			}
		}
	}
	if len(scores) == 0 {
		return nil, fmt.Errorf("%d training windows are too few to hold any back", len(r.class))
	}
	return scores, nil
}

// heldOutRows are the rows that heldOutScores scores, in its order.
func (r *rows) heldOutRows(engine string) (at []int32) {
	for _, held := range r.folds(engine) {
		at = append(at, held...)
	}
	return at
}

// folds yields for each part which rows to grow from, a slice that is used again,
// and its normal rows in their order; parts with nothing to score or nothing to grow
// from are left out.
func (r *rows) folds(engine string) iter.Seq2[[]bool, []int32] {
	return func(yield func([]bool, []int32) bool) {
		part := r.parts()
		keep := make([]bool, len(part))
		for fold := range int32(calibrationFolds) {
			classes := [2]int{} // rows of each class to grow from
			var held []int32
			for i, p := range part {
				keep[i] = p != fold
				if keep[i] {
					classes[r.class[i]]++
				} else if r.class[i] == 0 {
					held = append(held, int32(i))
				}
			}
			if len(held) == 0 || classes[0] == 0 || engine == Random && classes[1] == 0 {
				continue
			}
			if !yield(keep, held) {
				return
			}
		}
	}
}

// parts deals the rows out to calibrationFolds parts, workload by workload: whole
// containers where it has enough of them, else equal stretches of each container's
// time. So every part knows every workload, as a detector does tomorrow.
func (r *rows) parts() []int32 {
	byOrdinal := make([]*seen, r.counts.Containers)
	for _, s := range r.containers {
		if s.ordinal >= 0 {
			byOrdinal[s.ordinal] = s
		}
	}
	containers := map[string]int{} // of each workload
	within := make([]int, len(byOrdinal))
	for i, s := range byOrdinal {
		within[i] = containers[s.workload]
		containers[s.workload]++
	}
	size, rank := make([]int, len(byOrdinal)), make([]int, len(byOrdinal))
	for _, c := range r.container {
		size[c]++
	}
	part := make([]int32, len(r.container))
	for i, c := range r.container {
		if containers[byOrdinal[c].workload] >= calibrationFolds {
			part[i] = int32(within[c] % calibrationFolds)
		} else {
			part[i] = int32(rank[c] * calibrationFolds / size[c])
		}
		rank[c]++
	}
	return part
}

// expected is the range that most normal rows lie in, feature by feature.
func (r *rows) expected() []Range {
	ranges := make([]Range, len(r.columns))
	normal := make([]bool, len(r.class))
	for i, class := range r.class {
		normal[i] = class == 0
	}
	for c, column := range r.columns {
		values := pick(column, normal)
		values = slices.DeleteFunc(values, func(v float32) bool { return v != v })
		if len(values) == 0 {
			continue // never known: the range is [0,0]
		}
		slices.Sort(values)
		last := float64(len(values) - 1)
		ranges[c] = Range{
			Low:  finite(values[int(math.Floor(0.01*last))]),
			High: finite(values[int(math.Ceil(0.99*last))]),
		}
	}
	return ranges
}

// finite makes a value one that JSON can hold.
func finite(v float32) float64 {
	return min(max(float64(v), -math.MaxFloat32), math.MaxFloat32)
}

// float32Columns are the columns of an encoded record, without a copy.
func float32Columns(rec arrow.Record) ([][]float32, error) {
	columns := make([][]float32, rec.NumCols())
	for i, column := range rec.Columns() {
		values, ok := column.(*array.Float32)
		if !ok || values.NullN() > 0 {
			return nil, errors.New("column " + rec.ColumnName(i) + ": want float32 without nulls")
		}
		columns[i] = values.Float32Values()
	}
	return columns, nil
}

// momentary reports whether attacks are moments of containers that are usual otherwise.
func (r *rows) momentary() bool {
	had := make([][2]bool, r.counts.Containers) // classes of each container
	for i, c := range r.container {
		had[c][r.class[i]] = true
	}
	return slices.Contains(had, [2]bool{true, true})
}

// silenced are the columns with those made constant, which no split is on, in which
// something new echoes for as long as the longer time scale reaches back. An isolation
// forest needs them (see feature.Encoder). A random forest learns from moments of attack
// that one is where another was lately, and then holds all of the ten seconds for attacks
// that follow the first new thing a usual container does. Where whole containers are
// attacks, nothing is learned amiss.
func silenced(x [][]float32) [][]float32 {
	out := slices.Clone(x)
	for i, f := range feature.Features() {
		if strings.HasSuffix(f.Name, "_long") && (f.Family == "novelty" || f.Family == "deviation") {
			out[i] = make([]float32, len(x[i]))
		}
	}
	return out
}

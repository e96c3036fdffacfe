package feature

import (
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Encoder turns windows into features. It keeps the long time scale of each
// container, so windows of a container come in time order; containers may be
// mixed. It is not safe for concurrent use; encoders of one Space are
// independent of each other.
type Encoder struct {
	space    *Space
	training bool
	tails    *tails
	reading  reading
	window   Window
}

// NewEncoder returns an encoder for windows that were not learned from.
func (s *Space) NewEncoder() *Encoder {
	return &Encoder{space: s, tails: newTails(s.MaxContainers)}
}

// Began tells that a container's first window began at startNS, for an encoder that
// comes in later: a container's first seconds are measured otherwise.
func (e *Encoder) Began(host, containerID string, startNS int64) {
	e.tails.began[containerKey{host, containerID}] = startNS
}

// NewTrainingEncoder returns an encoder for the windows that the space was
// learned from: it measures each against what the other parts of the training
// time did (see fold.go), so that novelty in training is distributed as in time
// to come. Windows that were not learned from are encoded as NewEncoder does.
// The space must come from Learn: a decoded one does not remember.
func (s *Space) NewTrainingEncoder() (*Encoder, error) {
	if s.folds == 0 {
		return nil, fmt.Errorf("space: was decoded, and does not remember where it saw what; learn it anew")
	}
	e := s.NewEncoder()
	e.training = true
	return e, nil
}

// Encode returns one row of float32 columns, named as Features, for each window
// of a record of Schema. NaN is what the window's source could not know. The
// caller releases the record that is returned and keeps the one given.
func (e *Encoder) Encode(rec arrow.Record) (arrow.Record, error) {
	v, err := View(rec)
	if err != nil {
		return nil, err
	}
	columns := make([][]float32, len(features))
	for i := range columns {
		columns[i] = make([]float32, v.Len())
	}
	for row := range v.Len() {
		v.At(row, &e.window)
		if e.window.WidthNS != e.space.WidthNS {
			return nil, fmt.Errorf("row %d: a window of %d ns, want %d ns as in training", row, e.window.WidthNS, e.space.WidthNS)
		}
		r := e.read(&e.window)
		for i := range features {
			columns[i][row] = r.value(&features[i])
		}
	}
	arrays := make([]arrow.Array, len(columns))
	for i, col := range columns {
		data := array.NewData(arrow.PrimitiveTypes.Float32, len(col),
			[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(col))}, nil, 0, 0)
		arrays[i] = array.NewFloat32Data(data)
	}
	return array.NewRecord(featureSchema, arrays, int64(v.Len())), nil
}

// reading is all that features are read from, of one window.
type reading struct {
	w        *Window
	model    *model
	long     *tail
	families [numFamilies]uint64
	novel    [numNovel]uint64
	steps    []step
	surprise float64
	median   float64 // of the surprise
	rarity   float64 // of what is new
	branches map[string]int
	excess   float64    // median of the surprise above the usual
	nearest  [3]float64 // by order, by calls, by calls of the long scale
	values   []weighed  // scratch
	products []float64  // scratch
	short    deviations
	longDevs deviations

	// upward: less than usual says nothing. It is so in a recording of events, for every
	// container of a machine that is busy does less, call by call; where too little of one
	// thing is done for the others, joint tells. Of bare calls, cut by their number, less
	// of one is more of another.
	upward bool

	joint [numJoint]float64
	pair  pairCounts
	roots roots
}

// deviation and excess on the long scale. As long as the sums are lower bounds,
// only what is too much already says anything.
func (r *reading) longDeviation(of *Range, count float64) float64 {
	return r.judge(of.deviation(count))
}

func (r *reading) longExcess(of *Range, count float64) float64 { return r.judge(of.excess(count)) }

func (r *reading) judge(d float64) float64 {
	if r.long.whole {
		return r.oneSided(d)
	}
	return max(d, 0)
}

// shortDeviation and shortExcess are those of the window.
func (r *reading) shortDeviation(of *Range, count float64) float64 {
	return r.oneSided(of.deviation(count))
}

func (r *reading) shortExcess(of *Range, count float64) float64 { return r.oneSided(of.excess(count)) }

// oneSided is 0 of what is less than usual, where that says nothing.
func (r *reading) oneSided(d float64) float64 {
	if r.upward {
		return max(d, 0)
	}
	return d
}

func (r *reading) longCounter(c Counter) float64 { return float64(r.long.counter(c)) }

// deviations are how far calls, counters of events and new items lie from what
// is usual, largest first, in scales.
type deviations struct {
	top []float64 // absolute
	sum float64   // of squares, each at most maxSquare
}

// read measures one window.
func (e *Encoder) read(w *Window) *reading {
	r := &e.reading
	r.w, r.model = w, e.space.model(w.Workload)
	key := keyOf(w)
	m := measure{space: e.space, model: r.model}
	if e.training {
		if p, ok := r.model.learned.part(key, w.StartNS, e.space.folds); ok {
			m.part, m.at = &p, place{p.container, w.StartNS}
		}
	}
	r.long = e.tails.push(key, w, int64(e.space.LongWindows))
	r.families = familyCounts(w)
	r.upward = w.Missing&MissingEvents == 0
	r.steps = m.steps(w, r.steps)
	r.novel = m.novelty(w, r.steps)
	if r.branches == nil {
		r.branches = map[string]int{}
	}
	r.rarity = m.rarity(w, r.branches)
	r.sequence(&m)
	r.long.addNovelty(r.novel)
	r.deviate(&m)
	r.measureJoint(&m)
	return r
}

// unseen is the deviation of a call that was never seen.
func unseen(count float64) float64 { return unseenDeviation + math.Log1p(count)/minScale }

const unseenDeviation = 10

// deviate gathers the deviations. What was never seen counts on the long scale
// too, although it echoes there for as long as the scale reaches back: without
// that a plain forest found 76 % instead of 86 % of docker-cve's exploits.
func (r *reading) deviate(m *measure) {
	r.short.reset()
	r.longDevs.reset()
	at := 0
	for i := range r.model.Calls {
		cm := &r.model.Calls[i]
		for at < len(r.w.Calls) && r.w.Calls[at] < cm.Call {
			r.short.add(unseen(float64(r.w.CallCounts[at])))
			at++
		}
		count := 0.0
		if at < len(r.w.Calls) && r.w.Calls[at] == cm.Call {
			count = float64(r.w.CallCounts[at])
			at++
		}
		long := float64(r.long.calls[cm.Call])
		if long > 0 && m.ownCall(cm.Call) {
			r.longDevs.add(unseen(long))
			if count > 0 {
				r.short.add(unseen(count))
			}
			continue
		}
		r.short.add(r.shortDeviation(&cm.Short, count))
		r.longDevs.add(r.longDeviation(&cm.Long, long))
	}
	for ; at < len(r.w.Calls); at++ {
		r.short.add(unseen(float64(r.w.CallCounts[at])))
	}
	for c, n := range r.long.calls {
		if r.model.call(c) == nil {
			r.longDevs.add(unseen(float64(n)))
		}
	}
	if r.w.Missing&MissingEvents == 0 {
		r.deviateEvents(float64(m.space.LongWindows))
	}
	r.short.sort()
	r.longDevs.sort()
}

// deviateEvents adds what events say to the deviations: how far their counters
// lie from what is usual, and new items. A column of new items alone would be
// lost on a forest where training had none: it cannot split on a constant.
func (r *reading) deviateEvents(long float64) {
	for c := NErrors; c <= NTreeBreadth; c++ {
		if r.w.Known(c) {
			r.short.add(r.shortDeviation(&r.model.Counters[c][0], float64(r.w.Counters[c])))
			r.longDevs.add(r.longDeviation(&r.model.Counters[c][1], r.longCounter(c)))
		}
	}
	for kind := range numNovelKinds {
		if n := r.novel[newItems+novel(kind)]; n > 0 {
			r.short.add(r.model.noveltyBits(kind, 1) * (1 + math.Log(float64(n))))
		}
		if n := r.long.novelty[newItems+novel(kind)]; n > 0 {
			r.longDevs.add(r.model.noveltyBits(kind, long) * (1 + math.Log(float64(n))))
		}
	}
}

func (d *deviations) reset() { d.top, d.sum = d.top[:0], 0 }

func (d *deviations) add(z float64) {
	d.top = append(d.top, math.Abs(z))
}

// sort orders the deviations; sums are taken in that order so that they do not
// depend on the order of a map.
func (d *deviations) sort() {
	slices.Sort(d.top)
	slices.Reverse(d.top)
	for _, z := range d.top {
		d.sum += min(z*z, maxSquare)
	}
}

const maxSquare = 100

// at is the k-th largest, 0 where there are fewer.
func (d *deviations) at(k int) float64 {
	if k < len(d.top) {
		return d.top[k]
	}
	return 0
}

package detector

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"mayfly/feature"

	"github.com/apache/arrow/go/v17/arrow"
)

// rows are the training windows as the forest reads them: all of them, or a
// uniform sample of each class.
type rows struct {
	columns    [][]float32
	class      []uint8 // 1: lies in an attack
	container  []int32 // ordinal of its container
	number     []int64 // of the window among all that were offered
	start      []int64 // of the window, ns since 1970
	sample     [2]sample
	widthNS    int64
	counts     Counts
	containers map[containerKey]*seen
}

type containerKey struct{ host, id string }

// seen is the training time of one container.
type seen struct {
	ordinal  int32 // -1 where no row is of it
	workload string
	spans    []stretch
}

type stretch struct{ fromNS, toNS int64 }

func (r *rows) add(rec arrow.Record, w *feature.Window, encoder *feature.Encoder, classOf func(*feature.Window) Class) error {
	windows, err := feature.View(rec)
	if err != nil {
		return err
	}
	encoded, err := encoder.Encode(rec)
	if err != nil {
		return err
	}
	defer encoded.Release()
	columns, err := float32Columns(encoded)
	if err != nil {
		return err
	}
	for i := range windows.Len() {
		windows.At(i, w)
		if err := r.width(w); err != nil {
			return err
		}
		class := uint8(classOf(w)) // Normal or Attack
		r.keep(columns, i, class, r.ordinal(w), w.StartNS)
		r.counts.Windows++
		r.counts.Attack += int64(class)
		r.counts.Normal += int64(1 - class)
		r.counts.Lost += int64(w.Counters[feature.NLost])
		if w.Missing&feature.TouchesGap != 0 {
			r.counts.GapWindows++
		}
	}
	return nil
}

func (r *rows) width(w *feature.Window) error {
	if r.widthNS == 0 {
		r.widthNS = w.WidthNS
	}
	if w.WidthNS != r.widthNS {
		return fmt.Errorf("windows of %d ns beside windows of %d ns: train on one width", w.WidthNS, r.widthNS)
	}
	return nil
}

// see notes the window's time under its container, learned from or not.
func (r *rows) see(w *feature.Window) {
	s := r.containers[containerKey{w.Host, w.ContainerID}]
	if s == nil {
		s = &seen{ordinal: -1, workload: strings.Clone(w.Workload)}
		r.containers[containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}] = s
	}
	if n := len(s.spans); n > 0 && w.StartNS-s.spans[n-1].toNS < joinNS {
		s.spans[n-1].toNS = max(s.spans[n-1].toNS, w.EndNS())
	} else {
		s.spans = append(s.spans, stretch{w.StartNS, w.EndNS()})
	}
}

// days is for how long the containers that rows are of were watched, in days, silences
// and what was set aside included; of a sample of the windows the like share of it.
func (r *rows) days() float64 {
	var high, low uint64 // as whole numbers, for a map has another order each time
	for _, s := range r.containers {
		for _, span := range s.spans {
			if s.ordinal >= 0 {
				sum, carry := bits.Add64(low, uint64(span.toNS-span.fromNS), 0)
				high, low = high+carry, sum
			}
		}
	}
	ns := float64(high)*(1<<64) + float64(low)
	return ns / nanosPerDay * float64(len(r.class)) / float64(r.counts.Windows)
}

// joinNS is the length of a silence up to which the time before and after it is
// one span of the manifest.
const joinNS = 60 * 60 * int64(1e9)

// ordinal numbers the containers that rows are of.
func (r *rows) ordinal(w *feature.Window) int32 {
	s := r.containers[containerKey{w.Host, w.ContainerID}]
	if s.ordinal < 0 {
		s.ordinal = int32(r.counts.Containers)
		r.counts.Containers++
	}
	return s.ordinal
}

// spans lists the training time, by host, container and time.
func (r *rows) spans() []Span {
	var all []Span
	for key, s := range r.containers {
		for _, span := range s.spans {
			all = append(all, Span{key.host, key.id, span.fromNS, span.toNS})
		}
	}
	slices.SortFunc(all, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ContainerID, b.ContainerID), cmp.Compare(a.FromNS, b.FromNS))
	})
	return all
}

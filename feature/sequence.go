package feature

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// step is one trigram of a window beside what the model knows of it.
type step struct {
	at     int32   // place in model.Trigrams, -1 where it was never seen (in another part of training)
	count  float64 // in the window, > 0
	bits   float64 // how surprising its last call is after the other two
	excess float64 // bits above what comes next is worth on average after these two
	rarity float64 // ln((1+windows)/(0.5+windows that had it)), ≥ 0
}

// pairModel is what is known of two calls in a row.
type pairModel struct {
	count   uint64  // trigrams that begin with them
	kinds   uint64  // different ones
	entropy float64 // mean surprise of the call after them, in bits
}

// indexSequences makes what sequences are measured against.
func (m *model) indexSequences() {
	m.pairs = map[uint32]pairModel{}
	m.rarity, m.bits, m.excess = make([]float64, len(m.Trigrams)), make([]float64, len(m.Trigrams)), make([]float64, len(m.Trigrams))
	m.order = newBackoff(m.Trigrams)
	for i, t := range m.Trigrams {
		p := m.pairs[t>>callBits]
		p.count += uint64(m.TrigramCounts[i])
		p.kinds++
		m.pairs[t>>callBits] = p
		m.rarity[i] = m.rarityOf(uint64(m.TrigramWindows[i]))
	}
	for i, t := range m.Trigrams {
		p := m.pairs[t>>callBits]
		n := uint64(m.TrigramCounts[i])
		m.bits[i] = m.order.bits(t, n, p)
		p.entropy += float64(n) / float64(p.count) * m.bits[i]
		m.pairs[t>>callBits] = p
	}
	for i, t := range m.Trigrams {
		m.excess[i] = m.bits[i] - m.pairs[t>>callBits].entropy
	}
	m.indexNeighbours()
}

func (m *model) rarityOf(windows uint64) float64 {
	return max(0, math.Log((1+float64(m.Windows))/(0.5+float64(windows))))
}

// steps reads the window's trigrams into r.steps.
func (m *measure) steps(w *Window, to []step) []step {
	to = to[:0]
	for i, t := range w.Trigrams {
		s := step{at: -1, count: float64(w.TrigramCounts[i])}
		if at, seen := m.trigram(t); seen > 0 {
			s.at, s.rarity, s.bits, s.excess = int32(at), m.model.rarity[at], m.model.bits[at], m.model.excess[at]
		} else {
			p := m.model.pairs[t>>callBits] // nothing where the two never came together
			s.rarity, s.bits = m.model.rarityOf(0), m.model.order.bits(t, 0, p)
			s.excess = s.bits - p.entropy
		}
		to = append(to, s)
	}
	return to
}

// How many steps surprise by themselves. Where a window has fewer, what is missing
// counts as unsurprising: a few odd steps of an idle server are no program. Of a source
// without events a window may be all that there is of a program.
const (
	fewSteps     = 32
	fewBareSteps = 8
)

// surprises are the mean of the bits of a window's steps, their median, and the
// median of what they have above the usual: a program that picks its next call
// at random always surprises, an attack does so where the service is regular.
// Medians, because a service too has a burst of what is rare; an attack goes on.
func surprises(steps []step, few float64, scratch *[]weighed) (mean, median, excess float64) {
	total := 0.0
	for i := range steps {
		mean += steps[i].count * steps[i].bits
		total += steps[i].count
	}
	if total == 0 {
		return 0, 0, 0
	}
	missing := max(0, few-total)
	total += missing
	sorted := append((*scratch)[:0], weighed{0, missing})
	for i := range steps {
		sorted = append(sorted, weighed{steps[i].bits, steps[i].count})
	}
	median = middle(sorted, total)
	sorted[0] = weighed{0, missing}
	for i := range steps {
		sorted[i+1] = weighed{steps[i].excess, steps[i].count}
	}
	*scratch = sorted
	return mean / total, median, middle(sorted, total)
}

// weighed is a value that stands count times.
type weighed struct{ value, count float64 }

// sequence measures the order of calls; r.steps is put in another order.
func (r *reading) sequence(m *measure) {
	few := float64(fewSteps)
	if r.w.Missing&MissingEvents != 0 {
		few = fewBareSteps
	}
	r.surprise, r.median, r.excess = surprises(r.steps, few, &r.values)
	r.nearest[0] = m.nearestOrder(r.steps, &r.products)
	sets := [2]callSet{setOf(r.w.Calls), {}}
	for c := range r.long.calls {
		sets[1].add(c)
	}
	for i := range sets {
		r.nearest[1+i] = m.nearestCalls(i, &sets[i])
	}
}

// middle is the median of values that stand total times together; it sorts them.
func middle(values []weighed, total float64) float64 {
	slices.SortFunc(values, func(a, b weighed) int { return cmp.Compare(a.value, b.value) })
	sum := 0.0
	for _, v := range values {
		if sum += v.count; sum >= total/2 {
			return v.value
		}
	}
	return values[len(values)-1].value
}

// sequenceFeatures look at the order of calls, and at how far a window lies from
// every window of training.
func sequenceFeatures() (all []Feature) {
	const ordered = MissingCalls | MissingOrder
	add := func(name, unit, reason string, gone Missing, read func(*reading) float64) {
		family, _, _ := strings.Cut(name, "_")
		if family == "surprise" {
			family = "sequence"
		}
		all = append(all, Feature{Name: name, Family: family, Unit: unit, Reason: reason, Gone: gone, read: read})
	}
	add("surprise", "bits per call", "a rare order of calls, each of them known: the next call is not the one that training says",
		ordered, func(r *reading) float64 { return r.surprise })
	add("surprise_median", "bits", "half of the window's steps are at least so rare: an attack's program is foreign all along, a service's odd moment is short",
		ordered, func(r *reading) float64 { return r.median })
	add("surprise_excess", "bits", "the same above what is usual after the same two calls: threads that interleave at random surprise always and mean nothing",
		ordered, func(r *reading) float64 { return r.excess })
	add("nearest_order", "[0,1]", "the window's rarest trigrams, taken together, are those of no window of training: work of another kind",
		ordered, func(r *reading) float64 { return r.nearest[0] })
	add("nearest_calls", "[0,1]", "no window of training had this set of calls, though each call is known",
		MissingCalls, func(r *reading) float64 { return r.nearest[1] })
	add("nearest_calls_long", "[0,1]", "the same over the long time scale",
		MissingCalls, func(r *reading) float64 { return r.nearest[2] })
	return all
}

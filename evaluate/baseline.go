package evaluate

import (
	"maps"
	"slices"

	"mayfly/feature"
	"mayfly/trace"
)

// sample is what a baseline reads of a trace or of a window: which calls, and
// which runs of calls, how often.
type sample struct {
	calls []trace.Call // in order; nil where a window tells trigrams only
	bag   map[trace.Call]float64
	three map[gram]float64 // trigrams, where there is no order of all calls
}

// gram is a run of calls, two bytes each.
type gram string

func gramOf(calls []trace.Call) gram {
	b := make([]byte, 2*len(calls))
	for i, c := range calls {
		b[2*i], b[2*i+1] = byte(c>>8), byte(c)
	}
	return gram(b)
}

// traceSample is the sample of a whole trace.
func traceSample(calls []trace.Call) sample {
	s := sample{calls: calls, bag: map[trace.Call]float64{}}
	for _, c := range calls {
		s.bag[c]++
	}
	return s
}

// windowSample is the sample of a window.
func windowSample(w *feature.Window) sample {
	s := sample{bag: map[trace.Call]float64{}, three: map[gram]float64{}}
	for i, c := range w.Calls {
		s.bag[c] = float64(w.CallCounts[i])
	}
	for i, t := range w.Trigrams {
		a, b, c := feature.TrigramCalls(t)
		s.three[gramOf([]trace.Call{a, b, c})] = float64(w.TrigramCounts[i])
	}
	return s
}

// grams are the runs of n calls and how often each stands. A window has none
// longer than three.
func (s *sample) grams(n int) map[gram]float64 {
	out := map[gram]float64{}
	if s.calls == nil {
		for g, count := range s.three {
			out[g[len(g)-2*min(n, 3):]] += count
		}
		return out
	}
	for i := range len(s.calls) - n + 1 {
		out[gramOf(s.calls[i:i+n])]++
	}
	return out
}

// sorted are keys in order, so that sums do not depend on a map's.
func sorted[K ~string | ~uint16, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// baseline is a method of the literature, in its plainest form.
type baseline struct {
	name     string
	citation string
	ordered  bool // needs the order of calls
	new      func() learner
}

// learner is a baseline at work. It keeps nothing of a sample but what it is made
// for, so that training may be as long as it likes.
type learner interface {
	learn(*sample)         // a normal sample
	score(*sample) float64 // higher is stranger; after all that is learned
}

// baselines are the methods that every protocol prints beside mayfly's. n is how
// long a run of calls may be: 8 for traces, 3 for windows.
func baselines(n int) []baseline {
	all := []baseline{}
	for _, length := range []int{6, 8} {
		if length > n {
			length = n
		}
		if b := stide(length); len(all) == 0 || all[len(all)-1].name != b.name {
			all = append(all, b)
		}
	}
	return append(all, bagNeighbours(), markovChain(), zScore())
}

package falco

import (
	"math"
	"slices"
)

// answers are the rules on events of one kind in one scope, and which of them fired
// on events of before. Most events are like one before, in all that the rules look
// at; those are not tried again.
type answers struct {
	entries []entry
	read    reads // what the rules have looked at so far, on any event
	above   int
	known   map[string][]Hit // by the values of what they looked at
	asked   int
	found   int
	rest    int // events to try without a look at known
}

const (
	maxKept    = 64 << 20 // bytes, over all answers
	keptBeside = 100      // bytes, about, that a key needs beside itself
	askedOften = 1 << 12  // events, after which it shows whether known is of use
	restEvents = 1 << 16
)

// answer returns the rules that the event at hand fires.
func (w *Watch) answer(a *answers) []Hit {
	if a.rest > 0 {
		a.rest--
		return w.try(a.entries)
	}
	if a.asked == askedOften {
		worth := a.found >= a.asked/4
		if a.asked, a.found = 0, 0; !worth {
			a.forget(restEvents)
			return w.try(a.entries)
		}
	}
	e := &w.event
	a.asked++
	if hits, ok := a.known[string(e.key(a.read, a.above))]; ok {
		a.found++
		return hits
	}
	e.read, e.above = 0, 0
	hits := w.try(a.entries)
	switch read, above := a.read|e.read, max(a.above, e.above); {
	case read&readOnce != 0:
		a.forget(math.MaxInt)
		return hits
	case read != a.read || above != a.above:
		a.read, a.above = read, above
		clear(a.known) // its keys say too little
	}
	key := e.key(a.read, a.above)
	if w.kept += len(key) + keptBeside; w.kept > maxKept {
		w.forget()
	}
	if a.known == nil {
		a.known = map[string][]Hit{}
	}
	a.known[string(key)] = slices.Clone(hits)
	return hits
}

// forget drops what is known, and rests for some events.
func (a *answers) forget(rest int) { a.known, a.rest = nil, rest }

// forget drops what is known anywhere.
func (w *Watch) forget() {
	w.kept = 0
	for _, s := range w.views {
		for k := range s.byKind {
			s.byKind[k].known = nil
		}
	}
}

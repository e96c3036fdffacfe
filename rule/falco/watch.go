package falco

import (
	"context"

	"mayfly/trace"
)

// Watch runs a program over the rows of traces. It is for one goroutine.
type Watch struct {
	// Unseen counts events that came through io_uring, which Falco does not see:
	// no rule is tried on them.
	Unseen int64

	program   *Program
	processes *processes
	views     map[string]*Scope
	kinds     map[trace.Kind]int
	event     event
	file      *trace.File // of the last row
	hits      []Hit

	memo []memo // by node
	now  uint32
	kept int // bytes of keys in answers
}

type memo struct {
	at    uint32 // the event that value is of
	value truth
}

// Hit is a rule that an event fires, or may fire: what decides it is not in the
// trace.
type Hit struct {
	Rule   int // in Program.Rules
	Unsure bool
}

// Scope is what the program is in one container, with all that depends on the
// container alone decided.
type Scope struct {
	byKind []answers
	fires  []bool
}

// Has says whether a rule may fire in the container at all.
func (s *Scope) Has(rule int) bool { return s.fires[rule] }

// NewWatch begins a run.
func NewWatch(p *Program) *Watch {
	w := &Watch{program: p, processes: newProcesses(), views: map[string]*Scope{}, kinds: map[trace.Kind]int{}}
	for i, kind := range trace.Kinds() {
		w.kinds[kind] = i
	}
	w.event.tree = w.processes
	return w
}

// Running takes in the processes that ran when the recording began. It comes
// before the trace's rows.
func (w *Watch) Running(ctx context.Context, t *trace.Trace) error {
	return w.processes.running(ctx, t)
}

// Scope returns the scope of a container, Host for what is in none. Containers
// that rules take for the same share one.
func (w *Watch) Scope(c *trace.Container) *Scope {
	g := w.program.graph
	atoms := len(g.atoms) // folding adds none
	key := make([]byte, atoms)
	for i, a := range g.atoms {
		if a.container != nil {
			key[i] = byte(a.container(c))
		}
	}
	if s := w.views[string(key)]; s != nil {
		return s
	}
	s := &Scope{byKind: make([]answers, len(w.program.byKind)), fires: make([]bool, len(w.program.Rules))}
	decide := func(a *atom) (truth, bool) {
		switch {
		case a.container != nil:
			return truth(key[a.id]), true
		case a.missing != "":
			return unknown, true
		}
		return no, false
	}
	seen := map[nodeID]nodeID{}
	for k, entries := range w.program.byKind {
		for _, e := range entries {
			if node := g.fold(e.node, decide, seen); node != nodeID(no) {
				s.byKind[k].entries = append(s.byKind[k].entries, entry{e.rule, node})
				s.fires[e.rule] = true
			}
		}
	}
	w.memo = append(w.memo, make([]memo, len(g.nodes)-len(w.memo))...)
	w.views[string(key)] = s
	return s
}

// Row takes the next row of events, in the order of time, and returns the rules
// that it fires in a scope; what is returned is valid until the next call. Without
// a scope the row only tells who runs what.
func (w *Watch) Row(row *trace.Row, s *Scope) []Hit {
	e := &w.event
	if row.File != w.file {
		w.file = row.File
		e.host, e.hostname = w.processes.host(row.File.Meta.Host), row.File.Meta.Host
		e.arm = row.File.Meta.Arch == "arm64" || row.File.Meta.Arch == "arm"
	}
	e.b, e.i, e.place = row.Event, row.Index, row.FileRow+1
	e.kind = e.b.Kind(e.i)
	k, ok := w.kinds[e.kind]
	if !ok || e.kind == trace.Throttle {
		return nil
	}
	e.who = w.processes.see(e.host, e.b, e.i, e.kind)
	if s == nil || len(s.byKind[k].entries) == 0 {
		return nil
	}
	if e.b.Via(e.i) == trace.ViaIOUring {
		w.Unseen++
		return nil
	}
	return w.answer(&s.byKind[k])
}

// try works out which of the rules the event at hand fires.
func (w *Watch) try(entries []entry) []Hit {
	if w.now++; w.now == 0 { // once in four billion events
		clear(w.memo)
		w.now = 1
	}
	w.hits = w.hits[:0]
	for _, entry := range entries {
		if t := w.eval(entry.node); t != no {
			w.hits = append(w.hits, Hit{entry.rule, t == unknown})
		}
	}
	return w.hits
}

// eval works out a node for the event at hand, once.
func (w *Watch) eval(id nodeID) truth {
	if id < firstFree {
		return truth(id)
	}
	m := &w.memo[id]
	if m.at == w.now {
		return m.value
	}
	n := &w.program.graph.nodes[id]
	var t truth
	switch n.op {
	case opCheck:
		t = n.atom.event(&w.event)
	case opNot:
		t = w.eval(n.kids[0]).not()
	case opAnd:
		t = yes
		for _, kid := range n.kids {
			if k := w.eval(kid); k == no {
				t = no
				break
			} else if k == unknown {
				t = unknown
			}
		}
	default:
		t = no
		for _, kid := range n.kids {
			if k := w.eval(kid); k == yes {
				t = yes
				break
			} else if k == unknown {
				t = unknown
			}
		}
	}
	*m = memo{w.now, t}
	return t
}

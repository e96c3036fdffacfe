package rule

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mayfly/feature"
	"mayfly/profile"
	"mayfly/trace"
)

// Test runs sets of rules over traces, in the order of time: how often each rule
// would have fired on normal time, which labelled attacks it would have caught
// and how soon, and which recorded calls a seccomp profile would have refused. It
// keeps a few counters for each container and rule, whatever the length of the
// traces. Containers belong to the set whose workload is named like their image.
// What fires within aftermath of a label's end is neither: what the attacker
// started may still run.
func Test(ctx context.Context, sets []*Set, traces []*trace.Trace, labels []feature.Label, aftermath time.Duration) (*Report, error) {
	t := newTrial(sets, labels)
	t.aftermathNS = aftermath.Nanoseconds()
	for _, tr := range traces {
		containers, err := tr.Containers(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: containers: %w", tr.Path(), err)
		}
		for id, c := range containers {
			t.known[id] = facts{c.Name, profile.NamesOf(&c)}
		}
	}
	for row, err := range trace.Merge(ctx, traces...) {
		if err != nil {
			return nil, err
		}
		if err := t.add(row); err != nil {
			return nil, err
		}
	}
	return t.report(), nil
}

// facts are what the containers table says of a container.
type facts struct {
	name      string
	workloads []string // see profile.NamesOf
}

// trial is a test under way.
type trial struct {
	sets        []*compiled
	labels      []feature.Label
	aftermathNS int64
	known       map[string]facts
	containers  map[string]*subject
	tables      map[string]*trace.CallTable // by machine
	results     [][]Result                  // by set: a result per rule, then one for the calls
	events      int64
	sequences   int64
	items       []profile.Item
}

// subject is one container in the traces.
type subject struct {
	id          string
	set         int // index of its set, -1 when none speaks of it
	labels      []int
	first, last int64
	refused     map[trace.Call]*Refused
}

func newTrial(sets []*Set, labels []feature.Label) *trial {
	t := &trial{labels: labels, known: map[string]facts{}, containers: map[string]*subject{}, tables: map[string]*trace.CallTable{}}
	for _, s := range sets {
		t.sets = append(t.sets, compile(s))
		var results []Result
		for _, r := range s.Rules {
			results = append(results, Result{Workload: s.Workload, Rule: r.Name, Kind: r.Kind, Basis: r.Basis})
		}
		if s.Calls != nil {
			basis := s.Basis
			basis.Items = len(s.Calls.Recorded)
			results = append(results, Result{Workload: s.Workload, Rule: "seccomp profile", Kind: Calls, Basis: basis})
		}
		for i := range results {
			results[i].attacks = map[int]int64{}
		}
		t.results = append(t.results, results)
	}
	return t
}

// add takes one row.
func (t *trial) add(row trace.Row) error {
	if row.Event != nil {
		t.events++
		s := t.subject(row.Event.ContainerID(row.Index), row.TimeNS)
		if s == nil || s.set < 0 {
			return nil
		}
		for _, c := range t.sets[s.set].byEvent[row.Event.Kind(row.Index)] {
			if c.fires(row.Event, row.Index) {
				t.fired(s, &t.results[s.set][c.rule], row.TimeNS, 1, func() string { return t.describe(row) })
			}
		}
		return nil
	}
	t.sequences++
	s := t.subject(row.Sequence.ContainerID(row.Index), row.TimeNS)
	if s == nil {
		return nil
	}
	s.last = max(s.last, row.TimeNS+row.Sequence.SpanNS(row.Index))
	// The runtime sets the container up from inside, under this name, before it
	// loads the filter. An attacker who takes the name goes uncounted here, never
	// unblocked there.
	setup := strings.HasPrefix(row.Sequence.Comm(row.Index), "runc:[")
	if s.set < 0 || setup || !t.sets[s.set].calls.on {
		return nil
	}
	table, err := t.table(row.File.Meta.Arch)
	if err != nil {
		return fmt.Errorf("%s: %w", row.File.Path, err)
	}
	t.calls(s, row, table)
	return nil
}

// calls takes the calls of one sequence.
func (t *trial) calls(s *subject, row trace.Row, table *trace.CallTable) {
	check := &t.sets[s.set].calls
	calls := row.Sequence.Calls(row.Index)
	span := row.Sequence.SpanNS(row.Index)
	for i, n := range calls {
		call := table.Call(n)
		allowed := &check.native
		if n&trace.CompatCall != 0 {
			allowed = &check.compat
		}
		if int(call) < len(allowed) && allowed[call] {
			continue
		}
		at := row.TimeNS + int64(float64(span)*float64(i)/float64(len(calls)))
		results := t.results[s.set]
		normal := t.fired(s, &results[len(results)-1], at, 1, func() string { return profile.Call + " " + trace.CallName(call) })
		r := s.refused[call]
		if r == nil {
			r = &Refused{Workload: t.sets[s.set].set.Workload, ContainerID: s.id, Call: trace.CallName(call), FirstNS: at}
			s.refused[call] = r
		}
		r.Count++
		if normal {
			r.Normal++
		}
	}
}

// fired counts that a rule fired, and says whether it was on normal time.
func (t *trial) fired(s *subject, r *Result, at, n int64, text func() string) (normal bool) {
	r.Fires += n
	normal = true
	for _, l := range s.labels {
		if at < t.labels[l].FromNS || at > t.labels[l].ToNS+t.aftermathNS {
			continue
		}
		normal = false
		if at > t.labels[l].ToNS {
			continue
		}
		if first, ok := r.attacks[l]; !ok || at < first {
			r.attacks[l] = at
		}
	}
	if normal {
		r.Normal += n
		if len(r.Examples) < maxExamples {
			r.Examples = append(r.Examples, Example{at, s.id, strings.Clone(text())})
		}
	}
	return normal
}

// describe writes the event of a row as its items.
func (t *trial) describe(row trace.Row) string {
	t.items = profile.AppendRow(t.items[:0], row.Event, row.Index)
	words := make([]string, len(t.items))
	for i, item := range t.items {
		words[i] = item.String()
	}
	return strings.Join(words, ", ")
}

// subject returns the container of a row; nil for rows of the host.
func (t *trial) subject(id string, at int64) *subject {
	if s := t.containers[id]; s != nil {
		s.first, s.last = min(s.first, at), max(s.last, at)
		return s
	}
	if id == "" {
		return nil
	}
	id = strings.Clone(id)
	c := t.known[id]
	s := &subject{id: id, set: t.setOf(c), first: at, last: at, refused: map[trace.Call]*Refused{}}
	for i := range t.labels {
		if t.labels[i].Names(id, c.name) {
			s.labels = append(s.labels, i)
		}
	}
	t.containers[id] = s
	return s
}

// setOf finds the set of a container: of the workloads that it may be of, that
// which says most.
func (t *trial) setOf(c facts) int {
	for _, name := range c.workloads {
		if i := slices.IndexFunc(t.sets, func(s *compiled) bool { return s.set.Workload == name }); i >= 0 {
			return i
		}
	}
	return -1
}

func (t *trial) table(machine string) (*trace.CallTable, error) {
	if table := t.tables[machine]; table != nil {
		return table, nil
	}
	table, err := trace.NewCallTable(machine)
	t.tables[machine] = table
	return table, err
}

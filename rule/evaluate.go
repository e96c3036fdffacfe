package rule

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"mayfly/feature"
	"mayfly/profile"
	"mayfly/rule/falco"
	"mayfly/trace"
)

// Test runs sets of rules over traces, in the order of time: how often each rule
// would have fired on normal time, which labelled attacks it would have caught
// and how soon, and which recorded calls a seccomp profile would have refused.
// What runs is what the targets get: the set's Falco file and its seccomp profile.
// A rule is held against the containers that it speaks of, a profile against those
// whose image is the set's workload. What fires within aftermath of a label's end
// is neither: what the attacker started may still run.
func Test(ctx context.Context, sets []*Set, traces []*trace.Trace, labels []feature.Label, aftermath time.Duration) (*Report, error) {
	var sources []falco.Source
	var filters []*filter
	refused := make([]error, len(sets))
	filterOf := make([]int, len(sets))
	for i, s := range sets {
		content, err := s.Falco()
		if refused[i] = err; err == nil {
			sources = append(sources, falco.Source{Name: s.Workload, Content: content})
		} else if refusal := (*Refusal)(nil); !errors.As(err, &refusal) {
			return nil, err
		}
		filterOf[i] = -1
		if content, err := s.Seccomp(); err == nil {
			f, err := readFilter(s.Workload, content)
			if err != nil {
				return nil, err
			}
			f.workload = s.Workload
			filterOf[i] = len(filters)
			filters = append(filters, f)
		}
	}
	program, err := compileRules(sources)
	if err != nil {
		return nil, err
	}
	t := newTrial(program, filters, labels, TestOptions{Aftermath: aftermath})
	for _, s := range sets {
		for _, rl := range s.FalcoRules() {
			if r := t.named(rl.Name); r != nil {
				r.Kind = rl.Kind
			}
		}
	}
	if err := t.run(ctx, traces); err != nil {
		return nil, err
	}
	r := t.report()
	all := r.Rules
	r.Rules = []Result{}
	for i, s := range sets {
		for _, rl := range s.FalcoRules() {
			r.Rules = append(r.Rules, s.result(&rl, refused[i], t))
		}
		if f := filterOf[i]; f >= 0 {
			result := all[len(program.Rules)+f]
			basis := s.Basis
			basis.Items = len(s.Calls.Recorded)
			result.Workload, result.File, result.Basis = s.Workload, "", &basis
			r.Rules = append(r.Rules, result)
		}
	}
	return r, nil
}

// result finds how a rule of the set's Falco file did, by its name.
func (s *Set) result(rl *FalcoRule, refused error, t *trial) Result {
	r := Result{Rule: rl.Name, Verdict: string(falco.Untried), Missing: []string{"Falco cannot say it"}, Attacks: []string{}, Examples: []Example{}}
	if refused != nil {
		r.Missing = []string{refused.Error()}
	} else if tried := t.named(rl.Name); tried != nil {
		r = *tried
	}
	r.Workload, r.File, r.Line, r.Kind, r.Basis = s.Workload, "", 0, rl.Kind, &rl.Basis
	return r
}

// named is the result of a Falco rule; nil when there is none.
func (t *trial) named(name string) *Result {
	for i := range t.program.Rules {
		if t.program.Rules[i].Name == name {
			return &t.results[i]
		}
	}
	return nil
}

func compileRules(sources []falco.Source) (*falco.Program, error) {
	rules, err := falco.Read(sources...)
	if err != nil {
		return nil, err
	}
	return rules.Compile()
}

// TestOptions say how rules are tried.
type TestOptions struct {
	Aftermath time.Duration // after a label's end, in which time is neither normal nor attack
	Host      bool          // try rules on what is in no container too; each host counts as one container
}

// trial is a test under way.
type trial struct {
	opts       TestOptions
	labels     []feature.Label
	program    *falco.Program
	watch      *falco.Watch
	filters    []*filter
	known      map[string]trace.Container
	subjects   map[string]*subject
	last       *subject                    // of the row before
	tables     map[string]*trace.CallTable // by machine
	results    []Result                    // of the program's rules, then of the filters
	everywhere []bool                      // by filter: it is named like no workload of the traces
	events     int64
	host       int64
	before     int64 // calls that were refused already when they were recorded
	sequences  int64
	items      []profile.Item
}

// subject is one container in the traces, or a host.
type subject struct {
	id          string
	of          *trace.Container
	scope       *falco.Scope
	labels      []int
	first, last int64
	checks      []*callCheck // by filter; nil: it does not apply, or no sequence came yet
	refused     map[refusedCall]*Refused
}

type refusedCall struct {
	filter int
	call   trace.Call
}

func newTrial(program *falco.Program, filters []*filter, labels []feature.Label, opts TestOptions) *trial {
	t := &trial{opts: opts, labels: labels, program: program, watch: falco.NewWatch(program), filters: filters, known: map[string]trace.Container{},
		subjects: map[string]*subject{}, tables: map[string]*trace.CallTable{}, everywhere: make([]bool, len(filters))}
	for _, r := range program.Rules {
		t.results = append(t.results, Result{File: r.File, Line: r.Line, Rule: r.Name, Verdict: string(r.Verdict), Missing: r.Missing, Warnings: r.Warnings})
	}
	for _, f := range filters {
		t.results = append(t.results, Result{File: f.name, Rule: "seccomp profile", Kind: Calls, Verdict: string(falco.Evaluated)})
	}
	for i := range t.results {
		t.results[i].attacks, t.results[i].maybe = map[int]int64{}, map[int]int64{}
	}
	return t
}

// run takes the traces' rows.
func (t *trial) run(ctx context.Context, traces []*trace.Trace) error {
	files, err := t.begin(ctx, traces)
	if err != nil {
		return err
	}
	return t.rows(trace.MergeInPlace(ctx, files)) // what outlives a row is copied
}

// begin takes what the traces tell beside their rows, and returns the files to read.
func (t *trial) begin(ctx context.Context, traces []*trace.Trace) ([]trace.File, error) {
	for _, tr := range traces {
		containers, err := tr.Containers(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: containers: %w", tr.Path(), err)
		}
		for id, c := range containers {
			if old, ok := t.known[id]; ok {
				trace.Overlay(&old, &c)
				c = old
			}
			t.known[id] = c
		}
		if err := t.watch.Running(ctx, tr); err != nil {
			return nil, fmt.Errorf("%s: processes: %w", tr.Path(), err)
		}
	}
	for i, f := range t.filters {
		t.everywhere[i] = f.workload == ""
		for _, c := range t.known {
			t.everywhere[i] = t.everywhere[i] && !f.appliesTo(&c)
		}
	}
	var files []trace.File
	for _, tr := range traces {
		files = append(files, tr.Files(trace.Events)...)
		if len(t.filters) > 0 {
			files = append(files, tr.Files(trace.Sequences)...)
		}
	}
	return files, nil
}

func (t *trial) rows(rows iter.Seq2[trace.Row, error]) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		if row.Event != nil {
			t.event(&row)
		} else if err := t.sequence(&row); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) event(row *trace.Row) {
	t.events++
	s := t.subject(row.Event.ContainerID(row.Index), row)
	if s == nil {
		t.host++
		t.watch.Row(row, nil)
		return
	}
	for _, hit := range t.watch.Row(row, s.scope) {
		t.fired(s, &t.results[hit.Rule], row.TimeNS, hit.Unsure, func() Example { return t.describe(s, row) })
	}
}

// sequence takes the calls of one sequence.
func (t *trial) sequence(row *trace.Row) error {
	t.sequences++
	s := t.subject(row.Sequence.ContainerID(row.Index), row)
	if s == nil {
		return nil
	}
	span := row.Sequence.SpanNS(row.Index)
	s.last = max(s.last, row.TimeNS+span)
	table, err := t.table(row.File.Meta.Arch)
	if err != nil {
		return fmt.Errorf("%s: %w", row.File.Path, err)
	}
	for i := range t.filters {
		if check := t.check(s, i, row.File.Meta); check != nil {
			t.calls(s, i, check, row, table)
		}
	}
	return nil
}

// check returns what a filter is in a container; nil when it does not apply.
func (t *trial) check(s *subject, i int, meta trace.Meta) *callCheck {
	if s.checks[i] == nil && t.applies(s, i) {
		s.checks[i] = t.filters[i].check(s.of, meta.Arch, meta.Kernel)
	}
	return s.checks[i]
}

func (t *trial) applies(s *subject, i int) bool {
	return s.of != falco.Host && (t.everywhere[i] || t.filters[i].appliesTo(s.of))
}

func (t *trial) calls(s *subject, at int, check *callCheck, row *trace.Row, table *trace.CallTable) {
	calls := row.Sequence.Calls(row.Index)
	span := row.Sequence.SpanNS(row.Index)
	result := &t.results[len(t.program.Rules)+at]
	for i, n := range calls {
		call := table.Call(n)
		ruling := check.native[call]
		if n&trace.CompatCall != 0 {
			ruling = check.compat[call]
		}
		if ruling == allows {
			continue
		}
		when := row.TimeNS + int64(float64(span)*float64(i)/float64(len(calls)))
		if ruling == refuses && check.before[call] && n&trace.CompatCall == 0 && t.isNormal(s, when) {
			t.before++
			continue
		}
		normal := t.fired(s, result, when, ruling == depends, func() Example {
			return Example{TimeNS: when, ContainerID: s.id, Text: profile.Call + " " + trace.CallName(call), File: row.File.Rel, Row: row.FileRow}
		})
		if ruling == depends {
			continue
		}
		r := s.refused[refusedCall{at, call}]
		if r == nil {
			f := t.filters[at]
			r = &Refused{Workload: f.workload, ContainerID: s.id, Call: trace.CallName(call), FirstNS: when}
			if f.workload == "" {
				r.File = f.name
			}
			s.refused[refusedCall{at, call}] = r
		}
		r.Count++
		if normal {
			r.Normal++
		}
	}
}

func (t *trial) table(machine string) (*trace.CallTable, error) {
	if table := t.tables[machine]; table != nil {
		return table, nil
	}
	table, err := trace.NewCallTable(machine)
	t.tables[machine] = table
	return table, err
}

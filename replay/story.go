package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mayfly/detector"
	"mayfly/profile"
	"mayfly/rule"
	"mayfly/trace"
)

// Story is a finding told to the person on call: what happened in order, what was
// usual, and what can be done.
type Story struct {
	Finding    *detector.Finding   `json:"finding"`
	Processes  []Branch            `json:"processes"`  // parents before their children
	Steps      []Step              `json:"steps"`      // in order of time
	More       int                 `json:"more_steps"` // that were left out
	Usual      []profile.Entry     `json:"usual"`      // what its workload did while it was learned, most often first; empty without a detector
	Techniques []profile.Technique `json:"techniques"`
	Rules      []string            `json:"rules"`  // which of them a rule would have caught, and which
	Advice     []string            `json:"advice"` // what to do, first things first
	Notes      []string            `json:"notes"`  // what the story cannot tell, and why
}

// Branch is a process in the tree of a story.
type Branch struct {
	detector.Process
	Depth int `json:"depth"` // below the first that is known
}

// Step is one thing that happened.
type Step struct {
	TimeNS int64  `json:"time_ns"`
	Text   string `json:"text"`
	New    bool   `json:"new"`   // nothing like it was seen while its workload was learned
	Usual  bool   `json:"usual"` // neither new nor of a kind that seldom means nothing
	Times  int    `json:"times"` // how often in a row
	File   string `json:"file"`  // below the trace
	Row    int64  `json:"row"`
}

// How much of a story is told.
const (
	storyPastNS  = 10e9 // what the container did before the first alarm
	storyAfterNS = 5e9  // and after the last one
	maxSteps     = 200
	maxUsual     = 6 // of a kind
)

// Explain tells a finding. With traces (of the host that it is of) it reads what the
// container did from shortly before it to shortly after; without, it rests on the
// rows that the finding holds. d may be nil: then nothing is said of what was usual
// and of rules.
func Explain(ctx context.Context, f *detector.Finding, d *detector.Detector, traces []*trace.Trace) (*Story, error) {
	s := &Story{Finding: f, Processes: []Branch{}, Steps: []Step{}, Usual: []profile.Entry{}, Techniques: []profile.Technique{}, Rules: []string{}, Notes: []string{}}
	if err := s.read(ctx, traces); err != nil {
		return nil, err
	}
	if len(s.Steps) == 0 {
		s.fromFinding(len(traces) > 0)
	}
	var items []profile.Item
	for _, text := range f.Mayfly.New {
		if item, err := profile.ParseItem(text); err == nil {
			items = append(items, item)
			if t, ok := profile.TechniqueOf(item); ok && !slices.Contains(s.Techniques, t) {
				s.Techniques = append(s.Techniques, t)
			}
		}
	}
	s.learned(d, items)
	s.Advice = advice(f, items)
	if f.Mayfly.Lost > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d records were lost within these windows: what they held is not told", f.Mayfly.Lost))
	}
	if f.Mayfly.Gap {
		s.Notes = append(s.Notes, "a window touches a gap of the recording: more may be missing")
	}
	return s, nil
}

// read takes the steps and the processes from the traces.
func (s *Story) read(ctx context.Context, traces []*trace.Trace) error {
	d := &s.Finding.Mayfly
	from, to := d.FromNS-storyPastNS, d.ToNS+storyAfterNS
	var files []trace.File
	for _, t := range traces {
		for _, f := range t.Files(trace.Events) {
			if f.Meta.Host == s.Finding.Hostname && f.Meta.FromNS < to && f.Meta.ToNS >= from {
				files = append(files, f)
			}
		}
	}
	fresh := map[string]bool{}
	for _, text := range d.New {
		fresh[text] = true
	}
	people := newFamily()
	tree := lineage{known: map[int32]*Branch{}, children: map[int32][]int32{}}
	var items []profile.Item
	for row, err := range trace.MergeFiles(ctx, files) {
		if err != nil {
			return err
		}
		if row.TimeNS < from || row.TimeNS >= to || row.Event.ContainerID(row.Index) != d.ContainerID {
			continue
		}
		people.see(&row, from)
		kind := row.Event.Kind(row.Index)
		items = profile.AppendRow(items[:0], row.Event, row.Index)
		isNew := slices.ContainsFunc(items, func(item profile.Item) bool { return fresh[item.String()] })
		if isNew || kind == trace.Exec {
			tree.add(people.up(&row, from))
		}
		if isNew || telling(kind) || row.TimeNS >= d.FromNS && row.TimeNS < d.ToNS && kind != trace.Fork && kind != trace.Exit {
			s.step(Step{TimeNS: row.TimeNS, Text: sentence(row.Event, row.Index), New: isNew, Usual: !isNew && !telling(kind), Times: 1, File: row.File.Rel, Row: row.FileRow})
		}
	}
	s.Processes = tree.flat()
	return nil
}

// step adds one; what only repeats the one before is counted.
func (s *Story) step(next Step) {
	if n := len(s.Steps); n > 0 && s.More == 0 && s.Steps[n-1].Text == next.Text {
		s.Steps[n-1].Times++
		return
	}
	if len(s.Steps) < maxSteps {
		s.Steps = append(s.Steps, next)
		return
	}
	s.More++
	if next.New { // rather than one that is usual
		for i := range slices.Backward(s.Steps) {
			if !s.Steps[i].New {
				s.Steps = append(slices.Delete(s.Steps, i, i+1), next)
				return
			}
		}
	}
}

// fromFinding tells what the finding holds.
func (s *Story) fromFinding(looked bool) {
	for _, e := range s.Finding.Mayfly.Evidence {
		s.Steps = append(s.Steps, Step{TimeNS: e.TimeNS, Text: e.Text, New: e.New, Times: 1, File: e.File, Row: e.Row})
	}
	who := s.Finding.Mayfly.Ancestry
	for i := range who {
		s.Processes = append(s.Processes, Branch{who[len(who)-1-i], i})
	}
	if looked {
		s.Notes = append(s.Notes, "the traces given have no events of this container at that time: this is what the finding itself holds")
	} else {
		s.Notes = append(s.Notes, "without --trace this is what the finding itself holds")
	}
}

// learned says what was usual, and what rules of it would have caught.
func (s *Story) learned(d *detector.Detector, items []profile.Item) {
	if d == nil {
		s.Notes = append(s.Notes, "without --detector nothing is said of what was usual, and of rules")
		return
	}
	w := d.Space.Profile.Workload(s.Finding.Mayfly.Workload)
	if w == nil {
		s.Notes = append(s.Notes, "the detector has not learned this workload: all of it is new")
		return
	}
	for _, kind := range []string{profile.Exec, profile.Connect, profile.Listen, profile.Write, profile.Read} {
		entries := slices.Clone(w.Kind(kind))
		slices.SortStableFunc(entries, func(a, b profile.Entry) int { return cmp.Compare(b.Windows, a.Windows) })
		s.Usual = append(s.Usual, entries[:min(maxUsual, len(entries))]...)
	}
	set, err := rule.Build(w, items, rule.Options{Force: true})
	if err != nil {
		s.Notes = append(s.Notes, "rules: "+err.Error())
		return
	}
	for _, covered := range set.Covered {
		s.Rules = append(s.Rules, "caught by what was learned: "+covered)
	}
	for _, r := range set.Rules {
		if r.Kind == rule.Found {
			for _, item := range r.Items {
				s.Rules = append(s.Rules, "caught by a rule of this finding alone (mayfly rules --findings): "+item.String())
			}
		}
	}
	for _, skipped := range set.Skipped {
		s.Rules = append(s.Rules, "no target can express: "+skipped)
	}
	if len(items) == 0 {
		s.Rules = append(s.Rules, "none: each thing that happened is usual, only how much and in which order is not")
	}
	if len(set.Risks) > 0 {
		s.Notes = append(s.Notes, "rules of this workload would be refused as it is: "+strings.Join(set.Risks, "; "))
	}
}

// lineage is a tree of processes by pid.
type lineage struct {
	known    map[int32]*Branch
	children map[int32][]int32
	roots    []int32
}

// add takes in a process and those above it, nearest first.
func (l *lineage) add(up []detector.Process) {
	for i := len(up) - 1; i >= 0; i-- {
		p := up[i]
		if b := l.known[p.PID]; b != nil {
			b.Process = p // a later exec says more
			continue
		}
		l.known[p.PID] = &Branch{Process: p}
		if i == len(up)-1 || p.PPID == p.PID {
			l.roots = append(l.roots, p.PID)
		} else {
			l.children[p.PPID] = append(l.children[p.PPID], p.PID)
		}
	}
}

// flat is the tree, parents first.
func (l *lineage) flat() []Branch {
	out := []Branch{}
	var walk func(pid int32, depth int)
	walk = func(pid int32, depth int) {
		b := l.known[pid]
		b.Depth = depth
		out = append(out, *b)
		for _, child := range l.children[pid] {
			walk(child, depth+1)
		}
	}
	for _, root := range l.roots {
		walk(root, 0)
	}
	return out
}

package rule

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"mayfly/profile"
	"mayfly/rule/falco"
	"mayfly/trace"
)

// subject returns the container of a row; nil for rows of the host that are not
// looked at.
func (t *trial) subject(id string, row *trace.Row) *subject {
	if s := t.last; s != nil && id != "" && s.id == id {
		s.first, s.last = min(s.first, row.TimeNS), max(s.last, row.TimeNS)
		return s
	}
	host := id == ""
	if host {
		if !t.opts.Host {
			return nil
		}
		id = "host " + row.File.Meta.Host
	}
	s := t.subjects[id]
	if s == nil {
		s = t.newSubject(strings.Clone(id), host)
	}
	s.first, s.last = min(s.first, row.TimeNS), max(s.last, row.TimeNS)
	t.last = s
	return s
}

func (t *trial) newSubject(id string, host bool) *subject {
	c := t.known[id]
	c.ContainerID = id
	s := &subject{id: id, of: &c, first: 1<<63 - 1, last: -1 << 63, checks: make([]*callCheck, len(t.filters)), refused: map[refusedCall]*Refused{}}
	if host {
		s.of = falco.Host
	}
	s.scope = t.watch.Scope(s.of)
	for i := range t.labels {
		if t.labels[i].Names(id, c.Name) {
			s.labels = append(s.labels, i)
		}
	}
	t.subjects[id] = s
	return s
}

// fired counts that a rule fired, or may have, and says whether it was on normal
// time.
func (t *trial) fired(s *subject, r *Result, at int64, unsure bool, example func() Example) (normal bool) {
	all, onNormal, attacks, examples := &r.Fires, &r.Normal, r.attacks, &r.Examples
	if unsure {
		all, onNormal, attacks, examples = &r.Unsure, &r.UnsureNormal, r.maybe, &r.unsure
	}
	*all++
	normal = true
	for _, l := range s.labels {
		if at < t.labels[l].FromNS || at > t.labels[l].ToNS+t.opts.Aftermath.Nanoseconds() {
			continue
		}
		normal = false
		if at > t.labels[l].ToNS {
			continue
		}
		if first, ok := attacks[l]; !ok || at < first {
			attacks[l] = at
		}
	}
	if normal {
		*onNormal++
		if len(*examples) < maxExamples && *onNormal <= maxLooked {
			e := example()
			e.Unsure = unsure
			if !slices.ContainsFunc(*examples, func(o Example) bool { return o.Text == e.Text && o.Exe == e.Exe }) {
				*examples = append(*examples, e)
			}
		}
	}
	return normal
}

// isNormal says whether no label nor its aftermath covers a time of a container.
func (t *trial) isNormal(s *subject, at int64) bool {
	return !slices.ContainsFunc(s.labels, func(l int) bool {
		return t.labels[l].FromNS <= at && at <= t.labels[l].ToNS+t.opts.Aftermath.Nanoseconds()
	})
}

// describe writes the event of a row as its items, or its kind where it has none.
func (t *trial) describe(s *subject, row *trace.Row) Example {
	b, i := row.Event, row.Index
	t.items = profile.AppendRow(t.items[:0], b, i)
	words := make([]string, len(t.items))
	for i, item := range t.items {
		words[i] = item.String()
	}
	if len(words) == 0 {
		words = append(words, strings.TrimRight(string(b.Kind(i))+" "+b.Path(i), " "))
	}
	if ret, ok := b.Ret(i); ok && ret < 0 {
		words = append(words, syscall.Errno(-ret).Error())
	}
	return Example{TimeNS: row.TimeNS, ContainerID: s.id, Text: strings.Clone(strings.Join(words, ", ")), Exe: strings.Clone(b.Exe(i)),
		File: row.File.Rel, Row: row.FileRow}
}

// report adds up.
func (t *trial) report() *Report {
	r := &Report{Attacks: []Attack{}, Refused: []Refused{}, Events: t.events, Sequences: t.sequences, Host: t.host, IOUring: t.watch.Unseen, RefusedBefore: t.before}
	hours := make([]float64, len(t.results))
	for _, id := range slices.Sorted(maps.Keys(t.subjects)) {
		s := t.subjects[id]
		normal := time.Duration(t.normal(s)).Hours()
		spoken := false
		for i := range t.results {
			if t.speaks(s, i) {
				spoken = true
				hours[i] += normal
				t.results[i].Containers++
			}
		}
		if !spoken {
			r.Unscoped++
		}
		for _, refused := range s.refused {
			r.Refused = append(r.Refused, *refused)
		}
	}
	slices.SortFunc(r.Refused, func(a, b Refused) int {
		return cmp.Or(cmp.Compare(a.ContainerID, b.ContainerID), cmp.Compare(a.Call, b.Call), cmp.Compare(a.File+a.Workload, b.File+b.Workload))
	})
	for i := range t.results {
		t.finish(&t.results[i], hours[i])
	}
	r.Rules = slices.Clone(t.results)
	for i := range t.labels {
		r.Attacks = append(r.Attacks, t.attack(i))
	}
	return r
}

// speaks says whether a result is of a rule that may fire in a container.
func (t *trial) speaks(s *subject, result int) bool {
	if n := len(t.program.Rules); result >= n {
		return t.applies(s, result-n)
	}
	return s.scope.Has(result)
}

// normal is the time of a container, in ns, that no label nor its aftermath covers.
func (t *trial) normal(s *subject) int64 {
	type span struct{ from, to int64 }
	var spans []span
	for _, l := range s.labels {
		from, to := max(t.labels[l].FromNS, s.first), min(t.labels[l].ToNS+t.opts.Aftermath.Nanoseconds(), s.last)
		if from < to {
			spans = append(spans, span{from, to})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	total, end := s.last-s.first, s.first
	for _, sp := range spans {
		if sp.to > end {
			total -= sp.to - max(sp.from, end)
			end = sp.to
		}
	}
	return total
}

func (t *trial) finish(r *Result, hours float64) {
	r.NormalHours = hours
	if hours > 0 {
		r.PerHour = float64(r.Normal) / hours
	}
	r.Attacks = t.names(r.attacks)
	for l := range r.attacks {
		delete(r.maybe, l)
	}
	r.Maybe = t.names(r.maybe)
	r.Examples = append(append([]Example{}, r.Examples...), r.unsure...)
}

// names are those of labels, sorted, each once.
func (t *trial) names(labels map[int]int64) []string {
	names := []string{}
	for l := range labels {
		names = append(names, t.labels[l].Attack)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// short is the kind of a rule of a set, the name of one of a file.
func (r *Result) short() string {
	if r.Kind != "" {
		return string(r.Kind)
	}
	return r.Rule
}

// attack says how the rules did on one label.
func (t *trial) attack(l int) Attack {
	label := t.labels[l]
	a := Attack{Attack: label.Attack, Container: label.Container, FromNS: label.FromNS, ToNS: label.ToNS, Rules: []string{}}
	for _, s := range t.subjects {
		if slices.Contains(s.labels, l) {
			for i := range t.results {
				a.Recorded = a.Recorded || t.speaks(s, i)
			}
		}
	}
	for _, r := range t.results {
		if _, ok := r.maybe[l]; ok {
			a.Maybe = append(a.Maybe, r.short())
		}
		at, ok := r.attacks[l]
		if !ok {
			continue
		}
		if after := at - label.FromNS; !a.Caught || after < a.AfterNS {
			a.AfterNS = after
		}
		a.Caught = true
		a.Rules = append(a.Rules, r.short())
	}
	slices.Sort(a.Rules)
	a.Rules = slices.Compact(a.Rules)
	return a
}

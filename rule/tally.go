package rule

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// report adds up.
func (t *trial) report() *Report {
	r := &Report{Rules: []Result{}, Attacks: []Attack{}, Refused: []Refused{}, Events: t.events, Sequences: t.sequences}
	hours := make([]float64, len(t.sets))
	for _, id := range slices.Sorted(maps.Keys(t.containers)) {
		s := t.containers[id]
		if s.set < 0 {
			r.Unscoped++
			continue
		}
		hours[s.set] += time.Duration(t.normal(s)).Hours()
		for _, refused := range s.refused {
			r.Refused = append(r.Refused, *refused)
		}
	}
	slices.SortFunc(r.Refused, func(a, b Refused) int {
		return cmp.Or(cmp.Compare(a.ContainerID, b.ContainerID), cmp.Compare(a.Call, b.Call))
	})
	for set, results := range t.results {
		for i := range results {
			t.finish(&results[i], hours[set])
			r.Rules = append(r.Rules, results[i])
		}
	}
	for i := range t.labels {
		r.Attacks = append(r.Attacks, t.attack(i))
	}
	return r
}

// normal is the time of a container, in ns, that no label nor its aftermath covers.
func (t *trial) normal(s *subject) int64 {
	type span struct{ from, to int64 }
	var spans []span
	for _, l := range s.labels {
		from, to := max(t.labels[l].FromNS, s.first), min(t.labels[l].ToNS+t.aftermathNS, s.last)
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
	r.Attacks = []string{}
	for l := range r.attacks {
		r.Attacks = append(r.Attacks, t.labels[l].Attack)
	}
	slices.Sort(r.Attacks)
	r.Attacks = slices.Compact(r.Attacks)
	if r.Examples == nil {
		r.Examples = []Example{}
	}
}

// attack says how the rules did on one label.
func (t *trial) attack(l int) Attack {
	label := t.labels[l]
	a := Attack{Attack: label.Attack, Container: label.Container, FromNS: label.FromNS, ToNS: label.ToNS, Rules: []string{}}
	for _, s := range t.containers {
		if s.set >= 0 && slices.Contains(s.labels, l) {
			a.Recorded = true
		}
	}
	for _, results := range t.results {
		for _, r := range results {
			at, ok := r.attacks[l]
			if !ok {
				continue
			}
			if after := at - label.FromNS; !a.Caught || after < a.AfterNS {
				a.AfterNS = after
			}
			a.Caught = true
			a.Rules = append(a.Rules, string(r.Kind))
		}
	}
	slices.Sort(a.Rules)
	a.Rules = slices.Compact(a.Rules)
	return a
}

package profile

import (
	"fmt"
	"slices"
)

// Merge joins profiles of different recordings: sets are united, counts are added.
// It is associative and commutative: the same profiles give the same bytes in any
// order and in any number of steps. The bounds are those of
// DefaultBuilderOptions, and what is beyond them is counted as in a Builder. The
// error says that two of the profiles know the same recording, whose windows would
// count twice, or that one is of version 1, which does not say in which containers
// an item was seen.
func Merge(profiles ...*Profile) (*Profile, error) {
	b := NewBuilder(BuilderOptions{})
	seen := map[string]bool{}
	for _, p := range profiles {
		for i := range p.Traces {
			key := p.Traces[i].key()
			if seen[key] {
				return nil, fmt.Errorf("profiles: trace %.80q of host %.80q is in two of them", p.Traces[i].Name, p.Traces[i].Host)
			}
			seen[key] = true
		}
	}
	for _, p := range profiles {
		if err := b.add(p); err != nil {
			return nil, err
		}
	}
	if len(b.workloads) > b.opts.MaxWorkloads {
		return nil, fmt.Errorf("profiles: more than %d workloads", b.opts.MaxWorkloads)
	}
	return b.Profile(), nil
}

// add adds all of a profile.
func (b *Builder) add(p *Profile) error {
	traces := make([]uint64, len(p.Traces))
	for i := range p.Traces {
		traces[i] = b.trace(&p.Traces[i])
	}
	for i := range p.Workloads {
		w := &p.Workloads[i]
		to := b.workload(w.Name)
		to.widen(&Replica{Windows: w.Windows, Lost: w.Lost, GapWindows: w.GapWindows, FromNS: w.FromNS, ToNS: w.ToNS})
		containers := make([]uint64, len(w.Containers))
		for i := range w.Containers {
			to.replica(w.Containers[i].ID, &w.Containers[i])
			containers[i] = hash(w.Containers[i].ID)
		}
		for _, host := range w.Hosts {
			to.head.Hosts = insert(to.head.Hosts, host, b.opts.MaxContainers)
		}
		for _, machine := range w.Machines {
			to.head.AddMachine(machine)
		}
		if w.Declared != nil {
			if to.head.Declared == nil {
				to.head.Declared = &Declared{}
			}
			to.head.Declared.merge(w.Declared)
		}
		for j := range w.Items {
			if err := to.entry(&w.Items[j], b.opts.MaxItems, containers, traces); err != nil {
				return fmt.Errorf("profiles: workload %.80q: %w", w.Name, err)
			}
		}
		for _, o := range w.Overflow {
			to.kind(o.Kind, b.opts.MaxItems).total += o.Count
		}
	}
	return nil
}

// entry adds an item with its evidence; containers and traces are the hashes of
// those of its profile.
func (w *building) entry(e *Entry, limit int, containers, traces []uint64) error {
	if len(e.In) == 0 && e.Containers > 0 {
		return fmt.Errorf("item %.80q: does not say in which containers it was seen: of an old version, build it again", e.Item)
	}
	set := w.kind(e.Item.Kind, limit)
	set.total += e.Count
	m := set.at(e.Item.Value)
	if m == nil {
		return nil
	}
	m.seen(e.Count, e.Windows, e.FirstNS, e.LastNS)
	for _, i := range e.In {
		m.containers = insertHash(m.containers, containers[i])
	}
	for _, i := range e.Traces {
		m.traces = insertHash(m.traces, traces[i])
	}
	m.containers, m.traces = slices.Clip(m.containers), slices.Clip(m.traces)
	return nil
}

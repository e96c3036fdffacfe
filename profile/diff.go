package profile

import (
	"fmt"
	"slices"
	"strings"
)

// Difference is what changed between two profiles, workload by workload.
type Difference struct {
	Workloads []WorkloadDifference `json:"workloads"` // sorted by After, or Before where that is ""
}

// WorkloadDifference is what changed of one workload. All lists are sorted.
type WorkloadDifference struct {
	Before   string             `json:"before,omitempty"` // name; "" where the workload is new
	After    string             `json:"after,omitempty"`  // name; "" where it is gone
	Replicas [2]int             `json:"replicas"`         // containers before and after
	Declared []DeclaredChange   `json:"declared"`
	Added    []Entry            `json:"added"` // items that were not seen before; their places are those of After's lists
	Gone     []Entry            `json:"gone"`  // items that are not seen any more; of Before's lists
	Changed  []EvidenceChange   `json:"changed"`
	Seen     [2]ObservationTime `json:"seen"`
}

// ObservationTime is how long a workload was seen.
type ObservationTime struct {
	Hours   float64 `json:"container_hours"`
	Windows int64   `json:"windows"`
	Lost    int64   `json:"lost"`
}

// DeclaredChange is a field of Declared whose values changed.
type DeclaredChange struct {
	Field string   `json:"field"`
	Added []string `json:"added"`
	Gone  []string `json:"gone"`
}

// EvidenceChange is an item that is seen still, but otherwise.
type EvidenceChange struct {
	Item   Item       `json:"item"`
	Before Evidence   `json:"before"`
	After  Evidence   `json:"after"`
	Rate   [2]float64 `json:"per_container_hour"` // occurrences
	Share  [2]float64 `json:"share_of_replicas"`
}

// Same says that nothing changed.
func (d *Difference) Same() bool {
	return !slices.ContainsFunc(d.Workloads, func(w WorkloadDifference) bool { return !w.Same() })
}

// Same says that nothing changed of the workload.
func (w *WorkloadDifference) Same() bool {
	return w.Before == w.After && len(w.Declared)+len(w.Added)+len(w.Gone)+len(w.Changed) == 0
}

// Diff compares two profiles: of two versions of an image, or of two times.
// Workloads belong together by name; of what is left, those of one repository and
// deployment where each profile has one, then those of one repository. Evidence is
// called changed where half of the replicas or more took an item up or left it, or
// where it came ten times as often or seldom, in an hour of a container.
func Diff(before, after *Profile) *Difference {
	d := &Difference{Workloads: []WorkloadDifference{}}
	for _, pair := range pairs(before, after) {
		d.Workloads = append(d.Workloads, diffWorkloads(pair[0], pair[1]))
	}
	slices.SortFunc(d.Workloads, func(a, b WorkloadDifference) int {
		return strings.Compare(orElse(a.After, a.Before), orElse(b.After, b.Before))
	})
	return d
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// pairs finds out which workloads belong together. One of a pair may be nil.
func pairs(before, after *Profile) (all [][2]*Workload) {
	paired := map[*Workload]bool{}
	pair := func(a, b *Workload) {
		all = append(all, [2]*Workload{a, b})
		paired[a], paired[b] = true, true
	}
	for i := range before.Workloads {
		if w := after.Workload(before.Workloads[i].Name); w != nil {
			pair(&before.Workloads[i], w)
		}
	}
	for _, key := range []func(string) string{
		func(name string) string { repo, _, deployment := SplitName(name); return repo + "#" + deployment },
		func(name string) string { repo, _, _ := SplitName(name); return repo },
	} {
		alone := func(p *Profile) map[string]*Workload {
			byKey := map[string]*Workload{}
			for i := range p.Workloads {
				if w := &p.Workloads[i]; !paired[w] {
					if _, twice := byKey[key(w.Name)]; twice {
						w = nil
					}
					byKey[key(p.Workloads[i].Name)] = w
				}
			}
			return byKey
		}
		others := alone(after)
		for k, w := range alone(before) {
			if other := others[k]; w != nil && other != nil {
				pair(w, other)
			}
		}
	}
	for i := range before.Workloads {
		if w := &before.Workloads[i]; !paired[w] {
			all = append(all, [2]*Workload{w, nil})
		}
	}
	for i := range after.Workloads {
		if w := &after.Workloads[i]; !paired[w] {
			all = append(all, [2]*Workload{nil, w})
		}
	}
	return all
}

func diffWorkloads(before, after *Workload) WorkloadDifference {
	none := &Workload{}
	d := WorkloadDifference{Declared: []DeclaredChange{}, Added: []Entry{}, Gone: []Entry{}, Changed: []EvidenceChange{}}
	if before == nil {
		before = none
	}
	if after == nil {
		after = none
	}
	d.Before, d.After = before.Name, after.Name
	d.Replicas = [2]int{len(before.Containers), len(after.Containers)}
	d.Seen = [2]ObservationTime{before.seen(), after.seen()}
	for _, e := range after.Items {
		was, ok := before.Lookup(e.Item)
		if !ok {
			d.Added = append(d.Added, e)
		} else if c := d.change(e.Item, was, e.Evidence); c.changed() {
			d.Changed = append(d.Changed, c)
		}
	}
	for _, e := range before.Items {
		if !after.Has(e.Item) {
			d.Gone = append(d.Gone, e)
		}
	}
	if before != none && after != none {
		d.Declared = diffDeclared(before.Declared, after.Declared)
	}
	return d
}

// Hours is how long its containers were seen, taken together, in hours: from the
// first to the last window of each.
func (w *Workload) Hours() float64 {
	var ns int64
	for i := range w.Containers {
		ns += w.Containers[i].ToNS - w.Containers[i].FromNS
	}
	return float64(ns) / 3600e9
}

func (w *Workload) seen() ObservationTime { return ObservationTime{w.Hours(), w.Windows, w.Lost} }

func (w *WorkloadDifference) change(item Item, before, after Evidence) EvidenceChange {
	c := EvidenceChange{Item: item, Before: before, After: after}
	for i, e := range []Evidence{before, after} {
		if h := w.Seen[i].Hours; h > 0 {
			c.Rate[i] = float64(e.Count) / h
		}
		if n := min(w.Replicas[i], MaxEvidence); n > 0 {
			c.Share[i] = float64(e.Containers) / float64(n)
		}
	}
	return c
}

// changed says whether evidence is worth telling of. Of what came a few times only,
// a rate says nothing.
func (c *EvidenceChange) changed() bool {
	const enough = 10
	low, high := min(c.Rate[0], c.Rate[1]), max(c.Rate[0], c.Rate[1])
	often := max(c.Before.Count, c.After.Count) >= enough && low > 0 && high >= 10*low
	return often || max(c.Share[0], c.Share[1])-min(c.Share[0], c.Share[1]) >= 0.5
}

// diffDeclared compares field by field, by their names in the file.
func diffDeclared(before, after *Declared) []DeclaredChange {
	changes := []DeclaredChange{}
	a, b := before.fields(), after.fields()
	for i := range b {
		c := DeclaredChange{Field: b[i].name, Added: without(b[i].values, a[i].values), Gone: without(a[i].values, b[i].values)}
		if len(c.Added)+len(c.Gone) > 0 {
			changes = append(changes, c)
		}
	}
	return changes
}

// without returns what is in a and not in b, both sorted.
func without(a, b []string) []string {
	out := []string{}
	for _, s := range a {
		if _, ok := slices.BinarySearch(b, s); !ok {
			out = append(out, s)
		}
	}
	return out
}

// Words says a change of evidence for people.
func (c *EvidenceChange) Words() string {
	var words []string
	if c.Share[0] != c.Share[1] {
		words = append(words, fmt.Sprintf("in %d → %d containers (%.0f → %.0f %%)", c.Before.Containers, c.After.Containers, 100*c.Share[0], 100*c.Share[1]))
	}
	return strings.Join(append(words, fmt.Sprintf("%.3g → %.3g times in a container-hour", c.Rate[0], c.Rate[1])), ", ")
}

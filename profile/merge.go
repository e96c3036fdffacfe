package profile

import (
	"slices"
	"strings"
)

// Merge joins two profiles of different recordings: sets are united, counts are
// added, so windows that are in both count twice. The containers and hosts of an
// item are added too, up to the number that the workload has.
func Merge(a, b *Profile) *Profile {
	out := &Profile{Workloads: slices.Concat(a.Workloads, b.Workloads)}
	slices.SortStableFunc(out.Workloads, func(x, y Workload) int { return strings.Compare(x.Name, y.Name) })
	merged := make([]Workload, 0, len(out.Workloads))
	for _, w := range out.Workloads {
		if n := len(merged); n > 0 && merged[n-1].Name == w.Name {
			merged[n-1] = mergeWorkloads(&merged[n-1], &w)
		} else {
			merged = append(merged, w)
		}
	}
	out.Workloads = merged
	return out
}

// mergeWorkloads is Merge for two workloads of one name.
func mergeWorkloads(a, b *Workload) Workload {
	out := Workload{
		Name: a.Name, Windows: a.Windows + b.Windows, Lost: a.Lost + b.Lost, GapWindows: a.GapWindows + b.GapWindows,
		FromNS: a.FromNS, ToNS: a.ToNS,
		Containers: union(a.Containers, b.Containers),
		Hosts:      union(a.Hosts, b.Hosts),
		Machines:   union(a.Machines, b.Machines),
		Items:      []Entry{},
	}
	if b.Windows > 0 {
		out.Windows = a.Windows
		out.widen(b.FromNS, b.ToNS)
		out.Windows += b.Windows
	}
	entries := slices.Concat(a.Items, b.Items)
	slices.SortStableFunc(entries, func(x, y Entry) int { return x.Item.Compare(y.Item) })
	for _, e := range entries {
		n := len(out.Items)
		if n == 0 || out.Items[n-1].Item != e.Item {
			out.Items = append(out.Items, e)
			continue
		}
		last := &out.Items[n-1].Evidence
		last.Count += e.Count
		last.Windows += e.Windows
		last.Containers = min(last.Containers+e.Containers, len(out.Containers), MaxEvidence)
		last.Hosts = min(last.Hosts+e.Hosts, len(out.Hosts), MaxEvidence)
		last.FirstNS, last.LastNS = min(last.FirstNS, e.FirstNS), max(last.LastNS, e.LastNS)
	}
	for _, o := range slices.Concat(a.Overflow, b.Overflow) {
		i, ok := slices.BinarySearchFunc(out.Overflow, o.Kind, func(o Overflow, kind string) int {
			return strings.Compare(o.Kind, kind)
		})
		if ok {
			out.Overflow[i].Count += o.Count
		} else {
			out.Overflow = slices.Insert(out.Overflow, i, o)
		}
	}
	for _, d := range []*Declared{a.Declared, b.Declared} {
		if d == nil {
			continue
		}
		if out.Declared == nil {
			out.Declared = &Declared{}
		}
		out.Declared.merge(d)
	}
	return out
}

// union joins two sorted sets.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

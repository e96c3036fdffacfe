package replay

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/profile"
)

// Verdicts on how new time compares with the learning time.
const (
	AsLearned  = "as learned"  // no more is new than the learning time foretells
	Drift      = "drift"       // many containers do the same new things: the workload changed, or its load
	Departs    = "departs"     // more is new than foretold, in some containers only: see the findings
	NewVersion = "new version" // an image of a repository that was learned with another digest
	NotLearned = "not learned" // a workload that was not there in the learning time
)

// maxUnseen bounds the new things that are told apart, by workload.
const maxUnseen = 4096

// Comparison says how much of what one workload did was new to its detector, and
// what that is likely to mean. It is no alarm: one attack changes few windows of
// few containers, a new version all of them.
type Comparison struct {
	Workload   string   `json:"workload"`
	Verdict    string   `json:"verdict"`
	Windows    int64    `json:"windows"`
	NewWindows int64    `json:"new_windows"` // with something that was never seen in training
	Expected   float64  `json:"expected"`    // of them, by the completeness of what was learned
	Containers int      `json:"containers"`
	Affected   int      `json:"affected"`         // containers with such windows
	Shared     []string `json:"shared,omitempty"` // new things that more than half of the containers, two or more, did, and that speak for no technique of ATT&CK; ten at most
}

// comparison gathers one workload's.
type comparison struct {
	known               bool
	windows, newWindows int64
	containers          map[containerKey]bool // whether it is affected
	unseen              map[profile.Item]map[containerKey]struct{}
}

// comparisons gathers those of a run.
type comparisons map[string]*comparison

// add takes in a window that is scored now.
func (cs comparisons) add(space *feature.Space, w *feature.Window) {
	c := cs[w.Workload]
	if c == nil {
		c = &comparison{containers: map[containerKey]bool{}, unseen: map[profile.Item]map[containerKey]struct{}{}}
		cs[strings.Clone(w.Workload)] = c
	}
	key := containerKey{w.Host, w.ContainerID}
	if _, ok := c.containers[key]; !ok {
		key = containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}
		c.containers[key] = false
	}
	c.windows++
	fresh := false
	c.known = space.Unseen(w, func(item profile.Item) {
		if !fresh {
			fresh = true
			c.newWindows++
		}
		by := c.unseen[item]
		if by == nil {
			if len(c.unseen) >= maxUnseen {
				return
			}
			by = map[containerKey]struct{}{}
			c.unseen[profile.Item{Kind: item.Kind, Value: strings.Clone(item.Value)}] = by
		}
		by[containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}] = struct{}{}
	})
	if fresh {
		c.containers[containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}] = true
	}
}

// report judges each workload, by name.
func (cs comparisons) report(d *detector.Detector) []Comparison {
	all := []Comparison{}
	for _, name := range slices.Sorted(maps.Keys(cs)) {
		all = append(all, cs[name].judge(name, d))
	}
	return all
}

func (c *comparison) judge(name string, d *detector.Detector) Comparison {
	out := Comparison{Workload: name, Windows: c.windows, NewWindows: c.newWindows, Containers: len(c.containers)}
	for _, affected := range c.containers {
		if affected {
			out.Affected++
		}
	}
	learned := d.Space.Profile.Workload(name).Completeness()
	out.Expected = float64(c.windows) * min(1, learned.NewPerWindow)
	out.Shared = c.shared()
	switch {
	case !c.known && otherDigest(name, d.Space.Profile):
		out.Verdict = NewVersion
	case !c.known:
		out.Verdict = NotLearned
	case float64(c.newWindows) <= out.Expected+3*math.Sqrt(out.Expected+1):
		out.Verdict = AsLearned
	case len(out.Shared) > 0:
		out.Verdict = Drift
	default:
		out.Verdict = Departs
	}
	return out
}

// shared lists the new things that at least two containers, and more than half of
// them, did. What speaks for an attack is not among them: an attack on each of
// them is no drift.
func (c *comparison) shared() []string {
	most := max(2, len(c.containers)/2+1)
	var items []profile.Item
	for item, by := range c.unseen {
		if _, attack := profile.TechniqueOf(item); len(by) >= most && !attack {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b profile.Item) int {
		return cmp.Or(cmp.Compare(len(c.unseen[b]), len(c.unseen[a])), cmp.Compare(itemRank[a.Kind], itemRank[b.Kind]), a.Compare(b))
	})
	var words []string
	for _, item := range items[:min(10, len(items))] {
		words = append(words, item.String())
	}
	return words
}

// otherDigest says whether a workload's image was learned with another digest.
func otherDigest(name string, p *profile.Profile) bool {
	repository, digest, _ := profile.SplitName(name)
	return slices.ContainsFunc(p.Workloads, func(w profile.Workload) bool {
		other, otherDigest, _ := profile.SplitName(w.Name)
		return other == repository && otherDigest != digest
	})
}

// Words says a comparison in a line, as for a terminal.
func (c *Comparison) Words() string {
	s := fmt.Sprintf("%s: %s: %d of %d windows with something new, %.1f expected; %d of %d containers",
		plain(c.Workload), c.Verdict, c.NewWindows, c.Windows, c.Expected, c.Affected, c.Containers)
	switch c.Verdict {
	case Drift:
		var items []string
		for _, item := range c.Shared[:min(3, len(c.Shared))] {
			items = append(items, plain(item))
		}
		s += " do the same, as " + strings.Join(items, ", ") + ": if that is meant, train again"
	case NewVersion:
		s += "; its image was learned with another digest: train again"
	case NotLearned:
		s += "; train on a recording that has it"
	case Departs:
		s += ": see the findings"
	}
	return s
}

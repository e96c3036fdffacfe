package replay

import (
	"cmp"
	"fmt"
	"hash/fnv"
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

// WorkloadTally is what was counted of one workload, as a state that merges.
type WorkloadTally struct {
	Known      bool           `json:"known"` // to the detector
	Windows    int64          `json:"windows"`
	NewWindows int64          `json:"new_windows"` // with something that was never seen in training
	Containers int            `json:"containers"`
	Affected   int            `json:"affected"` // containers with such windows
	Unseen     map[string]int `json:"unseen"`   // containers that did each new thing; of maxUnseen things at most

	// What the detector says, the same in all parts.
	NewPerWindow float64 `json:"new_per_window"` // new things that one more window would add
	OtherDigest  bool    `json:"other_digest"`   // its image was learned with another digest
}

// tally counts the containers of each thing, for nothing else asks who they are.
func (cs comparisons) tally(d *detector.Detector) map[string]*WorkloadTally {
	all := map[string]*WorkloadTally{}
	for name, c := range cs {
		t := &WorkloadTally{Known: c.known, Windows: c.windows, NewWindows: c.newWindows, Containers: len(c.containers), Unseen: map[string]int{},
			NewPerWindow: d.Space.Profile.Workload(name).Completeness().NewPerWindow, OtherDigest: otherDigest(name, d.Space.Profile)}
		for _, affected := range c.containers {
			if affected {
				t.Affected++
			}
		}
		for item, by := range c.unseen {
			t.Unseen[item.String()] = len(by)
		}
		all[name] = t
	}
	return all
}

// merge adds the same workload's of other hosts. Of too many new things those stay
// whose hash is smallest, which any order of merges agrees on.
func (t *WorkloadTally) merge(b *WorkloadTally) {
	t.Known, t.NewPerWindow, t.OtherDigest = b.Known, b.NewPerWindow, b.OtherDigest
	t.Windows += b.Windows
	t.NewWindows += b.NewWindows
	t.Containers += b.Containers
	t.Affected += b.Affected
	if t.Unseen == nil {
		t.Unseen = map[string]int{}
	}
	for item, n := range b.Unseen {
		t.Unseen[item] += n
	}
	if len(t.Unseen) <= maxUnseen {
		return
	}
	hash := func(item string) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(item)) // never fails
		return h.Sum64()
	}
	items := slices.SortedFunc(maps.Keys(t.Unseen), func(a, b string) int { return cmp.Or(cmp.Compare(hash(a), hash(b)), cmp.Compare(a, b)) })
	for _, item := range items[maxUnseen:] {
		delete(t.Unseen, item)
	}
}

// compare judges each workload, by name.
func compare(workloads map[string]*WorkloadTally) []Comparison {
	all := []Comparison{}
	for _, name := range slices.Sorted(maps.Keys(workloads)) {
		all = append(all, workloads[name].judge(name))
	}
	return all
}

func (t *WorkloadTally) judge(name string) Comparison {
	out := Comparison{Workload: name, Windows: t.Windows, NewWindows: t.NewWindows, Containers: t.Containers, Affected: t.Affected}
	out.Expected = float64(t.Windows) * min(1, t.NewPerWindow)
	out.Shared = t.shared()
	switch {
	case !t.Known && t.OtherDigest:
		out.Verdict = NewVersion
	case !t.Known:
		out.Verdict = NotLearned
	case float64(t.NewWindows) <= out.Expected+3*math.Sqrt(out.Expected+1):
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
func (t *WorkloadTally) shared() []string {
	type thing struct {
		item profile.Item
		text string
		by   int
	}
	most := max(2, t.Containers/2+1)
	var things []thing
	for text, by := range t.Unseen {
		item, err := profile.ParseItem(text)
		if err != nil {
			continue // no item: nothing that Unseen gives
		}
		if _, attack := profile.TechniqueOf(item); by >= most && !attack {
			things = append(things, thing{item, text, by})
		}
	}
	slices.SortFunc(things, func(a, b thing) int {
		return cmp.Or(cmp.Compare(b.by, a.by), cmp.Compare(itemRank[a.item.Kind], itemRank[b.item.Kind]), a.item.Compare(b.item))
	})
	var words []string
	for _, t := range things[:min(10, len(things))] {
		words = append(words, t.text)
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

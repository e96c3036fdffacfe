package feature

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mayfly/profile"
	"mayfly/trace"
)

// What is new is not equally new. A service that makes another file in /tmp each
// minute does it again when it makes the next; one that never wrote below /etc does
// something of another kind when it does. No list says which: it is learned how often
// something new came where.
//
// The things that a workload does are a tree: by kind, then by what their values
// have in common (folders of a path, host and port of a peer, the operation of a
// privilege, the program that starts others). A new thing hangs from the deepest branch that was seen, and how
// surprising it is, is how seldom that branch got a new child (the escape of a
// context tree: Witten and Bell, "The zero-frequency problem", IEEE Transactions on
// Information Theory 37, 1991). Counters of events hang from a branch of their own:
// the first connection of a workload, and the first failure, are news even where no
// item tells whereto; so do system calls.
//
// In training a child is new where it was seen in one part of the time only (see
// fold.go), and a window of that part is measured against the other parts' branches.
// Replicas that grow older side by side hide what age brings (a day's log, a task
// once an hour): so a child that no container had in the first eighth of the longest
// one's time counts as well, once for each container that grew as old. One more name
// of a series (series.go) is nothing new, here as there.

// branch is one node of the tree that has children.
type branch struct {
	Node string `json:"node"` // "write /var/lib/", "connect inet:", "priv "; "" is the root
	New  uint64 `json:"new"`  // children that one part of the training time alone had, and late ones
}

// parent is the branch that a node hangs from; ok is false for the root.
func parent(node string) (string, bool) {
	kind, value, isItem := strings.Cut(node, " ")
	if !isItem {
		return "", false
	}
	value = strings.TrimRight(value, "/:")
	if value == "" {
		return "", true
	}
	if strings.HasPrefix(value, `["`) { // what an item of several begins with
		return node[:len(kind)+2+strings.LastIndexByte(strings.TrimRight(value, ","), ',')], true
	}
	return node[:len(kind)+2+strings.LastIndexAny(value, "/:")], true
}

// eventNodes are the nodes of counters of events.
var eventNodes = func() (names [NumCounters]string) {
	for c := range Counters {
		names[c] = "event " + Counters[c].Name
	}
	return names
}()

func callNode(c trace.Call) string {
	return profile.Item{Kind: profile.Call, Value: callName(c)}.String()
}

// branches is the tree of a workload.
type branches struct {
	list []branch
	at   map[string]int // place in list

	// While the learning is remembered: where each node was seen, and how many of a
	// branch's new children each part had.
	seen     map[string]*firstSeen
	inPart   map[partOf]uint64
	seriesIn map[partOf]int // names of a series that a part alone had
}

// firstSeen is where a thing was seen, and the least age of a container that had it.
type firstSeen struct {
	sole
	ageNS int64
}

func (m *learning) first(at place) *firstSeen {
	return &firstSeen{sole: sole{place: at, to: at.startNS}, ageNS: m.ageNS}
}

func (f *firstSeen) see(at place, ageNS int64) {
	f.sole.see(at)
	f.ageNS = min(f.ageNS, ageNS)
}

type partOf struct {
	node      string
	container int32
	block     int64
}

// tree makes the tree of what was seen, and where.
func (m *learning) tree(folds int, longNS int64) *branches {
	b := &branches{at: map[string]int{"": 0}, list: []branch{{}}, seen: map[string]*firstSeen{},
		inPart: map[partOf]uint64{}, seriesIn: map[partOf]int{}}
	lateNS := longNS
	for _, c := range m.containers {
		lateNS = max(lateNS, (c.to-c.from)/8)
	}
	put := func(text string, s *firstSeen) {
		for node, ok := text, true; ok; node, ok = parent(node) {
			have := b.seen[node]
			if have == nil {
				own := *s
				b.seen[node] = &own
				continue
			}
			if have.container != s.container {
				have.container = -1
			}
			have.startNS, have.to, have.ageNS = min(have.startNS, s.startNS), max(have.to, s.to), min(have.ageNS, s.ageNS)
		}
	}
	for text, s := range m.items {
		put(text, s)
	}
	for c, s := range m.events {
		if s != nil {
			put(eventNodes[c], s)
		}
	}
	for c, s := range m.calls {
		put(callNode(c), &s.firstSeen)
	}
	containers := make([]*container, len(m.containers))
	for _, c := range m.containers {
		containers[c.index] = c
	}
	continuing := m.continuing(b, containers, folds)
	for _, node := range slices.Sorted(maps.Keys(b.seen)) {
		up, ok := parent(node)
		if !ok {
			continue
		}
		at, have := b.at[up]
		if !have {
			at = len(b.list)
			b.at[up], b.list = at, append(b.list, branch{Node: strings.Clone(up)})
		}
		if continuing[node] {
			continue
		}
		s := b.seen[node]
		fresh := uint64(0)
		if s.ageNS >= lateNS {
			for _, c := range containers {
				if c.to-c.from >= s.ageNS {
					fresh++
				}
			}
		}
		if s.container >= 0 {
			if p := m.partOf(containers[s.container], s.startNS, folds); p.only(&s.sole) {
				fresh = max(fresh, 1)
				b.inPart[partOf{up, p.container, p.block}] += fresh
			}
		}
		b.list[at].New += fresh
	}
	b.sort()
	return b
}

func (b *branches) sort() {
	slices.SortFunc(b.list, func(x, y branch) int { return cmp.Compare(x.Node, y.Node) })
	b.index()
}

func (b *branches) index() {
	b.at = make(map[string]int, len(b.list))
	for i := range b.list {
		b.at[b.list[i].Node] = i
	}
}

// mergeBranches joins the trees of workloads.
func mergeBranches(all []*branches) *branches {
	out := &branches{at: map[string]int{}}
	for _, b := range all {
		for _, x := range b.list {
			at, ok := out.at[x.Node]
			if !ok {
				at = len(out.list)
				out.at[x.Node], out.list = at, append(out.list, branch{Node: x.Node})
			}
			out.list[at].New += x.New
		}
	}
	out.sort()
	return out
}

// from is the deepest branch that was seen of a node that was not. Of a training
// window its own part does not count.
func (m *measure) from(node string) string {
	b := m.model.branches
	for {
		node, _ = parent(node) // the root is its own
		if _, known := b.at[node]; known && (node == "" || m.part == nil || !m.part.only(&b.seen[node].sole)) {
			return node
		}
	}
}

// branchPrior is how many windows of all workloads together count as much as one's
// own for how often a branch gets a new child.
const branchPrior = 1000

// branchBits is how surprising a new child of a branch is, in bits: by how many
// windows of the workload brought one, where it has few windows by how many of all
// workloads did, and never by less than one half in all of them.
func (m *measure) branchBits(node string) float64 {
	fresh, pool := m.model.branches.fresh(node), m.space.global.branches.fresh(node)
	if m.part != nil {
		own := m.model.branches.inPart[partOf{node, m.part.container, m.part.block}]
		fresh, pool = fresh-own, pool-own
	}
	one, all := float64(m.model.Windows), float64(m.space.global.Windows)
	shared := (float64(pool) + 0.5) / (all + 1)
	p := (float64(fresh) + branchPrior*shared) / (one + branchPrior)
	return -math.Log2(min(max(p, 0.5/(all+1)), 1))
}

// rarity is how surprising what is new in a window is, in bits: of each branch that
// got something new once, and more where it got several; the square root of the sum
// of squares, so that the most surprising counts most and several count more than
// one.
func (m *measure) rarity(w *Window, scratch map[string]int) float64 {
	clear(scratch)
	if w.Missing&MissingEvents != 0 {
		return 0
	}
	for c := NErrors; c <= NOrphans; c++ {
		if w.Known(c) && w.Counters[c] > 0 && !m.seenEvent(c) {
			scratch[m.from(eventNodes[c])]++
		}
	}
	for _, c := range w.Calls {
		if m.callModel(c) == nil {
			scratch[m.from(callNode(c))]++
		}
	}
	for _, text := range w.Items {
		item, err := profile.ParseItem(text)
		if err != nil {
			continue // a kind of item that this version does not know
		}
		if !m.seenItem(item, text) {
			scratch[m.from(text)]++
		}
	}
	sum := 0.0
	for _, node := range slices.Sorted(maps.Keys(scratch)) {
		one := m.branchBits(node) + math.Log2(float64(scratch[node]))
		sum += one * one
	}
	return math.Sqrt(sum)
}

// fresh is how many new children a branch had.
func (b *branches) fresh(node string) uint64 {
	if at, ok := b.at[node]; ok {
		return b.list[at].New
	}
	return 0
}

// seenEvent reports whether a counter was ever more than 0.
func (m *measure) seenEvent(c Counter) bool {
	if m.model.Counters[c][0].Max == 0 {
		return false
	}
	return m.part == nil || !m.part.only(&m.model.learned.events[c].sole)
}

// check wants what the encoder relies on.
func checkBranches(list []branch) error {
	if len(list) == 0 || list[0].Node != "" {
		return fmt.Errorf("branches: no root")
	}
	for i, b := range list {
		if i > 0 && list[i-1].Node >= b.Node || len(b.Node) > profile.MaxValue+16 || b.New > 1<<53 {
			return fmt.Errorf("branch %.80q: out of order, or too many new children", b.Node)
		}
	}
	return nil
}

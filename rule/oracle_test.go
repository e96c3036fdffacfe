package rule

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/feature"
	"mayfly/profile"
	"mayfly/trace"
)

// TestOracle holds the rules of the demo's recording, as Falco gets them, against
// what they mean, event by event: a rule of Falco's that was made of several fires
// when one of them would, no more and no less.
func TestOracle(t *testing.T) {
	tr, err := trace.Open(filepath.Join("..", "datasets", "demo", "trace"))
	if err != nil {
		t.Fatal(err)
	}
	labels, err := feature.OpenLabels(filepath.Join("..", "datasets", "demo", "labels.csv"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	containers, err := tr.Containers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sets, oracles, fires := map[string]*Set{}, map[string]*oracle{}, map[string]int64{}
	ruleOf, caught := map[string]string{}, map[int]bool{}
	var all []*Set
	for _, c := range containers {
		name := profile.WorkloadName(c.Image, "")
		if sets[name] != nil {
			continue
		}
		// Of the workload nothing is known but a few programs and files, so that most
		// of what the recording holds fires.
		set := mustBuild(t, workload(name, webItems), []profile.Item{{Kind: profile.Read, Value: "/etc/hostname"}}, Options{})
		sets[name], oracles[name], all = set, newOracle(set), append(all, set)
		for _, rule := range set.FalcoRules() {
			for _, part := range rule.Parts {
				ruleOf[part.Name] = rule.Name
			}
		}
		if got := len(set.Rules); got < 7 {
			t.Fatalf("%s: %d rules, want 7 or more: nothing is joined", name, got)
		}
	}
	for row, err := range trace.Merge(ctx, tr) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Event == nil {
			continue
		}
		name := profile.WorkloadName(containers[row.Event.ContainerID(row.Index)].Image, "")
		if oracles[name] == nil {
			continue
		}
		fired := map[string]bool{}
		for _, c := range oracles[name].byEvent[row.Event.Kind(row.Index)] {
			if c.fires(row.Event, row.Index) {
				fired[ruleOf[sets[name].Rules[c.rule].Name]] = true
			}
		}
		for rule := range fired {
			fires[rule]++
		}
		for i := range labels {
			l := &labels[i]
			if len(fired) > 0 && l.Names(row.Event.ContainerID(row.Index), "") && l.FromNS <= row.TimeNS && row.TimeNS <= l.ToNS {
				caught[i] = true
			}
		}
	}
	got, err := Test(ctx, all, []*trace.Trace{tr}, labels, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	total := int64(0)
	gotFires := map[string]int64{}
	for _, r := range got.Rules {
		if r.Kind == Calls {
			continue
		}
		gotFires[r.Rule], want[r.Rule] = r.Fires+r.Unsure, fires[r.Rule]
		total += r.Fires
	}
	if diff := cmp.Diff(want, gotFires); diff != "" {
		t.Errorf("fires by rule (-meant +Falco):\n%s", diff)
	}
	for i, a := range got.Attacks {
		if a.Recorded && a.Caught != caught[i] {
			t.Errorf("%s: caught: %v, by what the rules mean: %v", a.Attack, a.Caught, caught[i])
		}
	}
	if len(caught) < 5 {
		t.Errorf("%d attacks caught: too few to tell anything", len(caught))
	}
	if total < 1000 {
		t.Errorf("%d fires in all: too few to tell anything", total)
	}
}

// oracle is a second reading of a set of rules, by what they mean and not by what
// Falco is told: the two must agree (TestOracle).
type oracle struct {
	byEvent map[trace.Kind][]check
}

// check is one rule that looks at a kind of event.
type check struct {
	rule  int // index in Set.Rules
	fires func(b *trace.EventBatch, i int) bool
}

func newOracle(s *Set) *oracle {
	c := &oracle{byEvent: map[trace.Kind][]check{}}
	for i := range s.Rules {
		c.rule(i, &s.Rules[i])
	}
	return c
}

func (c *oracle) on(kind trace.Kind, rule int, fires func(b *trace.EventBatch, i int) bool) {
	c.byEvent[kind] = append(c.byEvent[kind], check{rule, fires})
}

// rule adds the checks of one rule.
func (c *oracle) rule(at int, r *Rule) {
	switch r.Kind {
	case Program, Dropped:
		known := compilePaths(&r.Allowed)
		c.on(trace.Exec, at, func(b *trace.EventBatch, i int) bool {
			return !failed(b, i) && (r.Kind == Program || written(b, i)) && !known.has(b.Path(i))
		})
	case Secret:
		secret := compilePaths(&r.Denied)
		c.on(trace.FileOpen, at, func(b *trace.EventBatch, i int) bool {
			return opened(b, i, false) && secret.has(b.Path(i))
		})
	case Write:
		known := compilePaths(&r.Allowed)
		c.on(trace.FileOpen, at, func(b *trace.EventBatch, i int) bool {
			return opened(b, i, true) && !known.has(b.Path(i))
		})
	case Connect:
		c.on(trace.Connect, at, connects(r))
	case Listen:
		c.on(trace.Listen, at, func(b *trace.EventBatch, i int) bool {
			port, ok := b.LocalPort(i)
			return ok && strings.HasPrefix(b.Family(i), "inet") && !slices.Contains(r.Ports, uint16(port))
		})
	case Privilege:
		known := compilePaths(&r.Allowed)
		for _, name := range r.Operations {
			c.operation(at, operationNamed(name), known)
		}
	case Found:
		c.found(at, r.Items)
	}
}

func (c *oracle) operation(at int, op *operation, known *pathSet) {
	if op == nil {
		return
	}
	c.on(op.kind, at, func(b *trace.EventBatch, i int) bool {
		if exe := b.Exe(i); exe != "" && !known.has(exe) {
			return false
		}
		if op.kind == trace.SetUID {
			uid, ok := b.Arg(i)
			return ok && uid == 0 && !failed(b, i)
		}
		return true
	})
}

// found adds the checks of a rule on items that findings named.
func (c *oracle) found(at int, items []profile.Item) {
	byKind := map[string][]string{}
	for _, item := range items {
		byKind[item.Kind] = append(byKind[item.Kind], item.Value)
	}
	programs := compilePaths(&Paths{Exact: byKind[profile.Exec]})
	reads := compilePaths(foundPaths(byKind[profile.Read]))
	writes := compilePaths(foundPaths(byKind[profile.Write]))
	c.on(trace.Exec, at, func(b *trace.EventBatch, i int) bool { return !failed(b, i) && programs.has(b.Path(i)) })
	c.on(trace.FileOpen, at, func(b *trace.EventBatch, i int) bool {
		return opened(b, i, false) && reads.has(b.Path(i)) || opened(b, i, true) && writes.has(b.Path(i))
	})
	peers := map[netip.AddrPort]bool{}
	for _, value := range byKind[profile.Connect] {
		if addr, ok := profile.ParsePeer(value); ok {
			peers[addr] = true
		}
	}
	c.on(trace.Connect, at, func(b *trace.EventBatch, i int) bool {
		addr, ok := peerOf(b, i)
		return ok && peers[addr]
	})
}

// connects fires on peers that the rule does not know.
func connects(r *Rule) func(b *trace.EventBatch, i int) bool {
	known := map[netip.AddrPort]bool{}
	for _, p := range r.Peers {
		if addr, err := netip.ParseAddr(p.Addr); err == nil {
			known[netip.AddrPortFrom(addr, p.Port)] = true
		}
	}
	return func(b *trace.EventBatch, i int) bool {
		if b.Family(i) == "unix" {
			return strings.HasPrefix(b.Addr(i), "/") && !r.Allowed.Has(b.Addr(i))
		}
		addr, ok := peerOf(b, i)
		return ok && addr.Port() != 0 && !known[addr] && !slices.Contains(r.Ports, addr.Port())
	}
}

// peerOf returns the address of a connect event; false when it has none.
func peerOf(b *trace.EventBatch, i int) (netip.AddrPort, bool) {
	port, ok := b.Port(i)
	if !ok || port < 0 || port > 65535 {
		return netip.AddrPort{}, false
	}
	addr, err := netip.ParseAddr(b.Addr(i))
	return netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(port)), err == nil
}

func failed(b *trace.EventBatch, i int) bool {
	ret, ok := b.Ret(i)
	return ok && ret < 0
}

func written(b *trace.EventBatch, i int) bool {
	origin := b.ExeOrigin(i)
	return origin == trace.OriginWritten || origin == trace.OriginMemfd
}

// Flags of open(2). Opening a directory is no reading of a file; its flag differs
// between x86 and ARM, where each means something harmless on the other.
const (
	openWriteOnly = 0x1
	openReadWrite = 0x2
	openDirectory = 0x10000 | 0x4000
)

// opened says whether a file was opened, with success, for writing or for reading.
func opened(b *trace.EventBatch, i int, write bool) bool {
	if failed(b, i) || !strings.HasPrefix(b.Path(i), "/") {
		return false
	}
	flags, _ := b.Flags(i)
	if write {
		return flags&(openWriteOnly|openReadWrite) != 0
	}
	return flags&openWriteOnly == 0 && flags&openDirectory == 0
}

// pathSet is Paths for fast look-up.
type pathSet struct {
	exact, dirs map[string]bool
	globs       []string
}

func compilePaths(p *Paths) *pathSet {
	s := &pathSet{exact: map[string]bool{}, dirs: map[string]bool{}, globs: p.Globs}
	for _, path := range p.Exact {
		s.exact[path] = true
	}
	for _, dir := range p.Dirs {
		s.dirs[dir] = true
	}
	return s
}

func (s *pathSet) has(path string) bool {
	if s.exact[path] {
		return true
	}
	if len(s.dirs) > 0 {
		for dir := path; dir != ""; dir = dir[:strings.LastIndexByte(dir, '/')] {
			if s.dirs[dir] {
				return true
			}
			if !strings.Contains(dir, "/") {
				break
			}
		}
	}
	return slices.ContainsFunc(s.globs, func(glob string) bool { return globMatch(glob, path) })
}

package rule

import (
	"net/netip"
	"slices"
	"strings"

	"mayfly/profile"
	"mayfly/trace"
)

// compiled is a set ready to run over rows. It mirrors what the targets do: the
// conditions of condition.go over the columns of a trace. It is read-only.
type compiled struct {
	set     *Set
	byEvent map[trace.Kind][]check
	calls   callCheck
}

// check is one rule that looks at a kind of event.
type check struct {
	rule  int // index in Set.Rules
	fires func(b *trace.EventBatch, i int) bool
}

// callCheck says which calls a seccomp profile allows, by their trace.Call.
type callCheck struct {
	on             bool
	native, compat [1024]bool
}

func compile(s *Set) *compiled {
	c := &compiled{set: s, byEvent: map[trace.Kind][]check{}}
	for i := range s.Rules {
		c.rule(i, &s.Rules[i])
	}
	if s.Calls != nil {
		c.calls.on = true
		for _, name := range slices.Concat(s.Calls.Recorded, s.Calls.Added) {
			if n, ok := trace.CallNumber(name); ok && int(n) < len(c.calls.native) {
				c.calls.native[n] = true
				c.calls.compat[n] = s.Calls.Compat
			}
		}
	}
	return c
}

func (c *compiled) on(kind trace.Kind, rule int, fires func(b *trace.EventBatch, i int) bool) {
	c.byEvent[kind] = append(c.byEvent[kind], check{rule, fires})
}

// rule adds the checks of one rule.
func (c *compiled) rule(at int, r *Rule) {
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

func (c *compiled) operation(at int, op *operation, known *pathSet) {
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
func (c *compiled) found(at int, items []profile.Item) {
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

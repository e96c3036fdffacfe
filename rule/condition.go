package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mayfly/profile"
)

const (
	onExec = "evt.type in (execve, execveat) and evt.failed=false"
	onOpen = "evt.type in (open, openat, openat2) and fd.num>=0 and fd.typechar='f'"
)

// condition returns the condition of a rule, and adds the lists that it needs. An
// empty condition is a rule that has nothing to say. Where several parts ask for the
// same events, what they share stands first: Falco leaves a condition at the first
// comparison that is false.
func (f *falcoFile) condition(r *FalcoRule) string {
	within := " and " + f.id + "_containers"
	if r.Kind == Program {
		return onExec + within + f.notIn("proc.exepath", "programs", r.Parts[0].Allowed.Exact)
	}
	var parts []string
	for i := range r.Parts {
		if part := f.part(&r.Parts[i]); part != "" {
			parts = append(parts, part)
		}
	}
	either := strings.Join(parts, " or ")
	switch {
	case len(parts) == 0:
		return ""
	case r.Kind == Files:
		return onOpen + within + " and (" + either + ")"
	case r.Kind == Network:
		return "evt.type in (connect, listen)" + within + " and (" + either + ")"
	}
	return "(" + either + ")" + within
}

// part is what a rule of the set asks for beside what its rule of Falco begins with.
func (f *falcoFile) part(r *Rule) string {
	switch r.Kind {
	case Dropped:
		return "(" + onExec + " and (proc.is_exe_upper_layer=true or proc.is_exe_from_memfd=true)" +
			f.notIn("proc.exepath", "dropped", r.Allowed.Exact) + ")"
	case Secret:
		return "(evt.is_open_read=true and (" + f.paths("secret", &r.Denied) + "))"
	case Write:
		return "(evt.is_open_write=true and not (" + f.paths("write", &r.Allowed) + "))"
	case Connect:
		return f.connects(r)
	case Listen:
		part := "(evt.type=listen and fd.typechar in (4, 6)"
		if len(r.Ports) > 0 {
			part += " and not fd.sport in (" + numbers(r.Ports) + ")"
		}
		return part + ")"
	case Privilege:
		return "(" + f.privileged(r.Operations) + f.in("proc.exepath", "programs", r.Allowed.Exact) + ")"
	case Found:
		return strings.Join(f.found(r.Items), " or ")
	}
	return ""
}

// in and notIn compare a field with a list; nothing is said of an empty one.
func (f *falcoFile) in(field, suffix string, values []string) string {
	return f.compare(" and "+field+" in (", suffix, values)
}

func (f *falcoFile) notIn(field, suffix string, values []string) string {
	return f.compare(" and not "+field+" in (", suffix, values)
}

func (f *falcoFile) compare(start, suffix string, values []string) string {
	safe := slices.DeleteFunc(slices.Clone(values), func(v string) bool { _, ok := quote(v); return !ok })
	if len(safe) == 0 {
		return ""
	}
	name := f.id + "_" + suffix
	if !f.has(name) {
		f.list(suffix, values)
	}
	return start + name + ")"
}

// has says whether a list was written.
func (f *falcoFile) has(name string) bool {
	for _, n := range f.lists {
		if n.Content[1].Value == name {
			return true
		}
	}
	return false
}

// paths says that fd.name is in a set of paths, at least one of which is safe:
// the sets of rules hold constants beside what was learned.
func (f *falcoFile) paths(suffix string, p *Paths) string {
	var parts []string
	if len(p.Exact) > 0 {
		parts = append(parts, strings.TrimPrefix(f.in("fd.name", suffix+"_files", p.Exact), " and "))
	}
	dirs := slices.DeleteFunc(slices.Clone(p.Dirs), func(dir string) bool {
		if !globSafe(dir) {
			f.notes = append(f.notes, comment(dir)+" has characters of patterns and is left out")
			return true
		}
		return false
	})
	if in := f.in("fd.name", suffix+"_dirs", dirs); in != "" {
		parts = append(parts, strings.Replace(strings.TrimPrefix(in, " and "), "fd.name in", "fd.name pmatch", 1))
	}
	for _, glob := range p.Globs {
		if q, ok := f.glob(glob); ok {
			parts = append(parts, "fd.name glob "+q)
		}
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return strings.Join(parts, " or ")
}

// glob quotes a pattern whose only special character is meant to be *.
func (f *falcoFile) glob(glob string) (string, bool) {
	q, ok := quote(glob)
	if !ok || !globSafe(strings.ReplaceAll(glob, "*", "")) {
		f.notes = append(f.notes, comment(glob)+" cannot be written as a pattern and is left out")
		return "", false
	}
	return q, true
}

// onFailed is a connect that failed, but for one that is under way: libsinsp keeps
// nothing of its peer but what was asked for.
const onFailed = "evt.failed=true and evt.res != \"EINPROGRESS\""

// connects says that a connection is asked for which was not learned. Port 0 is no
// connection: the C library asks the kernel for a route with it.
func (f *falcoFile) connects(r *Rule) string {
	part := "(evt.type=connect and ((fd.typechar in (4, 6) and fd.sport != 0) or (fd.typechar='u' and fd.name contains \" /\")" +
		" or (" + onFailed + " and ((fd.typechar in (4, 6) and not evt.arg.addr endswith \":0\") or evt.arg.addr startswith \"/\")))"
	if known := f.known(r); known != "" {
		name := f.id + "_peers"
		f.lists = append(f.lists, mapping("macro", text(name), "condition", text(known)))
		part += " and not " + name
	}
	return part + ")"
}

// known says that a peer was learned: of a connection that stands or is under way by
// what the kernel says, of one that failed by what was asked for.
func (f *falcoFile) known(r *Rule) string {
	var stands, asked, texts []string
	open := slices.Clone(r.Ports)
	for from := 0; from < len(r.Peers); {
		port, to := r.Peers[from].Port, from
		for to < len(r.Peers) && r.Peers[to].Port == port {
			to++
		}
		addrs, nets, wide := split(r.Peers[from:to])
		from = to
		if wide {
			f.notes = append(f.notes, fmt.Sprintf("port %d is open to every address: fd.snet takes no networks of IPv6", port))
			open = append(open, port)
			continue
		}
		if len(addrs) > 0 {
			words := make([]string, len(addrs))
			for i, addr := range addrs {
				words[i] = strconv.Quote(addr.String())
				texts = append(texts, askedFor(addr, port)...)
			}
			stands = append(stands, fmt.Sprintf("(fd.sport = %d and fd.sip in (%s))", port, strings.Join(words, ", ")))
		}
		if len(nets) > 0 {
			stands = append(stands, fmt.Sprintf("(fd.sport = %d and fd.snet in (%s))", port, strings.Join(nets, ", ")))
			asked = append(asked, fmt.Sprintf("evt.arg.addr endswith \":%d\"", port))
		}
	}
	slices.Sort(open)
	if len(open) > 0 {
		stands = append([]string{"fd.sport in (" + numbers(open) + ")"}, stands...)
	}
	for _, port := range open {
		asked = append(asked, fmt.Sprintf("evt.arg.addr endswith \":%d\"", port))
	}
	var sockets []string
	for _, path := range r.Allowed.Exact {
		if q, ok := quote(" " + path); ok {
			sockets = append(sockets, "fd.name endswith "+q)
		}
	}
	for _, glob := range r.Allowed.Globs {
		stand, ok := f.glob("* " + glob)
		ask, ok2 := f.glob(glob)
		if ok && ok2 {
			sockets, asked = append(sockets, "fd.name glob "+stand), append(asked, "evt.arg.addr glob "+ask)
		}
	}
	if len(sockets) > 0 {
		stands = append(stands, "(fd.typechar='u' and ("+strings.Join(sockets, " or ")+"))")
	}
	if in := f.in("evt.arg.addr", "asked", append(texts, r.Allowed.Exact...)); in != "" {
		asked = append([]string{strings.TrimPrefix(in, " and ")}, asked...)
	}
	if len(asked) > 0 {
		stands = append(stands, "("+onFailed+" and ("+strings.Join(asked, " or ")+"))")
	}
	return strings.Join(stands, " or ")
}

// split parts peers of one port into addresses and networks as conditions have them;
// wide says that one is a network of IPv6, for which libsinsp 0.29 refuses the file.
func split(peers []Peer) (addrs []netip.Addr, nets []string, wide bool) {
	for i := range peers {
		switch p, ok := peers[i].prefix(); {
		case !ok:
		case p.IsSingleIP():
			addrs = append(addrs, p.Addr())
		case p.Addr().Is6():
			wide = true
		default:
			nets = append(nets, strconv.Quote(p.String()))
		}
	}
	return addrs, nets, wide
}

// askedFor are the forms in which evt.arg.addr may have an address: sockets of IPv6
// ask for those of IPv4 too, and whether there are brackets no two versions agree.
func askedFor(addr netip.Addr, port uint16) []string {
	if addr.Is4() {
		return []string{fmt.Sprintf("%s:%d", addr, port), fmt.Sprintf("::ffff:%s:%d", addr, port)}
	}
	return []string{fmt.Sprintf("%s:%d", addr, port), fmt.Sprintf("[%s]:%d", addr, port)}
}

// privileged says that one of the operations is asked for.
func (f *falcoFile) privileged(names []string) string {
	var calls []string
	var parts []string
	for _, name := range names {
		op := operationNamed(name)
		if op == nil {
			continue
		}
		if op.cond == "" {
			calls = append(calls, op.calls...)
		} else {
			parts = append(parts, "(evt.type in ("+strings.Join(op.calls, ", ")+") and "+op.cond+")")
		}
	}
	if len(calls) > 0 {
		parts = append([]string{"evt.type in (" + strings.Join(calls, ", ") + ")"}, parts...)
	}
	return "(" + strings.Join(parts, " or ") + ")"
}

// found says that an item happens, an alternative for each kind of item.
func (f *falcoFile) found(items []profile.Item) []string {
	byKind := map[string][]string{}
	for _, item := range items {
		byKind[item.Kind] = append(byKind[item.Kind], item.Value)
	}
	var parts []string
	if in := f.in("proc.exepath", "found_programs", byKind[profile.Exec]); in != "" {
		parts = append(parts, "("+onExec+in+")")
	}
	for _, kind := range []string{profile.Read, profile.Write} {
		if len(byKind[kind]) > 0 {
			if paths := f.paths("found_"+kind, foundPaths(byKind[kind])); paths != "" {
				parts = append(parts, "("+onOpen+" and evt.is_open_"+kind+"=true and ("+paths+"))")
			}
		}
	}
	for _, value := range byKind[profile.Connect] {
		if at, ok := profile.ParsePeer(value); ok {
			parts = append(parts, fmt.Sprintf("(evt.type=connect and ((fd.sport = %d and fd.sip = %q) or evt.arg.addr in (\"%s\")))",
				at.Port(), at.Addr(), strings.Join(askedFor(at.Addr(), at.Port()), `", "`)))
		} else if path, ok := strings.CutPrefix(value, "unix:"); ok {
			parts = append(parts, f.foundSockets(foundPaths([]string{path}))...)
		}
	}
	return parts
}

// foundSockets says that a connection to one of some unix sockets is asked for.
func (f *falcoFile) foundSockets(p *Paths) (parts []string) {
	for _, path := range p.Exact {
		stands, ok := quote(" " + path)
		asked, ok2 := quote(path)
		if ok && ok2 {
			parts = append(parts, "(evt.type=connect and fd.typechar='u' and (fd.name endswith "+stands+" or evt.arg.addr = "+asked+"))")
		}
	}
	for _, glob := range p.Globs {
		stands, ok := f.glob("* " + glob)
		asked, ok2 := f.glob(glob)
		if ok && ok2 {
			parts = append(parts, "(evt.type=connect and fd.typechar='u' and (fd.name glob "+stands+" or evt.arg.addr glob "+asked+"))")
		}
	}
	return parts
}

func foundPaths(templates []string) *Paths {
	var p Paths
	for _, path := range templates {
		if strings.Contains(path, "<") {
			p.Globs = append(p.Globs, templateGlobs(path)...)
		} else {
			p.Exact = append(p.Exact, path)
		}
	}
	return &p
}

func numbers(ports []uint16) string {
	words := make([]string, len(ports))
	for i, port := range ports {
		words[i] = fmt.Sprint(port)
	}
	return strings.Join(words, ", ")
}

// when writes nanoseconds since 1970 for people.
func when(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

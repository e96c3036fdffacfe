package rule

import (
	"fmt"
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

// condition returns the condition of a rule and the fields of its output, and
// adds the lists that it needs. An empty condition is a rule that Falco cannot
// say, or has nothing to say.
func (f *falcoFile) condition(r *Rule) (cond, output string) {
	within := " and " + f.id + "_containers"
	switch r.Kind {
	case Program:
		return onExec + within + f.notIn("proc.exepath", "programs", r.Allowed.Exact), "cwd=%proc.cwd"
	case Dropped:
		return onExec + within + " and (proc.is_exe_upper_layer=true or proc.is_exe_from_memfd=true)" +
			f.notIn("proc.exepath", "dropped", r.Allowed.Exact), "cwd=%proc.cwd"
	case Secret:
		return onOpen + " and evt.is_open_read=true" + within + " and (" + f.paths("secret", &r.Denied) + ")", "file=%fd.name"
	case Write:
		return onOpen + " and evt.is_open_write=true" + within + " and not (" + f.paths("write", &r.Allowed) + ")", "file=%fd.name"
	case Connect:
		return "evt.type=connect and fd.typechar in (4, 6) and fd.sport != 0" + within + f.notPeers(r), "connection=%fd.name"
	case Listen:
		cond = "evt.type=listen and fd.typechar in (4, 6)" + within
		if len(r.Ports) > 0 {
			cond += " and not fd.sport in (" + numbers(r.Ports) + ")"
		}
		return cond, "socket=%fd.name"
	case Privilege:
		return f.privileged(r.Operations) + within + f.in("proc.exepath", "programs", r.Allowed.Exact), "args=%evt.args"
	case Found:
		alternatives := f.found(r.Items)
		if len(alternatives) == 0 {
			return "", ""
		}
		return "(" + strings.Join(alternatives, " or ") + ")" + within, "file=%fd.name args=%evt.args"
	}
	return "", ""
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

// notPeers excludes the learned peers, port by port.
func (f *falcoFile) notPeers(r *Rule) string {
	var b strings.Builder
	if len(r.Ports) > 0 {
		b.WriteString(" and not fd.sport in (" + numbers(r.Ports) + ")")
	}
	for from := 0; from < len(r.Peers); {
		to := from
		var addrs, nets []string
		open := false
		for ; to < len(r.Peers) && r.Peers[to].Port == r.Peers[from].Port; to++ {
			switch p, ok := r.Peers[to].prefix(); {
			case !ok:
			case p.IsSingleIP():
				addrs = append(addrs, strconv.Quote(p.Addr().String()))
			case p.Addr().Is6(): // libsinsp 0.29 refuses the whole file for one
				open = true
			default:
				nets = append(nets, strconv.Quote(p.String()))
			}
		}
		port := r.Peers[from].Port
		if open {
			f.notes = append(f.notes, fmt.Sprintf("port %d is open to every address: fd.snet takes no networks of IPv6", port))
			fmt.Fprintf(&b, " and not fd.sport = %d", port)
			from = to
			continue
		}
		if len(addrs) > 0 {
			fmt.Fprintf(&b, " and not (fd.sport = %d and fd.sip in (%s))", port, strings.Join(addrs, ", "))
		}
		if len(nets) > 0 {
			fmt.Fprintf(&b, " and not (fd.sport = %d and fd.snet in (%s))", port, strings.Join(nets, ", "))
		}
		from = to
	}
	return b.String()
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
		if addr, ok := profile.ParsePeer(value); ok {
			parts = append(parts, fmt.Sprintf("(evt.type=connect and fd.sport = %d and fd.sip = %q)", addr.Port(), addr.Addr()))
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

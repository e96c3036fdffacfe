package rule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mayfly/profile"
	"mayfly/trace"
)

// filter is a seccomp profile read from its file, to be run over recorded calls.
type filter struct {
	name     string // of the file
	workload string // that it is for; "": see appliesTo
	raw      filterFile
}

// filterFile is the OCI form and Docker's (moby/profiles, seccomp/seccomp.go).
type filterFile struct {
	DefaultAction string   `json:"defaultAction"`
	DefaultErrno  *uint    `json:"defaultErrnoRet"`
	Architectures []string `json:"architectures"`
	ArchMap       []struct {
		Architecture     string   `json:"architecture"`
		SubArchitectures []string `json:"subArchitectures"`
	} `json:"archMap"`
	Syscalls []filterEntry `json:"syscalls"`
}

type filterEntry struct {
	Name     string            `json:"name"`
	Names    []string          `json:"names"`
	Action   string            `json:"action"`
	Errno    *uint             `json:"errnoRet"`
	Args     []json.RawMessage `json:"args"`
	Includes filterWhen        `json:"includes"`
	Excludes filterWhen        `json:"excludes"`
}

type filterWhen struct {
	Caps      []string `json:"caps"`
	Arches    []string `json:"arches"`
	MinKernel string   `json:"minKernel"`
}

// What an action does with a call.
type ruling uint8

const (
	refuses ruling = iota
	allows
	depends // on the call's arguments, which sequences do not have, or on another process
)

var actions = map[string]ruling{
	"SCMP_ACT_ALLOW": allows, "SCMP_ACT_LOG": allows, "SCMP_ACT_TRACE": depends, "SCMP_ACT_NOTIFY": depends,
	"SCMP_ACT_ERRNO": refuses, "SCMP_ACT_KILL": refuses, "SCMP_ACT_KILL_PROCESS": refuses, "SCMP_ACT_KILL_THREAD": refuses, "SCMP_ACT_TRAP": refuses,
}

// maxFilter bounds a profile's file.
const maxFilter = 4 << 20

// readFilter reads a seccomp profile. Errors name the file.
func readFilter(name string, content []byte) (*filter, error) {
	f := &filter{name: name}
	if len(content) > maxFilter {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", name, len(content), maxFilter)
	}
	dec := json.NewDecoder(bytes.NewReader(content))
	if err := dec.Decode(&f.raw); err != nil {
		return nil, fmt.Errorf("%s: no seccomp profile: %w", name, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: no seccomp profile: more behind its end", name)
	}
	if _, ok := actions[f.raw.DefaultAction]; !ok {
		return nil, fmt.Errorf("%s: no seccomp profile: defaultAction %q", name, f.raw.DefaultAction)
	}
	for i, e := range f.raw.Syscalls {
		if _, ok := actions[e.Action]; !ok {
			return nil, fmt.Errorf("%s: syscalls[%d]: action %q", name, i, e.Action)
		}
		if (e.Name == "") == (len(e.Names) == 0) {
			return nil, fmt.Errorf("%s: syscalls[%d]: want names, or a name", name, i)
		}
	}
	return f, nil
}

// appliesTo says whether the profile is meant for a container: those that mayfly
// writes are named like their workload.
func (f *filter) appliesTo(c *trace.Container) bool {
	base := strings.TrimSuffix(filepath.Base(f.name), ".json")
	return slices.ContainsFunc(profile.NamesOf(c), func(name string) bool {
		return name == f.workload || f.workload == "" && base == FileName(name)
	})
}

// callCheck says what a profile does with calls in a container, by trace.Call.
type callCheck struct {
	native, compat [trace.MaxCall + 1]ruling
	before         map[trace.Call]bool // refused calls that were answered the same when the container was recorded
}

// check makes what the profile is in a container: on a machine, as Go names it, with a kernel.
func (f *filter) check(c *trace.Container, machine, kernel string) *callCheck {
	out := &callCheck{}
	byDefault := actions[f.raw.DefaultAction]
	set := map[trace.Call]bool{}
	for i := range out.native {
		out.native[i] = byDefault
	}
	caps := capabilities(c)
	answers := map[trace.Call]uint{} // of calls that fail
	for _, e := range f.raw.Syscalls {
		if !e.Includes.holds(caps, machine, kernel) || e.Excludes.any(caps, machine, kernel) {
			continue
		}
		action := actions[e.Action]
		for _, name := range append(e.Names, e.Name) {
			n, ok := trace.CallNumber(name)
			switch {
			case !ok || int(n) > trace.MaxCall || set[n]:
			case len(e.Args) == 0:
				out.native[n], set[n] = action, true
				answers[n] = errnoOf(e.Action, e.Errno)
			case action != byDefault:
				out.native[n] = depends
			}
		}
	}
	out.before = f.before(c, caps, func(n trace.Call) uint {
		if set[n] {
			return answers[n]
		}
		return errnoOf(f.raw.DefaultAction, f.raw.DefaultErrno)
	})
	out.compat = out.native
	if !f.compat(machine) {
		out.compat = [trace.MaxCall + 1]ruling{} // none of its calls passes
	}
	return out
}

// before returns the calls that the profile answers as the filter did under which the
// container was recorded: the runtime's own one lets none of adminCalls through to a
// container without the capabilities for them (EPERM), and tells it that clone3 does
// not exist (moby/profiles, seccomp/default_linux.go). answer is what the profile makes
// a call fail with, 0 where it does something else.
func (f *filter) before(c *trace.Container, caps func(string) bool, answer func(trace.Call) uint) map[trace.Call]bool {
	if c.Seccomp != "default" || slices.ContainsFunc(adminCapabilities, caps) {
		return nil
	}
	same := map[trace.Call]bool{}
	for _, name := range append([]string{"clone3"}, adminCalls...) {
		want := uint(errnoPerm)
		if name == "clone3" {
			want = errnoNoSys
		}
		if n, ok := trace.CallNumber(name); ok && answer(n) == want {
			same[n] = true
		}
	}
	return same
}

// adminCapabilities are those that open one of adminCalls.
var adminCapabilities = strings.Fields(`SYS_ADMIN SYS_MODULE SYSLOG BPF PERFMON`)

// errnoOf is what a call fails with under an action: EPERM unless it says another; 0
// where it does not fail, or worse.
func errnoOf(action string, errno *uint) uint {
	switch {
	case action != "SCMP_ACT_ERRNO":
		return 0
	case errno == nil:
		return errnoPerm
	}
	return *errno
}

// compat says whether the profile lets a machine's 32-bit calls reach its list.
func (f *filter) compat(machine string) bool {
	m := machines[machine]
	if len(m.compat) == 0 {
		return false
	}
	own, all := m.native[0], f.raw.Architectures
	for _, a := range f.raw.ArchMap {
		if a.Architecture == own {
			all = append(slices.Clone(all), a.SubArchitectures...)
		}
	}
	return slices.Contains(all, m.compat[0])
}

// dockerCaps are the capabilities that Docker gives unless told otherwise (moby,
// oci/caps/defaults.go).
var dockerCaps = strings.Fields(`CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE`)

// capabilities says which ones a container has, by their names without CAP_.
func capabilities(c *trace.Container) func(name string) bool {
	plain := func(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "CAP_") }
	in := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(l string) bool { return plain(l) == name || plain(l) == "ALL" })
	}
	return func(name string) bool {
		name = plain(name)
		switch {
		case c.Privileged != nil && *c.Privileged || in(c.CapAdd, name):
			return true
		}
		return slices.Contains(dockerCaps, name) && !in(c.CapDrop, name)
	}
}

// holds says that every condition is met.
func (w *filterWhen) holds(caps func(string) bool, machine, kernel string) bool {
	for _, name := range w.Caps {
		if !caps(name) {
			return false
		}
	}
	return (len(w.Arches) == 0 || slices.Contains(w.Arches, machine)) && (w.MinKernel == "" || atLeast(kernel, w.MinKernel))
}

// any says that one of the conditions is met.
func (w *filterWhen) any(caps func(string) bool, machine, kernel string) bool {
	return slices.ContainsFunc(w.Caps, caps) || slices.Contains(w.Arches, machine) || w.MinKernel != "" && atLeast(kernel, w.MinKernel)
}

// atLeast compares the first two numbers of kernel versions.
func atLeast(kernel, least string) bool {
	a, b := version(kernel), version(least)
	return a[0] > b[0] || a[0] == b[0] && a[1] >= b[1]
}

func version(s string) (v [2]int) {
	for i, part := range strings.SplitN(s, ".", 3)[:min(2, strings.Count(s, ".")+1)] {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end >= 0 {
			part = part[:end]
		}
		v[i], _ = strconv.Atoi(part)
	}
	return v
}

package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mayfly/profile"
)

// ArgFilter narrows a call that is allowed: it is allowed only when one of its
// arguments has one of some values. A call may have one filter.
type ArgFilter struct {
	Call   string
	Index  uint     // of the argument, from 0
	Values []uint64 // any of them, sorted
	Mask   uint64   // the bits that are compared; 0 for all
	Why    string
}

// namespaceFlags are the CLONE_NEW* flags of clone(2), as Docker's own profile
// masks them; unshare(2) has NEWTIME too.
const (
	namespaceFlags = 0x7e020000
	newTime        = 0x80
)

var namespaceFlag = map[string]uint64{"NEWTIME": newTime, "NEWNS": 0x20000, "NEWCGROUP": 0x2000000, "NEWUTS": 0x4000000,
	"NEWIPC": 0x8000000, "NEWUSER": 0x10000000, "NEWPID": 0x20000000, "NEWNET": 0x40000000}

// families by the names that items have (include/linux/socket.h).
var families = map[string]uint64{"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "can": 29, "tipc": 30,
	"bluetooth": 31, "alg": 38, "vsock": 40, "xdp": 44}

// plainFamilies need no event to be in use: a datagram is sent without a name or
// a peer, and the C library asks the kernel for routes.
var plainFamilies = []string{"unix", "inet", "inet6", "netlink"}

// narrow adds the filters that the recording can stand for. A call whose
// arguments no event shows, and any call of a recording with losses, keeps all.
func (c *CallSet) narrow(w *profile.Workload) {
	own := confined(w)
	if c.Allows("clone") && (own || w.Lost == 0) {
		made := namespacesMade(w, "clone:")
		c.Filters = append(c.Filters, ArgFilter{"clone", 0, []uint64{0}, namespaceFlags &^ made, madeOf("makes threads and processes", made)})
		c.NoClone3 = c.Allows("clone3") && made == 0
	}
	if c.Allows("unshare") && w.Lost == 0 {
		made := namespacesMade(w, "unshare:")
		c.Filters = append(c.Filters, ArgFilter{"unshare", 0, []uint64{0}, (namespaceFlags | newTime) &^ made, madeOf("shares less", made)})
	}
	if cmds := numbersOf(w, "bpf:"); len(cmds) > 0 && c.Allows("bpf") && w.Lost == 0 {
		c.Filters = append(c.Filters, ArgFilter{Call: "bpf", Values: cmds, Why: "the commands that were recorded"})
	}
	if used, names := familiesUsed(w); used != nil && c.Allows("socket") {
		c.Filters = append(c.Filters, ArgFilter{Call: "socket", Values: used, Why: "of the families " + strings.Join(names, ", ")})
	}
	if c.Allows("personality") && own && w.Declared != nil && !slices.Contains(w.Declared.Seccomp, "unconfined") {
		c.Filters = append(c.Filters, ArgFilter{Call: "personality", Values: []uint64{0, 8, 0x20000, 0x20008, 0xffffffff},
			Why: "as the runtimes' own profile has it, under which it was recorded"})
	}
	if _, recorded := slices.BinarySearch(c.Recorded, "ioctl"); !recorded && c.Allows("ioctl") {
		c.Filters = append(c.Filters, ArgFilter{Call: "ioctl", Index: 1, Values: terminalCommands, Why: "was not recorded; with docker run -t a program asks for its terminal"})
	}
	slices.SortFunc(c.Filters, func(a, b ArgFilter) int { return strings.Compare(a.Call, b.Call) })
}

// terminalCommands read and set a terminal's modes, size and group, and what a
// program asks of any descriptor (asm-generic/ioctls.h). TIOCSTI, which types for
// the user, is none of them.
var terminalCommands = []uint64{
	0x5401, 0x5402, 0x5403, 0x5404, // TCGETS, TCSETS, TCSETSW, TCSETSF
	0x540f, 0x5410, 0x5413, 0x5414, // TIOCGPGRP, TIOCSPGRP, TIOCGWINSZ, TIOCSWINSZ
	0x541b, 0x5421, 0x5450, 0x5451, // FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
}

// namespacesMade returns the CLONE_NEW* flags of the items with a prefix.
func namespacesMade(w *profile.Workload, prefix string) (flags uint64) {
	for _, e := range w.Kind(profile.Priv) {
		if name, ok := strings.CutPrefix(e.Item.Value, prefix); ok {
			flags |= namespaceFlag[name]
		}
	}
	return flags
}

func madeOf(what string, flags uint64) string {
	var names []string
	for name, flag := range namespaceFlag {
		if flags&flag != 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return what + ", never a namespace"
	}
	slices.Sort(names)
	return what + ", and of namespaces only " + strings.Join(names, ", ")
}

// numbersOf returns the numbers behind a prefix of privileged operations.
func numbersOf(w *profile.Workload, prefix string) (out []uint64) {
	for _, e := range w.Kind(profile.Priv) {
		if text, ok := strings.CutPrefix(e.Item.Value, prefix); ok {
			if n, err := strconv.ParseUint(text, 10, 32); err == nil {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return out
}

// familiesUsed returns the families of sockets that a workload may make: those of
// its events and the plain ones. It is nil when the recording cannot say: events
// were lost or left out, or calls that name a socket were recorded and their
// events were not.
func familiesUsed(w *profile.Workload) (numbers []uint64, names []string) {
	if w.Lost > 0 || w.Has(profile.NewItem(profile.Call, "socketcall")) {
		return nil, nil
	}
	names = slices.Clone(plainFamilies)
	for _, source := range []struct{ kind, call string }{{profile.Bind, "bind"}, {profile.Connect, "connect"}, {profile.Listen, "listen"}, {profile.Accept, "accept"}} {
		entries := w.Kind(source.kind)
		if w.OverflowOf(source.kind) > 0 || len(entries) == 0 && w.Has(profile.NewItem(profile.Call, source.call)) {
			return nil, nil
		}
		for _, e := range entries {
			family, _, _ := strings.Cut(e.Item.Value, ":")
			names = append(names, family)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		n, ok := families[name]
		if !ok {
			var err error
			if n, err = strconv.ParseUint(name, 10, 16); err != nil {
				return nil, nil // a source with names of its own
			}
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, names
}

// seccompArg is one condition on an argument, as OCI has it.
type seccompArg struct {
	Index    uint   `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo"`
	Op       string `json:"op"`
}

// entries writes a filter: an entry for each value, since the conditions of one
// entry must all hold.
func (f *ArgFilter) entries() (out []seccompCalls) {
	for i, value := range f.Values {
		arg := seccompArg{f.Index, value, 0, "SCMP_CMP_EQ"}
		if f.Mask != 0 {
			arg = seccompArg{f.Index, f.Mask, value, "SCMP_CMP_MASKED_EQ"}
		}
		e := seccompCalls{Names: []string{f.Call}, Action: "SCMP_ACT_ALLOW", Args: []seccompArg{arg}}
		if i == 0 {
			e.Comment = fmt.Sprintf("%s %s", f.Call, f.Why)
		}
		out = append(out, e)
	}
	return out
}

package falco

import (
	"strings"

	"mayfly/trace"
)

// eventTypes are Falco's names (evt.type) of each kind of event. A trace does not
// tell the types of one kind apart; those that only old machines have, or that do
// what no rule asks for, are left out.
var eventTypes = map[trace.Kind][]string{
	trace.Exec:        {"execve", "execveat"},
	trace.Exit:        {"procexit"},
	trace.Fork:        {"clone", "clone3", "fork", "vfork"},
	trace.FileOpen:    {"open", "openat", "openat2"},
	trace.Unlink:      {"unlink", "unlinkat", "rmdir"},
	trace.Rename:      {"rename", "renameat", "renameat2"},
	trace.Link:        {"link", "linkat", "symlink", "symlinkat"},
	trace.Chmod:       {"chmod", "fchmod", "fchmodat"},
	trace.Chown:       {"chown", "fchown", "fchownat", "lchown"},
	trace.Connect:     {"connect"},
	trace.Bind:        {"bind"},
	trace.Listen:      {"listen"},
	trace.Accept:      {"accept", "accept4"},
	trace.SetUID:      {"setuid", "setresuid"},
	trace.SetGID:      {"setgid", "setresgid"},
	trace.CapSet:      {"capset"},
	trace.Mount:       {"mount"},
	trace.Umount:      {"umount", "umount2"},
	trace.Ptrace:      {"ptrace"},
	trace.ModuleLoad:  {"init_module", "finit_module"},
	trace.BPF:         {"bpf"},
	trace.MemfdCreate: {"memfd_create"},
	trace.Unshare:     {"unshare"},
	trace.Setns:       {"setns"},
}

// folded are types that a trace records as another: rules on them alone cannot
// be tried.
var folded = map[string]string{
	"creat": "open", "open_by_handle_at": "open", "fchmodat2": "chmod", "setreuid": "setuid", "setfsuid": "setuid",
	"setregid": "setgid", "setfsgid": "setgid", "move_mount": "mount",
}

// recordedTypes are the types of all kinds.
var recordedTypes = func() map[string]trace.Kind {
	all := map[string]trace.Kind{}
	for kind, types := range eventTypes {
		for _, name := range types {
			all[name] = kind
		}
	}
	return all
}()

// state says whether a field has a value.
type state uint8

const (
	has     state = iota
	null          // Falco has none either: the comparison is false
	missing       // the trace does not know it
)

// Open flags: the first are the same on every machine that mayfly records.
const (
	openAccess    = 0x3
	openWriteOnly = 0x1
	openReadWrite = 0x2
	openCreate    = 0x40
	openExclusive = 0x80
)

func (e *event) directory() bool {
	flags, _ := e.flags()
	if e.isARM() {
		return flags&0x4000 != 0
	}
	return flags&0x10000 != 0
}

func (e *event) isOpen() bool { return e.kind == trace.FileOpen }

// socket says whether the event is one of a socket, and has its family.
func (e *event) socket() bool {
	switch e.kind {
	case trace.Connect, trace.Bind, trace.Listen, trace.Accept:
		return true
	}
	return false
}

func (e *event) internet() bool { return e.socket() && strings.HasPrefix(e.family(), "inet") }

// failed says whether the call failed; unknown when its result is not recorded.
func (e *event) failed() truth {
	ret, ok := e.ret()
	if !ok {
		return unknown
	}
	return truthOf(ret < 0)
}

// recorded is a value of the trace, in which nothing stands for not known.
func recorded(s string) (string, state) {
	if s == "" {
		return "", missing
	}
	return s, has
}

func known(n int64, ok bool) (int64, state) {
	if !ok {
		return 0, missing
	}
	return n, has
}

func truthNumber(b bool) (int64, state) {
	if b {
		return 1, has
	}
	return 0, has
}

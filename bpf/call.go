package bpf

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// Kind is what an event record is, numbered as enum kind of mayfly.h, which has
// the order of trace.Kinds.
type Kind uint16

// The kinds of event record.
const (
	Exec Kind = iota + 1
	Exit
	Fork
	Open
	Unlink
	Rename
	Link
	Chmod
	Chown
	Connect
	Bind
	Listen
	Accept
	SetUID
	SetGID
	CapSet
	Mount
	Umount
	Ptrace
	ModuleLoad
	BPF
	MemfdCreate
	Unshare
	Setns
)

// Options of a call: enum OPTION_* of mayfly.h.
const (
	optionHow    = 1
	optionArgv   = 2
	optionFstype = 3
	optionText   = 4
	optionSocket = 5
)

// What the end of a call asks for: enum special of mayfly.h.
const (
	specialEvent = 1
	specialFork  = 2
	specialExec  = 3
)

// tableSize is CALLS of mayfly.h: numbers from there on are of no call.
const tableSize = 512

// call is a system call that becomes an event, and, as 1 to 6, which argument
// is what.
type call struct {
	name string
	args MayflyCall
}

// calls lists the system calls that become events; a machine may lack some.
var calls = []call{
	{name: "open", args: MayflyCall{Kind: uint8(Open), Path: 1, Flags: 2, Mode: 3}},
	{name: "openat", args: MayflyCall{Kind: uint8(Open), Dir: 1, Path: 2, Flags: 3, Mode: 4}},
	{name: "openat2", args: MayflyCall{Kind: uint8(Open), Dir: 1, Path: 2, Option: optionHow}},
	{name: "creat", args: MayflyCall{Kind: uint8(Open), Path: 1, Mode: 2}},
	{name: "open_by_handle_at", args: MayflyCall{Kind: uint8(Open), Flags: 3}},

	{name: "execve", args: MayflyCall{Kind: uint8(Exec), Path: 1, Arg: 2, Option: optionArgv}},
	{name: "execveat", args: MayflyCall{Kind: uint8(Exec), Dir: 1, Path: 2, Arg: 3, Flags: 5, Option: optionArgv}},

	{name: "unlink", args: MayflyCall{Kind: uint8(Unlink), Path: 1}},
	{name: "unlinkat", args: MayflyCall{Kind: uint8(Unlink), Dir: 1, Path: 2, Flags: 3}},
	{name: "rmdir", args: MayflyCall{Kind: uint8(Unlink), Path: 1}},
	{name: "rename", args: MayflyCall{Kind: uint8(Rename), Path: 1, Path2: 2}},
	{name: "renameat", args: MayflyCall{Kind: uint8(Rename), Dir: 1, Path: 2, Dir2: 3, Path2: 4}},
	{name: "renameat2", args: MayflyCall{Kind: uint8(Rename), Dir: 1, Path: 2, Dir2: 3, Path2: 4, Flags: 5}},
	{name: "link", args: MayflyCall{Kind: uint8(Link), Path: 1, Path2: 2}},
	{name: "linkat", args: MayflyCall{Kind: uint8(Link), Dir: 1, Path: 2, Dir2: 3, Path2: 4, Flags: 5}},
	{name: "symlink", args: MayflyCall{Kind: uint8(Link), Path: 1, Path2: 2}},
	{name: "symlinkat", args: MayflyCall{Kind: uint8(Link), Path: 1, Dir2: 2, Path2: 3}},
	{name: "chmod", args: MayflyCall{Kind: uint8(Chmod), Path: 1, Mode: 2}},
	{name: "fchmod", args: MayflyCall{Kind: uint8(Chmod), Fd: 1, Mode: 2}},
	{name: "fchmodat", args: MayflyCall{Kind: uint8(Chmod), Dir: 1, Path: 2, Mode: 3}},
	{name: "fchmodat2", args: MayflyCall{Kind: uint8(Chmod), Dir: 1, Path: 2, Mode: 3, Flags: 4}},
	{name: "chown", args: MayflyCall{Kind: uint8(Chown), Path: 1, Arg: 2, Mode: 3}},
	{name: "lchown", args: MayflyCall{Kind: uint8(Chown), Path: 1, Arg: 2, Mode: 3}},
	{name: "fchown", args: MayflyCall{Kind: uint8(Chown), Fd: 1, Arg: 2, Mode: 3}},
	{name: "fchownat", args: MayflyCall{Kind: uint8(Chown), Dir: 1, Path: 2, Arg: 3, Mode: 4, Flags: 5}},

	{name: "mount", args: MayflyCall{Kind: uint8(Mount), Path: 1, Path2: 2, Flags: 4, Option: optionFstype}},
	{name: "move_mount", args: MayflyCall{Kind: uint8(Mount), Dir: 1, Path: 2, Dir2: 3, Path2: 4}},
	{name: "umount2", args: MayflyCall{Kind: uint8(Umount), Path: 1, Flags: 2}},
	{name: "ptrace", args: MayflyCall{Kind: uint8(Ptrace), Arg: 1, Target: 2}},
	{name: "init_module", args: MayflyCall{Kind: uint8(ModuleLoad)}},
	{name: "finit_module", args: MayflyCall{Kind: uint8(ModuleLoad), Fd: 1, Flags: 3}},
	{name: "bpf", args: MayflyCall{Kind: uint8(BPF), Arg: 1}},
	{name: "memfd_create", args: MayflyCall{Kind: uint8(MemfdCreate), Path: 1, Flags: 2, Option: optionText}},
	{name: "unshare", args: MayflyCall{Kind: uint8(Unshare), Flags: 1}},
	{name: "setns", args: MayflyCall{Kind: uint8(Setns), Flags: 2}},

	{name: "connect", args: MayflyCall{Kind: uint8(Connect), Option: optionSocket}},
	{name: "bind", args: MayflyCall{Kind: uint8(Bind), Option: optionSocket}},
	{name: "listen", args: MayflyCall{Kind: uint8(Listen), Option: optionSocket}},
	{name: "accept", args: MayflyCall{Kind: uint8(Accept), Option: optionSocket}},
	{name: "accept4", args: MayflyCall{Kind: uint8(Accept), Option: optionSocket}},

	{name: "setuid", args: MayflyCall{Kind: uint8(SetUID)}},
	{name: "setreuid", args: MayflyCall{Kind: uint8(SetUID)}},
	{name: "setresuid", args: MayflyCall{Kind: uint8(SetUID)}},
	{name: "setfsuid", args: MayflyCall{Kind: uint8(SetUID)}},
	{name: "setgid", args: MayflyCall{Kind: uint8(SetGID)}},
	{name: "setregid", args: MayflyCall{Kind: uint8(SetGID)}},
	{name: "setresgid", args: MayflyCall{Kind: uint8(SetGID)}},
	{name: "setfsgid", args: MayflyCall{Kind: uint8(SetGID)}},
	{name: "capset", args: MayflyCall{Kind: uint8(CapSet)}},
}

// special says what the end of a call asks for, by number: enum special of mayfly.h.
func special(m *arch.Info) (table [tableSize]uint8) {
	for _, c := range calls {
		if n, ok := m.SyscallNames[c.name]; ok {
			table[n] = specialEvent
		}
	}
	for name, what := range map[string]uint8{
		"execve": specialExec, "execveat": specialExec,
		"fork": specialFork, "vfork": specialFork, "clone": specialFork, "clone3": specialFork,
	} {
		if n, ok := m.SyscallNames[name]; ok {
			table[n] = what
		}
	}
	return table
}

// machines are those that objects are built for, narrow their 32-bit tables.
var (
	machines = map[string]*arch.Info{"amd64": arch.X86_64, "arm64": arch.AARCH64}
	narrow   = map[string]*arch.Info{"amd64": arch.I386, "arm64": arch.ARM}
)

// arguments says how to read the calls of a machine, by number: this machine's,
// and from tableSize on those of its 32-bit table. There some calls have a second
// number, with wider users and groups.
func arguments(m, narrow *arch.Info) (table [2 * tableSize]MayflyCall) {
	for _, c := range calls {
		if n, ok := m.SyscallNames[c.name]; ok && n < tableSize {
			table[n] = c.args
		}
		for _, name := range []string{c.name, c.name + "32"} {
			if n, ok := narrow.SyscallNames[name]; ok && n < tableSize {
				table[tableSize+n] = c.args
			}
		}
	}
	if n, ok := narrow.SyscallNames["socketcall"]; ok {
		table[tableSize+n] = MayflyCall{Option: optionSocket}
	}
	return table
}

// thisMachine fails on a machine that no object is built for.
func thisMachine() (*arch.Info, error) {
	info, ok := machines[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("machine %s: the recorder is built for amd64 and arm64 only", runtime.GOARCH)
	}
	return info, nil
}

// CallName returns the name of this machine's system call of a number, or of its
// 32-bit table's; "" where there is none.
func CallName(n uint16, compat bool) string {
	names := callNames()
	table := 0
	if compat {
		table = 1
	}
	if int(n) >= len(names[table]) {
		return ""
	}
	return names[table][n]
}

// callNames are the names of the calls of both tables, by number.
var callNames = sync.OnceValue(func() *[2][tableSize]string {
	names := &[2][tableSize]string{}
	machine, err := thisMachine()
	if err != nil {
		return names
	}
	for table, info := range []*arch.Info{machine, narrow[runtime.GOARCH]} {
		for n := range names[table] {
			names[table][n] = info.SyscallNumbers[n]
		}
	}
	return names
})

// How a call came: enum via of mayfly.h.
const (
	ViaCall    = 0
	ViaCompat  = 1
	ViaIOUring = 2
)

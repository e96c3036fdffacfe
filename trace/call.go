package trace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// Call numbers a system call the same way whatever machine recorded it: the
// number of x86-64 where that has the call. Windows, vocabularies and profiles
// hold Calls; only a trace's sequences hold the recording machine's own numbers.
type Call = uint16

// MaxCall is the highest Call: ten bits, so that three fit a uint32.
const MaxCall = 1<<10 - 1

// UnknownCall stands for a number that no table here knows.
const UnknownCall Call = MaxCall

// Calls that x86-64 has no number for, and steps that some recorders count like
// calls, have numbers from firstExtra on, in the order of extraCalls.
const firstExtra = 600

// Numbers from firstShared on mean the same call on every machine (Linux 5.1),
// those that came after this table was made included.
const firstShared = 424

// extraCalls is append-only: positions are on disk in detectors and features.
var extraCalls = []string{
	// Seen in public datasets: sysdig's names for what is not a call of x86-64.
	"procexit", "switch", "signaldeliver", "sigreturn", "prlimit", "pread", "pwrite",
	"preadv", "pwritev",
	// Of 32-bit tables (i386, arm).
	"waitpid", "oldstat", "oldfstat", "oldlstat", "stime", "mknod32", "nice", "break",
	"stty", "gtty", "ftime", "prof", "signal", "lock", "mpx", "ulimit", "oldolduname",
	"sigaction", "sgetmask", "ssetmask", "sigsuspend", "sigpending", "oldlstat32",
	"oldgetrlimit", "readdir", "socketcall", "olduname", "idle", "vm86old", "ipc",
	"sigprocmask", "bdflush", "_llseek", "_newselect", "vm86", "ugetrlimit", "mmap2",
	"truncate64", "ftruncate64", "stat64", "lstat64", "fstat64", "lchown32", "getuid32",
	"getgid32", "geteuid32", "getegid32", "setreuid32", "setregid32", "getgroups32",
	"setgroups32", "fchown32", "setresuid32", "getresuid32", "setresgid32", "getresgid32",
	"chown32", "setuid32", "setgid32", "setfsuid32", "setfsgid32", "fcntl64", "sendfile64",
	"statfs64", "fstatfs64", "fadvise64_64", "fstatat64", "umount", "arm_fadvise64_64",
	"profil", "send", "recv", "pciconfig_iobase", "pciconfig_read", "pciconfig_write",
	"arm_sync_file_range", "breakpoint", "cacheflush", "usr26", "usr32", "set_tls", "get_tls",
	"clock_gettime64", "clock_settime64", "clock_adjtime64", "clock_getres_time64",
	"clock_nanosleep_time64", "timer_gettime64", "timer_settime64", "timerfd_gettime64",
	"timerfd_settime64", "utimensat_time64", "pselect6_time64", "ppoll_time64",
	"io_pgetevents_time64", "recvmmsg_time64", "mq_timedsend_time64", "mq_timedreceive_time64",
	"semtimedop_time64", "rt_sigtimedwait_time64", "futex_time64", "sched_rr_get_interval_time64",
}

// callAliases are names of other tables for calls that x86-64 has.
var callAliases = map[string]string{"fstatat": "newfstatat"} // arm64

var (
	callNames   = map[Call]string{}
	callNumbers = map[string]Call{}
)

func init() {
	for n, name := range arch.X86_64.SyscallNumbers {
		if name != "" && n < firstExtra {
			callNames[Call(n)] = name
			callNumbers[name] = Call(n)
		}
	}
	for i, name := range extraCalls {
		if _, ok := callNumbers[name]; ok {
			continue
		}
		callNames[Call(firstExtra+i)] = name
		callNumbers[name] = Call(firstExtra + i)
	}
	for alias, name := range callAliases {
		callNumbers[alias] = callNumbers[name]
	}
	callNames[UnknownCall] = "unknown"
	callNumbers["unknown"] = UnknownCall
}

// CallName returns the name of a call, or "call_N" where it has none.
func CallName(c Call) string {
	if name, ok := callNames[c]; ok {
		return name
	}
	return fmt.Sprintf("call_%d", c)
}

// CallNumber returns the call of a name, as CallName wrote it or as another
// machine's table has it; false when no such call is known.
func CallNumber(name string) (Call, bool) {
	if c, ok := callNumbers[name]; ok {
		return c, true
	}
	if rest, ok := strings.CutPrefix(name, "call_"); ok {
		if n, err := strconv.ParseUint(rest, 10, 16); err == nil && n <= MaxCall {
			return Call(n), true
		}
	}
	return 0, false
}

// CallTable translates the numbers of one machine into Calls. It is read-only
// once made and safe for concurrent use.
type CallTable struct{ native, compat []Call }

// machines are the tables of each machine, its own and its 32-bit one.
var machines = map[string][2]*arch.Info{
	"amd64": {arch.X86_64, arch.I386},
	"arm64": {arch.AARCH64, arch.ARM},
	"386":   {arch.I386, arch.I386},
	"arm":   {arch.ARM, arch.ARM},
}

// NewCallTable returns the table of a machine, named as GOARCH names it
// (amd64, arm64, 386, arm).
func NewCallTable(goarch string) (*CallTable, error) {
	pair, ok := machines[goarch]
	if !ok {
		return nil, fmt.Errorf("machine %q: no table of system calls", goarch)
	}
	return &CallTable{native: translate(pair[0]), compat: translate(pair[1])}, nil
}

// Call translates one number of a sequence, CompatCall included. A number that
// the table does not know is UnknownCall, or itself where it is one that all
// machines share.
func (t *CallTable) Call(n uint16) Call {
	table := t.native
	if n&CompatCall != 0 {
		n &^= CompatCall
		table = t.compat
	}
	if int(n) < len(table) {
		return table[n]
	}
	return UnknownCall
}

// translate returns the Call of each number below firstExtra. No machine here
// has higher ones, but for those of arm's own (0xf0001 …), which do not fit a
// sequence.
func translate(info *arch.Info) []Call {
	table := make([]Call, firstExtra)
	for n := range table {
		table[n] = UnknownCall
		if c, ok := callNumbers[info.SyscallNumbers[n]]; ok {
			table[n] = c
		} else if n >= firstShared {
			table[n] = Call(n)
		}
	}
	return table
}

// CallOn returns the number that a sequence of a machine (as GOARCH names it) has
// for the call that the machine's own table, or its 32-bit one (then with
// CompatCall), gives a name; false where neither has it.
func CallOn(goarch, name string) (uint16, bool) {
	infos, ok := machines[goarch]
	if !ok {
		return 0, false
	}
	if n, ok := infos[0].SyscallNames[name]; ok && n < firstExtra {
		return uint16(n), true
	}
	if n, ok := infos[1].SyscallNames[name]; ok && n < firstExtra {
		return uint16(n) | CompatCall, true
	}
	return 0, false
}

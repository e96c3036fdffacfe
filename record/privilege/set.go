package privilege

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Set is a set of capabilities: bit n is capability n of linux/capability.h.
type Set uint64

// Of returns the set of some capabilities, as unix.CAP_BPF.
func Of(bits ...int) (s Set) {
	for _, b := range bits {
		s |= 1 << b
	}
	return s
}

// Has says whether a capability is in the set.
func (s Set) Has(bit int) bool { return s&(1<<bit) != 0 }

var names = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
	LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
	SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
	AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
	CHECKPOINT_RESTORE`)

// String names the capabilities: "CAP_PERFMON CAP_BPF", or "none".
func (s Set) String() string {
	var out []string
	for bit := range 64 {
		switch {
		case !s.Has(bit):
		case bit < len(names):
			out = append(out, "CAP_"+names[bit])
		default:
			out = append(out, "CAP_"+strconv.Itoa(bit))
		}
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, " ")
}

// State is what one thread may do, as /proc/PID/task/TID/status has it.
type State struct {
	Inheritable, Permitted, Effective, Bounding, Ambient Set

	NoNewPrivs bool
	Seccomp    int // 0 off, 1 strict, 2 a filter
}

// Current returns the state of the calling thread; any thread's, when the
// goroutine is not locked to one.
func Current() (State, error) { return readState("/proc/thread-self/status") }

func readState(path string) (s State, err error) {
	status, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	return parseState(string(status))
}

// parseState reads a status file; lines that an old kernel does not have are 0.
func parseState(status string) (s State, err error) {
	found := 0
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		set := map[string]*Set{"CapInh": &s.Inheritable, "CapPrm": &s.Permitted, "CapEff": &s.Effective,
			"CapBnd": &s.Bounding, "CapAmb": &s.Ambient}[key]
		var n uint64
		switch {
		case set != nil:
			n, err = strconv.ParseUint(value, 16, 64)
			*set = Set(n)
			found++
		case key == "NoNewPrivs":
			s.NoNewPrivs = value == "1"
		case key == "Seccomp":
			s.Seccomp, err = strconv.Atoi(value)
		}
		if err != nil {
			return s, fmt.Errorf("line %q: %w", key, err)
		}
	}
	if found < 4 {
		return s, fmt.Errorf("status: names %d sets of capabilities, want 5", found)
	}
	return s, nil
}

// set gives the calling thread its capabilities (capset(2)).
func set(permitted, effective, inheritable Set) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := capData(permitted, effective, inheritable)
	return unix.Capset(&header, &data[0])
}

func capData(permitted, effective, inheritable Set) (data [2]unix.CapUserData) {
	for i := range data {
		shift := 32 * i
		data[i] = unix.CapUserData{Permitted: uint32(permitted >> shift), Effective: uint32(effective >> shift),
			Inheritable: uint32(inheritable >> shift)}
	}
	return data
}

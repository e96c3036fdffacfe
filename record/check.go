package record

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"mayfly/bpf"
	"mayfly/record/privilege"
)

// ErrCannotRecord is matched by errors that say that this machine, or this
// user on it, cannot record, and what to do about it.
var ErrCannotRecord = errors.New("cannot record here")

func cannot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCannotRecord, fmt.Sprintf(format, args...))
}

// Check says whether this process can record here; the error names all that is
// missing and what to do about it, on one line.
func Check() error {
	state, err := privilege.Current()
	if err != nil {
		return cannot("capabilities of this process are not known: %s; mount /proc", err)
	}
	if lacks := missing(state.Effective, kernelRelease(), memlock()); len(lacks) > 0 {
		return cannot("%s; run it as root, or give it %s (systemd: AmbientCapabilities=, Docker: --cap-add)",
			strings.Join(lacks, ", "), needs(kernelRelease(), memlock()))
	}
	if ids, err := os.ReadFile("/proc/self/uid_map"); err == nil && strings.Join(strings.Fields(string(ids)), " ") != "0 0 4294967295" {
		return cannot("this is a user namespace, in which no capability counts for BPF; run it in the host's")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return cannot("the kernel has no type information (/sys/kernel/btf/vmlinux); use a kernel built with CONFIG_DEBUG_INFO_BTF=y")
	}
	return nil
}

// lacking names what a kernel lacks that nothing can be recorded without, and what for.
func lacking(list []bpf.Feature) (lacks []string) {
	for _, f := range list {
		if f.Must && !f.OK {
			lacks = append(lacks, fmt.Sprintf("%s (%s; it is needed %s)", f.Name, strings.Join(strings.Fields(f.Detail), " "), f.Needed))
		}
	}
	return lacks
}

// load puts the programs into the kernel. Where it does not take them for want of
// something, the error says of what.
func load(opts bpf.Options) (*bpf.Probes, error) {
	probes, err := bpf.Load(opts)
	if err == nil {
		return probes, nil
	}
	list, _ := bpf.Features() // the error is Load's too
	if lacks := lacking(list); len(lacks) > 0 {
		return nil, cannot("Linux %s lacks %s", kernelRelease(), strings.Join(lacks, ", "))
	}
	return nil, err
}

// needs are the capabilities to load and attach, on a kernel, by a process whose
// locked memory is limited to so many bytes.
func needs(release string, memlock uint64) privilege.Set {
	set := privilege.Of(unix.CAP_BPF, unix.CAP_PERFMON)
	if older(release, 5, 8) {
		set = privilege.Of(unix.CAP_SYS_ADMIN)
	}
	// Before 5.11 maps are locked memory of the process.
	if older(release, 5, 11) && memlock < 1<<28 {
		set |= privilege.Of(unix.CAP_SYS_RESOURCE)
	}
	return set
}

var reasons = map[int]string{
	unix.CAP_BPF: "to load programs", unix.CAP_PERFMON: "to read kernel memory from them",
	unix.CAP_SYS_ADMIN: "to load programs, on a kernel before 5.8", unix.CAP_SYS_RESOURCE: "to lock memory for maps, on a kernel before 5.11",
}

// missing names what a process with these capabilities lacks, and for what.
func missing(have privilege.Set, release string, memlock uint64) (lacks []string) {
	need := needs(release, memlock)
	for bit := range 64 {
		admin := (bit == unix.CAP_BPF || bit == unix.CAP_PERFMON) && have.Has(unix.CAP_SYS_ADMIN)
		if need.Has(bit) && !have.Has(bit) && !admin {
			lacks = append(lacks, fmt.Sprintf("%s is missing (%s)", privilege.Of(bit), reasons[bit]))
		}
	}
	return lacks
}

// older says whether a kernel release, as 6.1.0-9-amd64, is before a version. One
// that cannot be read is not.
func older(release string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(release, "%d.%d", &a, &b); n < 2 {
		return false
	}
	return a < major || a == major && b < minor
}

func memlock() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return 0
	}
	return limit.Max
}

// kernelRelease is the running kernel's, as uname -r prints it.
func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

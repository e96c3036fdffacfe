package record

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"mayfly/bpf"
	"mayfly/record/privilege"
	"mayfly/record/runtimes"
)

// Level says how much a Finding matters.
type Level string

// Levels, from good to bad.
const (
	LevelOK      Level = "ok"
	LevelNote    Level = "note"    // worth knowing; or it could not be seen, for lack of privilege
	LevelPartial Level = "partial" // something will be missing from a recording
	LevelFail    Level = "fail"    // nothing can be recorded
)

// Finding is what one look at this host found.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Says  string `json:"says"`
	Fix   string `json:"fix,omitempty"` // what to do about it
}

// DoctorOptions say what to look at besides the host itself.
type DoctorOptions struct {
	Dir      string            // trace directory that is to be written into; "" is none
	Runtimes []runtimes.Source // to be asked; nil: those at the usual sockets
}

// Examine looks at what this host and this process support, in the order in which
// a recording would meet it. It changes nothing, and works without privileges: what
// it then cannot see it says. It ends early with ctx.
func Examine(ctx context.Context, opts DoctorOptions) (found []Finding) {
	for _, look := range []func(context.Context, DoctorOptions) []Finding{
		lookAtKernel, lookAtCapabilities, lookAtFeatures, lookAtSettings, lookAtNamespaces,
		lookAtCgroups, lookAtRuntimes, lookAtDirectory, lookAtClock, lookAtLimits, lookAtOthers,
	} {
		if ctx.Err() != nil {
			return found
		}
		found = append(found, look(ctx, opts)...)
	}
	return found
}

// Worst is the worst level of findings.
func Worst(found []Finding) (worst Level) {
	rank := map[Level]int{LevelOK: 1, LevelNote: 2, LevelPartial: 3, LevelFail: 4}
	for _, f := range found {
		if rank[f.Level] > rank[worst] {
			worst = f.Level
		}
	}
	return worst
}

func lookAtKernel(context.Context, DoctorOptions) []Finding {
	release := kernelRelease()
	says := fmt.Sprintf("Linux %s on %s", release, runtime.GOARCH)
	if older(release, 5, 8) {
		return []Finding{{"kernel", LevelFail, says, "run Linux 5.8 or later"}}
	}
	f := Finding{"kernel", LevelOK, says, ""}
	if runtime.GOARCH != "amd64" {
		f.Level, f.Fix = LevelNote, "recording was never tried on this kind of machine; hold a first trace against what you know ran"
	}
	return []Finding{f}
}

func lookAtCapabilities(context.Context, DoctorOptions) (found []Finding) {
	state, err := privilege.Current()
	if err != nil {
		return []Finding{{"capabilities", LevelFail, err.Error(), "mount /proc"}}
	}
	lacks := missing(state.Effective, kernelRelease(), memlock())
	switch {
	case len(lacks) > 0:
		found = append(found, Finding{"capabilities", LevelFail, strings.Join(lacks, ", "),
			fmt.Sprintf("run as root, or with %s", needs(kernelRelease(), memlock()))})
	case !state.Effective.Has(unix.CAP_SYS_PTRACE):
		found = append(found, Finding{"capabilities", LevelPartial, "CAP_SYS_PTRACE is missing: executable and directory of programs that run already stay unknown",
			"add CAP_SYS_PTRACE; it is given up once that is read"})
	default:
		found = append(found, Finding{"capabilities", LevelOK, "all that attaching needs", ""})
	}
	if err := privilege.Possible(); err != nil {
		found = append(found, Finding{"binary", LevelFail, err.Error(), "build it with CGO_ENABLED=0, as make build does"})
	}
	return found
}

func lookAtFeatures(context.Context, DoctorOptions) (found []Finding) {
	list, err := bpf.Features()
	if err != nil {
		return []Finding{{"BPF", LevelFail, err.Error(), "record on amd64 or arm64"}}
	}
	state, _ := privilege.Current() // no state has no capability
	blind := len(missing(state.Effective, kernelRelease(), memlock())) > 0
	for _, f := range list {
		says := strings.Join(strings.Fields(cmp.Or(f.Detail, "there")), " ")
		switch {
		case f.OK:
			found = append(found, Finding{f.Name, LevelOK, says, ""})
		case blind:
			found = append(found, Finding{f.Name, LevelNote, "cannot be seen without privilege: " + says, "run the doctor as root"})
		case f.Must:
			found = append(found, Finding{f.Name, LevelFail, says, "it is needed " + f.Needed})
		case f.Cost:
			found = append(found, Finding{f.Name, LevelNote, says, "it serves " + f.Needed})
		default:
			found = append(found, Finding{f.Name, LevelPartial, says, "it serves " + f.Needed})
		}
	}
	return found
}

// lookAtSettings reads what an administrator may have switched.
func lookAtSettings(context.Context, DoctorOptions) (found []Finding) {
	if lockdown, err := os.ReadFile("/sys/kernel/security/lockdown"); err == nil && strings.Contains(string(lockdown), "[confidentiality]") {
		found = append(found, Finding{"lockdown", LevelFail, "the kernel is locked down for confidentiality, so no program may read its memory",
			"boot with lockdown=integrity or none"})
	}
	if jit := readInt("/proc/sys/net/core/bpf_jit_enable"); jit == 0 {
		found = append(found, Finding{"BPF compiler", LevelPartial, "net.core.bpf_jit_enable is 0: each call costs many times as much",
			"sysctl net.core.bpf_jit_enable=1"})
	}
	modules, err := os.ReadFile("/sys/kernel/security/lsm")
	switch {
	case err != nil:
		found = append(found, Finding{"LSM", LevelNote, "list of security modules: cannot be read (securityfs is not mounted)", ""})
	case !strings.Contains(","+strings.TrimSpace(string(modules))+",", ",bpf,"):
		found = append(found, Finding{"LSM", LevelNote, "BPF is not among the security modules (" + strings.TrimSpace(string(modules)) + ")",
			"boot with lsm=…,bpf for what hooks of security modules can see (record/BLINDSPOTS.md)"})
	default:
		found = append(found, Finding{"LSM", LevelOK, "programs can be attached to security hooks", ""})
	}
	return found
}

// readInt reads a file that holds a number, -1 where it cannot.
func readInt(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return -1
	}
	return n
}

// Inodes of the first namespaces (include/linux/proc_ns.h).
const (
	firstCgroupNS = "cgroup:[4026531835]"
	firstPIDNS    = "pid:[4026531836]"
	firstUserNS   = "user:[4026531837]"
)

func lookAtNamespaces(context.Context, DoctorOptions) []Finding {
	is := func(kind, first string) bool {
		link, err := os.Readlink("/proc/self/ns/" + kind)
		return err != nil || link == first
	}
	var found []Finding
	if !is("user", firstUserNS) {
		found = append(found, Finding{"user namespace", LevelFail, "not the host's: no capability counts for BPF", "run it outside, or with --userns=host"})
	}
	if !is("pid", firstPIDNS) {
		found = append(found, Finding{"pid namespace", LevelPartial, "not the host's: calls of threads that sleep are flushed only where they are seen from here",
			"docker run --pid=host, or hostPID: true"})
	}
	if !is("cgroup", firstCgroupNS) {
		found = append(found, Finding{"cgroup namespace", LevelNote, "not the host's: containers that run already may not be told by /proc", "docker run --cgroupns=host"})
	}
	if found == nil {
		found = append(found, Finding{"namespaces", LevelOK, "the host's", ""})
	}
	return found
}

package rule

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/elastic/go-seccomp-bpf/arch"

	"mayfly/profile"
)

// machines are the architectures of a seccomp profile by GOARCH: the machine's
// own, then the 32-bit ones that it also runs.
var machines = map[string]struct {
	native, compat []string
	calls, calls32 *arch.Info
}{
	"amd64": {[]string{"SCMP_ARCH_X86_64"}, []string{"SCMP_ARCH_X86", "SCMP_ARCH_X32"}, arch.X86_64, arch.I386},
	"arm64": {[]string{"SCMP_ARCH_AARCH64"}, []string{"SCMP_ARCH_ARM"}, arch.AARCH64, arch.ARM},
	"386":   {[]string{"SCMP_ARCH_X86"}, nil, arch.I386, nil},
	"arm":   {[]string{"SCMP_ARCH_ARM"}, nil, arch.ARM, nil},
}

// newCallSet makes what a seccomp profile allows; nil when no call was recorded.
func newCallSet(w *profile.Workload, opts Options) *CallSet {
	calls := w.Kind(profile.Call)
	if len(calls) == 0 {
		return nil
	}
	c := &CallSet{Machine: opts.Machine, Guessed: true}
	if len(w.Machines) > 0 {
		c.Machine, c.Guessed = w.Machines[0], false
	}
	machine := machines[c.Machine]
	allowed := map[string]bool{}
	own := confined(w)
	for _, name := range values(calls) {
		switch {
		case own && slices.Contains(adminCalls, name):
			c.Refused = append(c.Refused, name)
		case hasCall(machine.calls, name):
			allowed[name] = true
		case hasCall(machine.calls32, name):
			allowed[name], c.Compat = true, true
		default:
			c.Unknown = append(c.Unknown, name)
		}
	}
	c.Recorded = slices.Sorted(maps.Keys(allowed))
	for _, name := range slices.Concat(everyProgram, runtimeCalls, initCalls, terminalCalls) {
		if !allowed[name] && hasCall(machine.calls, name) {
			allowed[name] = true
			c.Added = append(c.Added, name)
		}
	}
	slices.Sort(c.Added)
	c.narrow(w)
	return c
}

func hasCall(info *arch.Info, name string) bool {
	if info == nil {
		return false
	}
	_, ok := info.SyscallNames[name]
	return ok
}

// Allows says whether a call, as trace.CallName names it, is allowed.
func (c *CallSet) Allows(name string) bool {
	for _, set := range [][]string{c.Recorded, c.Added} {
		if _, ok := slices.BinarySearch(set, name); ok {
			return true
		}
	}
	return false
}

// seccompProfile is the OCI form (runtime-spec config-linux.md, seccomp), with
// Docker's comment fields, which other runtimes ignore.
type seccompProfile struct {
	Comment       string         `json:"comment,omitempty"`
	DefaultAction string         `json:"defaultAction"`
	DefaultErrno  *uint          `json:"defaultErrnoRet,omitempty"`
	Architectures []string       `json:"architectures"`
	Syscalls      []seccompCalls `json:"syscalls"`
}

type seccompCalls struct {
	Names   []string     `json:"names"`
	Action  string       `json:"action"`
	Errno   uint         `json:"errnoRet,omitempty"`
	Args    []seccompArg `json:"args,omitempty"`
	Comment string       `json:"comment,omitempty"`
}

// errnoPerm is EPERM, what a call that is not allowed returns; errnoNoSys is
// ENOSYS, what one that the kernel does not have returns.
const (
	errnoPerm  = 1
	errnoNoSys = 38
)

// Seccomp writes the set as a seccomp profile for OCI runtimes and Docker: every
// call that is not allowed fails with EPERM; in a set for watching it is logged by
// the kernel's audit and goes through. The error is a *Refusal when no call
// was recorded or the machine is not known.
func (s *Set) Seccomp() ([]byte, error) {
	if s.Calls == nil {
		return nil, &Refusal{s.Workload, []string{"no system calls were recorded, and a profile without them forbids everything"}}
	}
	machine, ok := machines[s.Calls.Machine]
	if !ok {
		return nil, &Refusal{s.Workload, []string{fmt.Sprintf("machine %q is not known", s.Calls.Machine)}}
	}
	out := seccompProfile{
		Comment:       strings.Join(s.seccompComment(), " "),
		DefaultAction: "SCMP_ACT_ERRNO", DefaultErrno: new(uint(errnoPerm)),
		Architectures: slices.Clone(machine.native),
	}
	if s.Calls.Compat {
		out.Architectures = append(out.Architectures, machine.compat...)
	}
	if s.Audit {
		out.DefaultAction, out.DefaultErrno = "SCMP_ACT_LOG", nil
	}
	for _, group := range []seccompCalls{
		{Names: s.Calls.unfiltered(s.Calls.Recorded), Comment: "recorded of the workload"},
		{Names: s.Calls.unfiltered(s.Calls.Added), Comment: "not recorded; every program, the container runtime or its init needs them"},
	} {
		if len(group.Names) > 0 {
			group.Action = "SCMP_ACT_ALLOW"
			out.Syscalls = append(out.Syscalls, group)
		}
	}
	for i := range s.Calls.Filters {
		out.Syscalls = append(out.Syscalls, s.Calls.Filters[i].entries()...)
	}
	if s.Calls.NoClone3 && !s.Audit {
		out.Syscalls = append(out.Syscalls, seccompCalls{Names: []string{"clone3"}, Action: "SCMP_ACT_ERRNO", Errno: errnoNoSys,
			Comment: "its flags cannot be filtered; C libraries use clone when it does not exist"})
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("workload %q: seccomp profile: %w", s.Workload, err)
	}
	text = oneCall.ReplaceAll(oneArg.ReplaceAll(text, []byte(`[{"index": $1, "value": $2, "valueTwo": $3, "op": $4}]`)), []byte(`"names": [$1]`))
	return append(text, '\n'), nil
}

// oneArg and oneCall are short lists that encoding/json spreads over many lines.
var (
	oneArg  = regexp.MustCompile(`\[\s+\{\s+"index": (\d+),\s+"value": (\d+),\s+"valueTwo": (\d+),\s+"op": ("\w+")\s+\}\s+\]`)
	oneCall = regexp.MustCompile(`"names": \[\s+("\w+")\s+\]`)
)

// unfiltered returns the calls that are allowed whatever their arguments.
func (c *CallSet) unfiltered(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return name == "clone3" && c.NoClone3 || slices.ContainsFunc(c.Filters, func(f ArgFilter) bool { return f.Call == name })
	})
}

func (s *Set) seccompComment() []string {
	lines := []string{fmt.Sprintf("What %s calls, as mayfly recorded it: %s, %s to %s.",
		comment(s.Workload), s.Basis, when(s.Basis.FromNS), when(s.Basis.ToNS))}
	if s.Calls.Guessed {
		lines = append(lines, "The machine of the recording is not known; "+s.Calls.Machine+" was assumed.")
	}
	lines = append(lines, "Left out: which program calls, paths and addresses, of which a filter sees nothing.")
	if len(s.Calls.Refused) > 0 {
		lines = append(lines, fmt.Sprintf("Recorded, but left out, since the kernel refuses it to containers without CAP_SYS_ADMIN: %s.",
			strings.Join(s.Calls.Refused, ", ")))
	}
	if len(s.Calls.Unknown) > 0 {
		lines = append(lines, fmt.Sprintf("Left out, without a name: %s.", strings.Join(s.Calls.Unknown, ", ")))
	}
	for _, risk := range s.Risks {
		lines = append(lines, "RISK: "+risk+".")
	}
	return lines
}

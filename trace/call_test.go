package trace

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
)

func TestCallsHaveOneNumber(t *testing.T) {
	if last := firstExtra + len(extraCalls); last >= MaxCall {
		t.Errorf("extra calls reach %d: want less than %d", last, MaxCall)
	}
	sorted := slices.Sorted(slices.Values(extraCalls))
	if n := len(slices.Compact(sorted)); n != len(extraCalls) {
		t.Errorf("got %d different extra calls, want %d", n, len(extraCalls))
	}
	for c := range Call(MaxCall + 1) {
		name := CallName(c)
		if got, ok := CallNumber(name); !ok || got != c {
			t.Errorf("CallNumber(%q): got %d, %v, want %d", name, got, ok, c)
		}
	}
	if _, ok := CallNumber("call_1024"); ok {
		t.Error("CallNumber(call_1024): got a number past MaxCall")
	}
}

// The positions of the list are on disk: these must never change.
func TestExtraCallsStayInPlace(t *testing.T) {
	for name, want := range map[string]Call{"procexit": 600, "waitpid": 609, "umount": 676, "profil": 678,
		"sched_rr_get_interval_time64": 710, "unknown": 1023} {
		if got, _ := CallNumber(name); got != want {
			t.Errorf("CallNumber(%q): got %d, want %d", name, got, want)
		}
	}
}

func TestEveryMachinesCallsHaveNames(t *testing.T) {
	for _, info := range []*arch.Info{arch.X86_64, arch.I386, arch.AARCH64, arch.ARM} {
		for n, name := range info.SyscallNumbers {
			if _, ok := CallNumber(name); !ok && name != "" && name != "arch_specific_syscall" {
				t.Errorf("%s %d: no call %q", info.Name, n, name)
			}
		}
	}
}

func TestCallTable(t *testing.T) {
	for _, c := range []struct {
		arch string
		n    uint16
		want string
	}{
		{"amd64", 0, "read"}, {"amd64", 59, "execve"}, {"amd64", 3 | CompatCall, "read"},
		{"amd64", 102 | CompatCall, "socketcall"}, {"amd64", 499, "call_499"}, {"amd64", 900, "unknown"},
		{"arm64", 63, "read"}, {"arm64", 221, "execve"}, {"arm64", 79, "newfstatat"}, {"arm64", 244, "unknown"},
		{"arm64", 11 | CompatCall, "execve"}, {"arm64", 435, "clone3"}, {"386", 11, "execve"},
		{"386", 407, "clock_nanosleep_time64"}, {"386", 340, "prlimit64"}, {"arm", 291, "recv"}, {"arm", 0x7fff, "unknown"},
	} {
		table, err := NewCallTable(c.arch)
		if err != nil {
			t.Fatal(err)
		}
		if got := CallName(table.Call(c.n)); got != c.want {
			t.Errorf("%s %#x: got %s, want %s", c.arch, c.n, got, c.want)
		}
	}
	if _, err := NewCallTable("vax"); err == nil || !strings.Contains(err.Error(), `machine "vax"`) {
		t.Errorf("got %v, want an error naming the machine", err)
	}
}

// ADFA-LD holds numbers of i386: those that occur in it.
func TestADFACallsAreKnown(t *testing.T) {
	table, err := NewCallTable("386")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint16{1, 3, 102, 140, 142, 168, 174, 192, 195, 240, 265, 289, 311, 331, 332, 340} {
		if c := table.Call(n); c == UnknownCall {
			t.Errorf("number %d: got %s", n, CallName(c))
		}
	}
}

func TestDockerCVECallsAreKnown(t *testing.T) {
	files, _ := filepath.Glob("../../shared/datasets/docker-cve/windows/*.csv.gz")
	if len(files) == 0 {
		skip(t, "shared/datasets/docker-cve is not there")
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	header, err := bufio.NewReader(z).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(strings.TrimSpace(header), ",")[7:] {
		if _, ok := CallNumber(name); !ok {
			t.Errorf("no call %q", name)
		}
	}
}

// skip skips a test that cannot run here, or fails it where it must.
func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func TestCallOn(t *testing.T) {
	for _, tc := range []struct {
		machine, name string
		want          uint16
		ok            bool
	}{
		{"amd64", "openat", 257, true},
		{"amd64", "waitpid", 7 | CompatCall, true}, // of i386 only
		{"386", "waitpid", 7, true},
		{"arm64", "openat", 56, true},
		{"amd64", "procexit", 0, false},
		{"vax", "read", 0, false},
	} {
		got, ok := CallOn(tc.machine, tc.name)
		if got != tc.want || ok != tc.ok {
			t.Errorf("%s %s: got %#x, %v, want %#x, %v", tc.machine, tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

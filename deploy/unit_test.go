package deploy

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// setting is what a unit's text sets a name to.
func setting(t *testing.T, unit []byte, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindSubmatch(unit)
	if found == nil {
		t.Fatalf("the unit has no %s", name)
	}
	return string(found[1])
}

// callsOf are the calls of a SystemCallFilter, groups spelled out.
func callsOf(t *testing.T, analyze, filter string) (calls []string) {
	t.Helper()
	for _, name := range strings.Fields(filter) {
		if !strings.HasPrefix(name, "@") {
			calls = append(calls, name)
			continue
		}
		out, err := exec.Command(analyze, "syscall-filter", name).Output()
		if err != nil {
			t.Fatalf("systemd-analyze syscall-filter %s: %v", name, err)
		}
		_, group, _ := strings.Cut(string(out), "\n")
		lines := regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(group, "")
		calls = append(calls, callsOf(t, analyze, lines)...)
	}
	return calls
}

// underUnit tells TestUnderUnit which calls to allow, and what to run.
const underUnit = "MAYFLY_TEST_UNDER_UNIT"

// TestUnderUnit is the process that TestUnitRecords starts.
func TestUnderUnit(t *testing.T) {
	args := strings.Split(os.Getenv(underUnit), "\n")
	if len(args) < 2 {
		return
	}
	machine, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, name := range strings.Fields(args[0]) {
		if _, ok := machine.SyscallNames[name]; ok && !slices.Contains(calls, name) {
			calls = append(calls, name)
		}
	}
	err = seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{{Action: seccomp.ActionAllow, Names: calls}}}})
	if err == nil {
		err = syscall.Exec(args[1], args[1:], os.Environ())
	}
	t.Fatal(err)
}

// TestUnitRecords runs the recorder with the capabilities and the calls that its unit
// leaves it: it must report ready, record, and end in good order.
func TestUnitRecords(t *testing.T) {
	if os.Geteuid() != 0 {
		dockertest.Cannot(t, "recording needs root")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		dockertest.Cannot(t, "systemd-analyze: not installed (systemd)")
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		dockertest.Cannot(t, err.Error())
	}
	unit, err := os.ReadFile("systemd/mayfly.service")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mayfly, notify := filepath.Join(dir, "mayfly"), filepath.Join(dir, "notify")
	build := exec.Command("go", "build", "-o", mayfly, "mayfly/cmd/mayfly")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.NewReplacer("/usr/local/bin/mayfly", mayfly, "/var/lib/mayfly", dir,
		":9477", fmt.Sprintf(":%d", port.Addr().(*net.TCPAddr).Port)).Replace(setting(t, unit, "ExecStart"))
	port.Close()
	capabilities := "-all"
	for _, name := range strings.Fields(setting(t, unit, "CapabilityBoundingSet")) {
		capabilities += ",+" + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(setpriv, "--bounding-set="+capabilities, "--no-new-privs", self, "-test.run=^TestUnderUnit$")
	args := append(strings.Fields(line), "--duration", "3s", "--no-runtime")
	calls := callsOf(t, analyze, setting(t, unit, "SystemCallFilter"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+notify, "WATCHDOG_USEC=30000000",
		underUnit+"="+strings.Join(calls, " ")+"\n"+strings.Join(args, "\n"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	told, b := "", make([]byte, 4096)
	for {
		if err := l.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(b)
		if err != nil {
			break
		}
		told += string(b[:n]) + "\n"
	}
	for _, want := range []string{"READY=1\n", "WATCHDOG=1\n", "STOPPING=1\n"} {
		if !strings.Contains(told, want) {
			t.Errorf("systemd was told %q, want %q", told, want)
		}
	}
	if strings.Contains(said.String(), "not permitted") {
		t.Errorf("something was refused:\n%s", said.String())
	}
	if _, err := trace.Open(filepath.Join(dir, "trace")); err != nil {
		t.Error(err)
	}
}

package privilege

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv makes the test binary a process that confines itself and does what the
// variable names.
const childEnv = "MAYFLY_TEST_CONFINED"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := confined(what); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// confined confines this process, with goroutines and blocked threads about, and
// then makes a call.
func confined(what string) error {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range 50 {
		wg.Go(func() { work(stop) })
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	go func() { _, _, _ = syscall.Syscall(syscall.SYS_READ, r.Fd(), 0, 0) }() // a thread that sits in the kernel
	if err := Confine(Of(unix.CAP_SYS_PTRACE), Calls{}); err != nil {
		return err
	}
	switch what {
	case "work":
		for range 20 {
			runtime.GC()
			time.Sleep(20 * time.Millisecond)
		}
		return verify(State{Permitted: Of(unix.CAP_SYS_PTRACE), Effective: Of(unix.CAP_SYS_PTRACE),
			Bounding: ^Set(0), NoNewPrivs: true, Seccomp: 2})
	case "exec":
		return exec.Command("/bin/true").Run()
	case "fork":
		_, _, e := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0)
		return want("fork", e, syscall.EPERM)
	case "ptrace":
		_, _, e := syscall.RawSyscall(syscall.SYS_PTRACE, syscall.PTRACE_ATTACH, 1, 0)
		return want("ptrace", e, 0)
	case "compat": // mknod, and a socket over IP
		if err := unix.Mkfifo("/tmp/mayfly-fifo", 0o600); !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("mkfifo: got %w, want EPERM", err)
		}
		if _, err := net.Dial("tcp", "127.0.0.1:9"); !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("dial: got %w, want EPERM", err)
		}
		if err := syscall.Kill(os.Getppid(), 0); !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("kill: got %w, want EPERM", err)
		}
		_, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, 0, 0)
		return want("bpf", e, unix.EPERM)
	}
	return fmt.Errorf("child %q", what)
}

func want(call string, got, want syscall.Errno) error {
	if got != want {
		return fmt.Errorf("%s: got %w, want %w", call, got, want)
	}
	return nil
}

// work is what recorders do: files, timers, sockets, memory.
func work(stop chan struct{}) {
	dir, err := os.MkdirTemp("", "mayfly-work")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer os.RemoveAll(dir)
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond):
		}
		name := filepath.Join(dir, "f")
		err := os.WriteFile(name, make([]byte, 1<<16), 0o600)
		if err == nil {
			err = os.Rename(name, name+"2")
		}
		if err != nil {
			fmt.Println("write:", err)
			os.Exit(1)
		}
		if c, err := net.Dial("unix", name); err == nil || errors.Is(err, unix.EPERM) {
			fmt.Println("dial:", c, err)
			os.Exit(1)
		}
	}
}

// build compiles this package's tests without cgo, as a recorder is built.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "confined.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	return binary
}

func TestConfine(t *testing.T) {
	binary := build(t)
	for what, status := range map[string]string{
		"work":   "exit status 0",
		"compat": "exit status 0",
		"fork":   "exit status 0",
		"ptrace": "signal: bad system call",
		"exec":   "exit status 1", // the clone before it is refused
	} {
		t.Run(what, func(t *testing.T) {
			cmd := exec.Command(binary)
			cmd.Env = append(os.Environ(), childEnv+"="+what)
			out, _ := cmd.CombinedOutput()
			if got := strings.TrimSuffix(cmd.ProcessState.String(), " (core dumped)"); got != status {
				t.Errorf("got %s, want %s\n%.2000s", got, status, out)
			}
		})
	}
}

func TestParseState(t *testing.T) {
	const status = "Name:\tx\nCapInh:\t0000000000000000\nCapPrm:\t000001c000280000\nCapEff:\t000001c000080000\n" +
		"CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000080000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"
	got, err := parseState(status)
	want := State{Permitted: 0x1c000280000, Effective: 0x1c000080000, Bounding: 0x1ffffffffff, Ambient: 0x80000, NoNewPrivs: true, Seccomp: 2}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if s := want.Permitted.String(); s != "CAP_SYS_PTRACE CAP_SYS_ADMIN CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE" {
		t.Errorf("names: %s", s)
	}
	for _, bad := range []string{"", "CapInh: x\n", "CapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapBnd:\t0\nSeccomp:\tx\n"} {
		if _, err := parseState(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// TestWithin wants whatever a thread has too much to be told: then nothing is recorded.
func TestWithin(t *testing.T) {
	most := State{Permitted: 1, Effective: 1, Bounding: 3, NoNewPrivs: true, Seccomp: 2}
	for want, change := range map[string]func(s *State){
		"": func(s *State) { s.Permitted, s.Bounding = 0, 1 },
		"still has CAP_KILL in its permitted set":   func(s *State) { s.Permitted |= Of(unix.CAP_KILL) },
		"still has CAP_KILL in its effective set":   func(s *State) { s.Effective |= Of(unix.CAP_KILL) },
		"still has CAP_KILL in its inheritable set": func(s *State) { s.Inheritable = Of(unix.CAP_KILL) },
		"still has CAP_KILL in its ambient set":     func(s *State) { s.Ambient = Of(unix.CAP_KILL) },
		"still has CAP_KILL in its bounding set":    func(s *State) { s.Bounding |= Of(unix.CAP_KILL) },
		"may still gain privileges":                 func(s *State) { s.NoNewPrivs = false },
		"seccomp mode is 0, want 2":                 func(s *State) { s.Seccomp = 0 },
	} {
		got := most
		change(&got)
		if err := got.within(most); fmt.Sprint(err) != cmp.Or(want, "<nil>") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestNeeded(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	hasPtrace := func() error {
		s, err := Current()
		if err == nil && !s.Effective.Has(unix.CAP_SYS_PTRACE) {
			err = unix.EPERM
		}
		return err
	}
	got, err := Needed([]int{unix.CAP_BPF, unix.CAP_SYS_PTRACE, unix.CAP_PERFMON}, hasPtrace)
	if err != nil || got != Of(unix.CAP_SYS_PTRACE) {
		t.Errorf("got %v, %v; want CAP_SYS_PTRACE", got, err)
	}
	if got, err := Needed([]int{unix.CAP_BPF}, hasPtrace); err == nil {
		t.Errorf("without the one that is needed: got %v and no error", got)
	}
	if got, err := Needed([]int{unix.CAP_BPF}, func() error { return nil }); got != 0 || err != nil {
		t.Errorf("of what needs none: got %v, %v", got, err)
	}
}

// TestTryEndsItsThread wants no thread of a trial to be left when Try returns: a
// thread without capabilities would be asked to give up some, and could not.
func TestTryEndsItsThread(t *testing.T) {
	for range 50 {
		thread := 0
		if err := Try(0, func() error { thread = unix.Gettid(); return nil }); err != nil {
			t.Fatal(err)
		}
		if thread == os.Getpid() {
			t.Fatal("the trial ran on the process's first thread, which cannot end")
		}
		if _, err := os.Stat(fmt.Sprint("/proc/self/task/", thread)); err == nil {
			t.Fatalf("thread %d is left", thread)
		}
	}
}

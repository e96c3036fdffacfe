package record

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// runChild is what this binary does in a container: it does not return to the tests.
func runChild(what string) int {
	runtime.LockOSThread()
	verb, arg, _ := strings.Cut(what, ":")
	var err error
	switch verb {
	case "kinds":
		err = childKinds(arg)
	case "calls":
		err = childCalls()
	case "swap":
		err = childSwap(arg)
	case "uring":
		err = childURing(arg)
	case "compat":
		err = childCompat(arg)
	case "storm":
		childStorm(arg)
	case "bench":
		childBench()
	case "opens":
		n, _ := strconv.Atoi(arg)
		for range n {
			_, _ = unix.Open("/nonexistent", unix.O_RDONLY, 0)
		}
	case "flood":
		childFlood(arg)
	case "rare":
		err = childRare(arg)
	case "moved":
		err = childMoved(arg)
	case "away":
		err = childAway(arg)
	case "sleep":
		for range 100 {
			_, _ = unix.Getppid(), unix.Getuid()
		}
		_ = unix.Pause()
	case "wait":
		_, _ = os.Stdin.Read(make([]byte, 1))
	case "exit":
		n, _ := strconv.Atoi(arg)
		return n
	default:
		err = fmt.Errorf("child %q", what)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

// childBench makes as many calls as each line of its input says ("open 1000"), and
// says how many ns of the thread's time one took. An open is closed again.
func childBench() {
	path := []byte("/etc/passwd\x00")
	cwd := unix.AT_FDCWD
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		what, count, _ := strings.Cut(in.Text(), " ")
		n, _ := strconv.Atoi(count)
		before := threadTime()
		for range n {
			if what == "open" {
				fd, _, _ := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(cwd), uintptr(unsafe.Pointer(&path[0])), unix.O_RDONLY, 0, 0, 0)
				_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
			} else {
				_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
			}
		}
		fmt.Printf("%.2f\n", float64(threadTime()-before)/float64(n))
	}
}

// threadTime is the CPU time of this thread in ns: what others do does not count.
func threadTime() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return ts.Nano()
}

// childStorm makes n calls of getppid with a getuid after every hundredth.
func childStorm(arg string) {
	n, _ := strconv.Atoi(arg)
	for i := range n {
		_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		if i%100 == 99 {
			_, _, _ = unix.RawSyscall(unix.SYS_GETUID, 0, 0, 0)
		}
	}
}

// childKinds makes a call of each kind, in the folder dir.
func childKinds(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	steps := []func() error{
		kindsFiles, kindsSockets, kindsIdentity, kindsProcesses,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func kindsFiles() error {
	dirfd, err := unix.Open(".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(dirfd, "./made", unix.O_CREAT|unix.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	_, _ = unix.Openat2(unix.AT_FDCWD, "made", &unix.OpenHow{Flags: unix.O_WRONLY})
	_, _ = unix.Open("../none//such/./x", unix.O_RDONLY, 0) // fails
	_ = unix.Fchmod(fd, 0o600)
	_ = unix.Fchmodat(unix.AT_FDCWD, "made", 0o644, 0)
	_ = unix.Fchown(fd, 1, 2)
	_ = unix.Fchownat(dirfd, "made", -1, 3, 0)
	_ = unix.Linkat(dirfd, "made", dirfd, "hard", 0)
	_ = unix.Symlinkat("made", dirfd, "soft")
	_ = unix.Renameat2(dirfd, "hard", unix.AT_FDCWD, "moved", unix.RENAME_NOREPLACE)
	_ = unix.Unlinkat(dirfd, "moved", 0)
	_ = unix.Rmdir("none")
	_, _ = unix.MemfdCreate("mine", 0)
	_ = unix.Mount("none", "none", "tmpfs", unix.MS_RDONLY, "") // no such place
	_ = unix.Unmount("none", unix.MNT_DETACH)
	_ = unix.FinitModule(fd, "", 0)
	_, _, _ = unix.Syscall(unix.SYS_BPF, 0xffff, 0, 0)
	_, _, _ = unix.Syscall(unix.SYS_PTRACE, unix.PTRACE_ATTACH, 0x7ffffff, 0)
	_ = unix.Setns(dirfd, unix.CLONE_NEWNET)
	return unix.Unshare(unix.CLONE_NEWUTS)
}

func kindsSockets() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		return err
	}
	defer s.Close()
	if c, err := net.Dial("tcp4", "127.0.0.1:1"); err == nil { // refused
		c.Close()
	}
	u, err := net.Listen("unix", "u.sock")
	if err != nil {
		return err
	}
	defer u.Close()
	uc, err := net.Dial("unix", "u.sock")
	if err != nil {
		return err
	}
	defer uc.Close()
	us, err := u.Accept()
	if err != nil {
		return err
	}
	defer us.Close()
	l6, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l6.Close()
	}
	return nil
}

func kindsIdentity() error {
	_ = os.WriteFile("ids", []byte("x"), 0o600)
	_, _, _ = unix.RawSyscall(unix.SYS_SETRESGID, ^uintptr(0), 1234, ^uintptr(0))
	_, _, _ = unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 1235, ^uintptr(0))
	_, _, _ = unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0))
	_, _, _ = unix.RawSyscall(unix.SYS_SETRESGID, ^uintptr(0), 0, ^uintptr(0))
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	sets[0].Effective, sets[1].Effective = 1<<unix.CAP_CHOWN|1<<unix.CAP_SYS_ADMIN, 0
	_, _, e := unix.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0)
	if e != 0 {
		return e
	}
	return nil
}

func kindsProcesses() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-test.run=none", "second argument")
	cmd.Env = append(os.Environ(), childEnv+"=exit:7")
	_ = cmd.Run()
	program, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	dropped := filepath.Join(".", "dropped")
	if err := os.WriteFile(dropped, program, 0o700); err != nil {
		return err
	}
	cmd = exec.Command("./dropped", "-test.run=none")
	cmd.Env = append(os.Environ(), childEnv+"=exit:0")
	_ = cmd.Run()
	_, err = os.StartProcess("/no/such/program", []string{"/no/such/program", "a b"}, &os.ProcAttr{})
	if err == nil {
		return fmt.Errorf("/no/such/program: ran")
	}
	return nil
}

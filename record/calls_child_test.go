package record

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mark makes a pattern of calls that nothing else makes: n times getegid between
// two getgid.
func mark(n int) {
	_, _, _ = unix.RawSyscall(unix.SYS_GETGID, 0, 0, 0)
	for range n {
		_, _, _ = unix.RawSyscall(unix.SYS_GETEGID, 0, 0, 0)
	}
	_, _, _ = unix.RawSyscall(unix.SYS_GETGID, 0, 0, 0)
}

// childCalls makes calls that end in odd ways, each after a mark of its own.
func childCalls() error {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGUSR1)
	time.Sleep(10 * time.Millisecond)

	mark(1) // a child, which ends at once
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		for {
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 3, 0, 0)
		}
	}
	_, _ = unix.Wait4(int(pid), nil, 0, nil)

	self, thread := uintptr(os.Getpid()), uintptr(unix.Gettid())
	mark(2) // a signal's handler, which ends by sigreturn
	_, _, _ = unix.RawSyscall(unix.SYS_TGKILL, self, thread, uintptr(unix.SIGUSR1))
	<-caught

	mark(3) // a call without a number
	_, _, _ = unix.RawSyscall(^uintptr(0), 0, 0, 0)

	if err := filterCalls(); err != nil {
		return err
	}
	mark(4) // a call that seccomp refuses
	_, _, _ = unix.RawSyscall(unix.SYS_GETPGID, 0, 0, 0)

	go func() { // a thread that seccomp kills
		runtime.LockOSThread()
		if err := filterCalls(); err == nil {
			mark(5)
			_, _, _ = unix.RawSyscall(unix.SYS_GETSID, 0, 0, 0)
		}
	}()
	time.Sleep(100 * time.Millisecond)
	fmt.Println("done")
	mark(6)
	_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	return nil
}

// filterCalls has this thread's getpgid refused, and its getsid punished by death.
func filterCalls() error {
	const allow, refuse, kill = 0x7fff0000, 0x00050000, 0
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_GETPGID, Jt: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_GETSID, Jt: 2},
		{Code: unix.BPF_RET | unix.BPF_K, K: allow},
		{Code: unix.BPF_RET | unix.BPF_K, K: refuse | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: kill},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

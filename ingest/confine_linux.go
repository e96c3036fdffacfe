package ingest

import (
	"fmt"
	"os/exec"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine bounds this process for good: memory, no file written, few files open,
// no core file, no new privileges.
func confine(l *Limits) error {
	debug.SetMemoryLimit(l.Memory * 3 / 4)
	for _, r := range []struct {
		which int
		name  string
		max   uint64
	}{
		{unix.RLIMIT_DATA, "data", uint64(l.Memory)},
		{unix.RLIMIT_AS, "address space", uint64(l.Memory) + 4<<30}, // Go reserves more than it uses
		{unix.RLIMIT_FSIZE, "file size", 0},
		{unix.RLIMIT_NOFILE, "open files", 16},
		{unix.RLIMIT_CORE, "core", 0},
	} {
		if err := unix.Setrlimit(r.which, &unix.Rlimit{Cur: r.max, Max: r.max}); err != nil {
			return fmt.Errorf("limit of %s: %w", r.name, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	return nil
}

// allowCPU lets this process take so many seconds more of processor time.
func allowCPU(seconds int64) error {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return fmt.Errorf("processor time: %w", err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CPU, &limit); err != nil {
		return fmt.Errorf("limit of processor time: %w", err)
	}
	limit.Cur = min(limit.Max, uint64(used.Utime.Sec+used.Stime.Sec+seconds)+1)
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &limit); err != nil {
		return fmt.Errorf("limit of processor time: %w", err)
	}
	return nil
}

// dieWithParent has the kernel end the child when this process ends.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

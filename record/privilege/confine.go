package privilege

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrCgo says that this binary cannot give up privileges: the C library has
// threads of its own that Go does not reach.
var ErrCgo = errors.New("this binary was built with cgo, so it cannot drop privileges on every thread; build it with: CGO_ENABLED=0 go build -o mayfly ./cmd/mayfly (or keep all privileges with --no-confine)")

// Confine gives up every capability but those of keep, on all threads and for
// good: permitted, effective, inheritable, ambient and, where the process may
// change it, bounding. It sets no_new_privs and lets the process make no other
// calls than those of the filter (see Calls). Then it reads back from /proc that
// every thread is so; the error names the thread and what it has too much.
func Confine(keep Set, calls Calls) error {
	before, err := Current()
	if err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	keep &= before.Permitted
	if before.Effective.Has(unix.CAP_SETPCAP) {
		if err := dropBounding(keep); err != nil {
			return fmt.Errorf("bounding set: %w", err)
		}
		before.Bounding &= keep
	}
	if err := everyThread(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return fmt.Errorf("ambient set: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := capData(keep, keep, 0)
	var pinned runtime.Pinner
	pinned.Pin(&header)
	pinned.Pin(&data)
	err = everyThread(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
	pinned.Unpin()
	if err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if err := everyThread(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := calls.install(); err != nil {
		return err
	}
	return verify(State{Permitted: keep, Effective: keep, Bounding: before.Bounding, NoNewPrivs: true, Seccomp: 2})
}

// Possible says whether Confine reaches every thread of this binary.
func Possible() error { return everyThread(unix.SYS_GETPPID, 0, 0, 0) }

func everyThread(call, a, b, c uintptr) error {
	_, _, e := syscall.AllThreadsSyscall6(call, a, b, c, 0, 0, 0)
	switch {
	case e == syscall.ENOTSUP:
		return ErrCgo
	case e != 0:
		return e
	}
	return nil
}

// dropBounding takes each capability that is not in keep out of the bounding set;
// EINVAL: the kernel knows no more.
func dropBounding(keep Set) error {
	for bit := range 64 {
		if keep.Has(bit) {
			continue
		}
		err := everyThread(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(bit), 0)
		if errors.Is(err, syscall.EINVAL) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// verify holds every thread to what it may be at most.
func verify(want State) error {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("threads of this process: cannot be listed: %w", err)
	}
	for _, path := range threads {
		got, err := readState(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := got.within(want); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (s State) within(want State) error {
	for _, set := range []struct {
		name      string
		got, want Set
	}{
		{"permitted", s.Permitted, want.Permitted}, {"effective", s.Effective, want.Effective},
		{"inheritable", s.Inheritable, want.Inheritable}, {"ambient", s.Ambient, want.Ambient},
		{"bounding", s.Bounding, want.Bounding},
	} {
		if more := set.got &^ set.want; more != 0 {
			return fmt.Errorf("still has %s in its %s set", more, set.name)
		}
	}
	if want.NoNewPrivs && !s.NoNewPrivs {
		return errors.New("may still gain privileges")
	}
	if s.Seccomp != want.Seccomp {
		return fmt.Errorf("seccomp mode is %d, want %d", s.Seccomp, want.Seccomp)
	}
	return nil
}

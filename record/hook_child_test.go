package record

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childSwap removes one of two files, over and over, by a path that another
// thread changes all the time, and prints which of them went.
func childSwap(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	var name atomic.Uint64 // eight bytes, NUL at the end: a path
	bytes := func(s string) (v uint64) {
		for i := range len(s) {
			v |= uint64(s[i]) << (8 * i)
		}
		return v
	}
	a, b := bytes("file-a"), bytes("file-b")
	name.Store(a)
	var stop atomic.Bool
	go func() {
		runtime.LockOSThread()
		for !stop.Load() {
			name.Store(b)
			name.Store(a)
		}
	}()
	defer stop.Store(true)
	for range 2000 {
		for _, f := range []string{"file-a", "file-b"} {
			if err := os.WriteFile(f, nil, 0o600); err != nil {
				return err
			}
		}
		_, _, errno := unix.RawSyscall(unix.SYS_UNLINKAT, ^uintptr(99), uintptr(unsafe.Pointer(&name)), 0) // AT_FDCWD
		if errno != 0 {
			return errno
		}
		gone := "file-a"
		if _, err := os.Stat("file-a"); err == nil {
			gone = "file-b"
		}
		fmt.Println(gone)
	}
	return nil
}

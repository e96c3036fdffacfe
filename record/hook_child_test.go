package record

import (
	"fmt"
	"os"
	"path/filepath"
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

// uring is an io_uring of a few entries.
type uring struct {
	fd      int
	sq, cq  []byte
	entries []byte
	p       uringParams
}

// uringParams is struct io_uring_params (include/uapi/linux/io_uring.h).
type uringParams struct {
	sqEntries, cqEntries, flags, sqCPU, sqIdle, features, wq uint32
	_                                                        [3]uint32
	sqHead, sqTail, sqMask, sqCount, sqFlags, sqDropped      uint32
	sqArray, _                                               uint32
	_                                                        uint64
	cqHead, cqTail, cqMask, cqCount, cqOverflow, cqes        uint32
	_                                                        [2]uint32
	_                                                        uint64
}

// uringEntry is struct io_uring_sqe.
type uringEntry struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	off, addr     uint64
	len, opflags  uint32
	userData      uint64
	_             [3]uint64
}

func newURing() (*uring, error) {
	u := &uring{}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 8, uintptr(unsafe.Pointer(&u.p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	u.fd = int(fd)
	var err error
	size := int(u.p.sqArray + u.p.sqEntries*4)
	if u.sq, err = unix.Mmap(u.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, err
	}
	if u.cq, err = unix.Mmap(u.fd, 0x8000000, int(u.p.cqes+u.p.cqEntries*16), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, err
	}
	u.entries, err = unix.Mmap(u.fd, 0x10000000, int(u.p.sqEntries)*64, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return u, err
}

func at(b []byte, offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&b[offset])) }

// do submits one operation, waits for its end and returns its result.
func (u *uring) do(e uringEntry) (int32, error) {
	tail := at(u.sq, u.p.sqTail)
	i := *tail & *at(u.sq, u.p.sqMask)
	*(*uringEntry)(unsafe.Pointer(&u.entries[i*64])) = e
	*at(u.sq, u.p.sqArray+i*4) = i
	atomic.StoreUint32(tail, *tail+1)
	const getEvents = 1
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(u.fd), 1, 1, getEvents, 0, 0); errno != 0 {
		return 0, errno
	}
	head := at(u.cq, u.p.cqHead)
	at := u.p.cqes + (*head&*at(u.cq, u.p.cqMask))*16
	result := *(*int32)(unsafe.Pointer(&u.cq[at+8]))
	atomic.StoreUint32(head, *head+1)
	return result, nil
}

// childURing opens, renames, removes and connects through io_uring, at once and by
// a worker thread.
func childURing(dir string) error {
	u, err := newURing()
	if err != nil {
		return err
	}
	const async = 1 << 4
	const opConnect, opOpenat, opRenameat, opUnlinkat = 16, 18, 35, 36
	text := func(s string) uint64 {
		b := append([]byte(s), 0)
		runtime.KeepAlive(b)
		kept = append(kept, b)
		return uint64(uintptr(unsafe.Pointer(&b[0])))
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	address := []byte{unix.AF_INET, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	for i, flags := range []uint8{0, async} {
		old, moved := filepath.Join(dir, fmt.Sprint("old", i)), filepath.Join(dir, fmt.Sprint("moved", i))
		for _, e := range []uringEntry{
			{opcode: opOpenat, flags: flags, fd: unix.AT_FDCWD, addr: text(old), len: 0o600, opflags: unix.O_CREAT | unix.O_RDWR},
			{opcode: opRenameat, flags: flags, fd: unix.AT_FDCWD, addr: text(old), off: text(moved), len: uint32(0xffffff9c)},
			{opcode: opUnlinkat, flags: flags, fd: unix.AT_FDCWD, addr: text(moved)},
			{opcode: opConnect, flags: flags, fd: int32(socket), addr: uint64(uintptr(unsafe.Pointer(&address[0]))), off: 16},
		} {
			result, err := u.do(e)
			if err != nil {
				return err
			}
			fmt.Println(e.opcode, result)
		}
	}
	return nil
}

var kept [][]byte // what the kernel still reads

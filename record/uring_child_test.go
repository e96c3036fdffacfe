package record

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

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

// newURing makes a ring; poller has a thread of the kernel submit what is put in.
func newURing(poller bool) (*uring, error) {
	u := &uring{}
	if poller {
		u.p.flags, u.p.sqIdle = 1<<1, 1000 // IORING_SETUP_SQPOLL, milliseconds
	}
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

func (u *uring) close() { _ = unix.Close(u.fd) }

func at(b []byte, offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&b[offset])) }

// submit hands one operation in and waits for n results.
func (u *uring) submit(e uringEntry, n uintptr) error {
	tail := at(u.sq, u.p.sqTail)
	i := *tail & *at(u.sq, u.p.sqMask)
	*(*uringEntry)(unsafe.Pointer(&u.entries[i*64])) = e
	*at(u.sq, u.p.sqArray+i*4) = i
	atomic.StoreUint32(tail, *tail+1)
	const getEvents, wakeUp = 1, 2
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(u.fd), 1, n, getEvents|wakeUp, 0, 0); errno != 0 {
		return fmt.Errorf("io_uring_enter: %w", errno)
	}
	return nil
}

// result takes one result out, which must be there.
func (u *uring) result() int32 {
	head := at(u.cq, u.p.cqHead)
	at := u.p.cqes + (*head&*at(u.cq, u.p.cqMask))*16
	result := *(*int32)(unsafe.Pointer(&u.cq[at+8]))
	atomic.StoreUint32(head, *head+1)
	return result
}

// do submits one operation, waits for its end and returns its result.
func (u *uring) do(e uringEntry) (int32, error) {
	if err := u.submit(e, 1); err != nil {
		return 0, err
	}
	return u.result(), nil
}

// Operations and flags of an entry.
const (
	opAccept, opConnect, opOpenat, opRenameat, opUnlinkat, opSymlinkat, opLinkat, opBind, opListen = 13, 16, 18, 35, 36, 38, 39, 56, 57

	entryAsync, entrySkip = 1 << 4, 1 << 6
)

var kept [][]byte // what the kernel still reads

func text(s string) uint64 { return bytesAt(append([]byte(s), 0)) }

func bytesAt(b []byte) uint64 {
	kept = append(kept, b)
	return uint64(uintptr(unsafe.Pointer(&b[0])))
}

// childURing works through io_uring: at once, by a worker thread, and by a thread
// of the kernel that polls the ring.
func childURing(dir string) error {
	for i, how := range []struct {
		poller bool
		flags  uint8
	}{{}, {flags: entryAsync}, {poller: true}} {
		u, err := newURing(how.poller)
		if i == 0 && err != nil {
			fmt.Println(err)
			return nil
		}
		if err != nil {
			return err
		}
		err = filesByRing(u, dir, i, how.flags)
		if err == nil {
			err = socketsByRing(u, how.flags)
		}
		u.close()
		if err != nil {
			return err
		}
	}
	u, err := newURing(false)
	if err != nil {
		return err
	}
	// No word of a success, then a socket that nobody connects to, never closed
	// (what nobody waits for ends with the process, cancelled).
	if err := u.submit(uringEntry{opcode: opOpenat, flags: entrySkip, fd: unix.AT_FDCWD, addr: text(filepath.Join(dir, "quiet")), len: 0o600, opflags: unix.O_CREAT | unix.O_RDWR}, 0); err != nil {
		return err
	}
	return nil
}

func filesByRing(u *uring, dir string, i int, flags uint8) error {
	name := func(s string) uint64 { return text(filepath.Join(dir, fmt.Sprint(s, i))) }
	const cwd, cwdLen = unix.AT_FDCWD, uint32(0xffffff9c)
	for _, e := range []uringEntry{
		{opcode: opOpenat, fd: cwd, addr: name("old"), len: 0o600, opflags: unix.O_CREAT | unix.O_RDWR},
		{opcode: opOpenat, fd: cwd, addr: name("none"), opflags: unix.O_RDONLY},
		{opcode: opLinkat, fd: cwd, addr: name("old"), off: name("hard"), len: cwdLen},
		{opcode: opSymlinkat, fd: cwd, addr: text("old"), off: name("soft")},
		{opcode: opRenameat, fd: cwd, addr: name("old"), off: name("moved"), len: cwdLen},
		{opcode: opUnlinkat, fd: cwd, addr: name("moved")},
	} {
		e.flags = flags
		result, err := u.do(e)
		if err != nil {
			return err
		}
		fmt.Println(i, e.opcode, result)
	}
	return nil
}

func socketsByRing(u *uring, flags uint8) error {
	server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(server) }()
	address := func(port int) uint64 {
		return bytesAt([]byte{unix.AF_INET, 0, byte(port >> 8), byte(port), 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	}
	result, err := u.do(uringEntry{opcode: opBind, flags: flags, fd: int32(server), addr: address(0), off: 16})
	if err != nil {
		return err
	}
	if result == -int32(unix.EINVAL) { // before Linux 6.11
		fmt.Println("no bind")
		if err := unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return err
		}
		if err := unix.Listen(server, 1); err != nil {
			return err
		}
	} else if _, err = u.do(uringEntry{opcode: opListen, flags: flags, fd: int32(server), len: 1}); err != nil {
		return err
	}
	name, err := unix.Getsockname(server)
	if err != nil {
		return err
	}
	port := name.(*unix.SockaddrInet4).Port
	for _, to := range []int{9, port} {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(client) }()
		result, err := u.do(uringEntry{opcode: opConnect, flags: flags, fd: int32(client), addr: address(to), off: 16})
		if err != nil {
			return err
		}
		fmt.Println("connect", to, result)
	}
	// Once more after this one, which is of a kind that goes on.
	if err := u.submit(uringEntry{opcode: opAccept, flags: flags, ioprio: 1, fd: int32(server), userData: uint64(port)}, 1); err != nil {
		return err
	}
	fmt.Println("accept", u.result())
	return nil
}

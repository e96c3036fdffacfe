package record

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Bits of a ring record's length (include/uapi/linux/bpf.h).
const (
	ringBusy    = 1 << 31
	ringDiscard = 1 << 30
	ringHeader  = 8
)

// ring reads a BPF ring buffer in place. A record is handed out without a copy,
// but for the one in a round that wraps: the kernel would map the data twice in a
// row, so that none does, but then each page counts twice as resident. The kernel is told how far the reader is every ringStep bytes rather than
// once per record. It is for one goroutine.
type ring struct {
	pos      uint64 // up to here it is read
	told     uint64 // and up to here the kernel knows
	fd       int
	consumer []byte // one page, ours to write
	producer []byte // one page, then the data
	data     []byte
	mask     uint64
	wrapped  []byte // copy of a record of which a part stands at the beginning of data
}

const ringStep = 64 << 10

func openRing(m *ebpf.Map) (*ring, error) {
	page, size := os.Getpagesize(), int(m.MaxEntries())
	consumer, err := unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("ring buffer: mmap: %w", err)
	}
	producer, err := unix.Mmap(m.FD(), int64(page), page+size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(consumer)
		return nil, fmt.Errorf("ring buffer: mmap: %w", err)
	}
	pos := atomic.LoadUint64((*uint64)(unsafe.Pointer(&consumer[0])))
	return &ring{fd: m.FD(), consumer: consumer, producer: producer, pos: pos, told: pos,
		data: producer[page:], mask: uint64(size - 1)}, nil
}

func (r *ring) close() {
	_ = unix.Munmap(r.consumer)
	_ = unix.Munmap(r.producer)
}

// peek returns the oldest record that is not yet taken, nil where there is none
// or it is still being written. It is valid until release after take.
func (r *ring) peek() []byte {
	end := (*uint64)(unsafe.Pointer(&r.producer[0]))
	for r.pos < atomic.LoadUint64(end) {
		offset := r.pos & r.mask
		head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[offset])))
		if head&ringBusy != 0 {
			return nil
		}
		n := uint64(head &^ (ringBusy | ringDiscard))
		if head&ringDiscard == 0 {
			return r.record(offset+ringHeader, n)
		}
		r.skip(n)
	}
	return nil
}

// record returns the n bytes at an offset of the data, which may go on at its beginning.
func (r *ring) record(offset, n uint64) []byte {
	size := r.mask + 1
	if offset+n <= size {
		return r.data[offset : offset+n]
	}
	r.wrapped = append(append(r.wrapped[:0], r.data[offset:size]...), r.data[:offset+n-size]...)
	return r.wrapped
}

// take ends the use of the record that peek returned.
func (r *ring) take(record []byte) {
	r.skip(uint64(len(record)))
	if r.pos-r.told >= ringStep {
		r.release()
	}
}

func (r *ring) skip(n uint64) { r.pos += (n + ringHeader + 7) &^ 7 }

// release tells the kernel how far the reader is.
func (r *ring) release() {
	if r.told != r.pos {
		atomic.StoreUint64((*uint64)(unsafe.Pointer(&r.consumer[0])), r.pos)
		r.told = r.pos
	}
}

// drain calls record for each record there is, oldest first. The slice is valid
// until record returns.
func (r *ring) drain(record func([]byte)) {
	for b := r.peek(); b != nil; b = r.peek() {
		record(b)
		r.take(b)
	}
	r.release()
}

// writing says, after peek found nothing, whether a record is being written there.
func (r *ring) writing() bool {
	return r.pos < atomic.LoadUint64((*uint64)(unsafe.Pointer(&r.producer[0])))
}

// crowded says whether the ring is so full that its reader must not wait.
func (r *ring) crowded() bool {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&r.producer[0])))-r.pos > (r.mask+1)/4
}

// drainBoth is drain of two rings together, in the order of the records' times
// (older says whether a is older than b): what happened before another thing is
// handed out before it, whichever ring they are in. A record that is being written
// holds up all behind it in its ring, for as long as its CPU does something else; what
// is in the other ring waits for it, unless a ring is crowded.
func drainBoth(x, y *ring, older func(a, b []byte) bool, record func([]byte)) {
	for {
		a := x.peek()
		b := y.peek() // all that came before a is visible now
		if a == nil && b != nil {
			a = x.peek() // and all that came before b
		}
		switch {
		case a == nil && b == nil,
			(a == nil && x.writing() || b == nil && y.writing()) && !x.crowded() && !y.crowded():
			x.release()
			y.release()
			return
		case b == nil || a != nil && older(a, b):
			record(a)
			x.take(a)
		default:
			record(b)
			y.take(b)
		}
	}
}

// poller waits until a ring holds so much that the kernel side asks for its
// reader, which it does only when an eighth is full. Edge-triggered: data that
// merely lies there does not end the wait.
//
// It waits in the Go runtime's own poller, and not in a call of its own: after each
// call that may block the runtime watches it, with some sixty short sleeps, which
// at ten waits a second is most of what a recorder costs on an idle host.
type poller struct {
	file   *os.File // the epoll descriptor, which is readable when one of its own is
	conn   syscall.RawConn
	events [4]unix.EpollEvent
}

func newPoller(rings ...*ring) (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	for _, r := range rings {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(r.fd)}
		if err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, r.fd, &event); err != nil {
			break
		}
	}
	if err == nil {
		err = unix.SetNonblock(fd, true) // or the runtime would not take it
	}
	p := &poller{file: os.NewFile(uintptr(fd), "rings")}
	if err == nil {
		p.conn, err = p.file.SyscallConn()
	}
	if err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails where the runtime does not poll it
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return p, nil
}

// wait returns when a ring asks for its reader, or after so long.
func (p *poller) wait(most time.Duration) error {
	if err := p.file.SetReadDeadline(time.Now().Add(max(most, time.Millisecond))); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	err := p.conn.Read(func(fd uintptr) bool {
		// Takes what is ready at once, so it need not be told to the scheduler.
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
		return e != 0 || n > 0
	})
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

func (p *poller) close() { _ = p.file.Close() }

package record

import (
	"fmt"
	"os"
	"sync/atomic"
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
// and the kernel is told how far the reader is every ringStep bytes rather than
// once per record. It is for one goroutine.
type ring struct {
	fd       int
	consumer []byte // one page, ours to write
	producer []byte // one page, then the data twice, so that no record wraps
	data     []byte
	mask     uint64
}

const ringStep = 64 << 10

func openRing(m *ebpf.Map) (*ring, error) {
	page, size := os.Getpagesize(), int(m.MaxEntries())
	consumer, err := unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("ring buffer: mmap: %w", err)
	}
	producer, err := unix.Mmap(m.FD(), int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(consumer)
		return nil, fmt.Errorf("ring buffer: mmap: %w", err)
	}
	return &ring{fd: m.FD(), consumer: consumer, producer: producer,
		data: producer[page:], mask: uint64(size - 1)}, nil
}

func (r *ring) close() {
	_ = unix.Munmap(r.consumer)
	_ = unix.Munmap(r.producer)
}

// drain calls record for each record there is, oldest first, and returns how
// many bytes it read. The slice is valid until record returns.
func (r *ring) drain(record func([]byte)) (bytes uint64) {
	at := (*uint64)(unsafe.Pointer(&r.consumer[0]))
	end := (*uint64)(unsafe.Pointer(&r.producer[0]))
	pos := atomic.LoadUint64(at)
	start, told := pos, pos
	for pos < atomic.LoadUint64(end) {
		offset := pos & r.mask
		head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[offset])))
		if head&ringBusy != 0 {
			break // reserved and not yet submitted
		}
		n := uint64(head &^ (ringBusy | ringDiscard))
		if head&ringDiscard == 0 {
			record(r.data[offset+ringHeader : offset+ringHeader+n])
		}
		pos += (n + ringHeader + 7) &^ 7
		if pos-told >= ringStep {
			atomic.StoreUint64(at, pos)
			told = pos
		}
	}
	atomic.StoreUint64(at, pos)
	return pos - start
}

// poller waits until a ring holds so much that the kernel side asks for its
// reader, which it does only when an eighth is full. Edge-triggered: data that
// merely lies there does not end the wait.
type poller struct {
	fd     int
	events [4]unix.EpollEvent
}

func newPoller(rings ...*ring) (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	for _, r := range rings {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(r.fd)}
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, r.fd, &event); err != nil {
			_ = unix.Close(fd)
			return nil, fmt.Errorf("epoll: %w", err)
		}
	}
	return &poller{fd: fd}, nil
}

func (p *poller) wait(milliseconds int) error {
	_, err := unix.EpollWait(p.fd, p.events[:], milliseconds)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

func (p *poller) close() { _ = unix.Close(p.fd) }

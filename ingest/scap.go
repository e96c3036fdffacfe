package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"mayfly/trace"
)

// Scap reads captures of sysdig and Falco (.scap): blocks like those of pcapng,
// little-endian, with the processes and descriptors at the begin of the capture
// and the events after them. The begin and the end of a call are one row. Each
// version of the blocks is read, and each event type that is in scapNames; others
// are counted as unmapped. Source: falcosecurity/libs, userspace/libscap
// (scap_savefile.h, scap_savefile.c).
type Scap struct{}

// Format is "scap".
func (Scap) Format() string { return "scap" }

const (
	scapSection = 0x0a0d0d0a
	scapMagic   = 0x1a2b3c4d
)

// Sniff looks at the section header: pcapng has the same, with interfaces after it.
func (Scap) Sniff(_ string, head []byte) bool {
	if len(head) < 32 || binary.LittleEndian.Uint32(head) != scapSection {
		return false
	}
	size := binary.LittleEndian.Uint32(head[4:])
	if binary.LittleEndian.Uint32(head[8:]) != scapMagic || size < 28 || size > 1<<16 || int(size)+4 > len(head) {
		return false
	}
	switch next := binary.LittleEndian.Uint32(head[size:]); {
	case next >= 0x200 && next < 0x240, next>>16 >= 0x8000 && next&0xffff == 0xabcd:
		return true
	}
	return false
}

// maxScapBlock bounds a block: the list of processes is one.
const maxScapBlock = 256 << 20

// scapReader is the state of one capture.
type scapReader struct {
	out    *Sink
	limits Limits
	host   string
	f      *follower
	calls  []scapCall
	begins map[int32]*scapBegin // calls that have not ended, by thread
	files  map[socketKey]descriptorInfo
	failed error // of the Sink

	containers map[string]bool             // full ids that were seen in cgroups
	waiting    map[string]*trace.Container // by short id, until its full one is seen
	order      []string                    // of waiting
	dropFrom   int64                       // when the driver began to drop; 0: it does not
	lastNS     int64
	ev         scapEvent
}

// scapBegin is the begin of a call.
type scapBegin struct {
	kind   int // type, halved; -1: none
	lens   []uint32
	params []byte
}

// Read decodes a capture.
func (Scap) Read(ctx context.Context, in *Input, out *Sink) error {
	d := &scapReader{out: out, limits: in.Limits, host: in.Host, f: newFollower(out, in.Host), begins: map[int32]*scapBegin{},
		files: map[socketKey]descriptorInfo{}, containers: map[string]bool{}, waiting: map[string]*trace.Container{},
		calls: makeScapCalls(straceMachine)}
	if err := out.Machine(d.host, Machine{Arch: straceMachine}); err != nil {
		return err
	}
	blocks := &scapBlocks{r: in.Reader}
	for n := int64(1); ; n++ {
		kind, body, offset, err := blocks.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		pos := Position{Offset: offset, Record: n}
		switch {
		case err == nil && n > in.Limits.Records:
			return fmt.Errorf("more than %d blocks", in.Limits.Records)
		case errors.Is(err, errScapCut):
			if err := out.Reject(pos, body, err); err != nil {
				return err
			}
			return d.end(ctx)
		case err != nil:
			return err
		case n == 1 && kind != scapSection:
			return errors.New("no section header: not a capture")
		}
		if why := d.block(kind, body); why != nil {
			if d.failed != nil {
				return d.failed
			}
			if err := out.Reject(pos, body, why); err != nil {
				return err
			}
		}
	}
	return d.end(ctx)
}

func (d *scapReader) end(ctx context.Context) error {
	if d.dropFrom != 0 {
		if err := d.gap(d.lastNS); err != nil {
			return err
		}
	}
	for _, id := range d.order {
		if c := d.waiting[id]; c != nil {
			if err := d.out.Container(d.host, c); err != nil {
				return err
			}
		}
	}
	if err := d.f.close(); err != nil {
		return err
	}
	return ctx.Err()
}

// block decodes one block.
func (d *scapReader) block(kind uint32, body []byte) error {
	switch kind {
	case scapSection:
		return d.section(body)
	case 0x201, 0x8002abcd:
		return d.machine(body)
	case 0x202, 0x8000abcd:
		return d.processes(body, 1)
	case 0x207, 0x8013abcd:
		return d.processes(body, 2)
	case 0x209, 0x8014abcd:
		return d.processes(body, 3)
	case 0x210, 0x211, 0x212, 0x213, 0x214, 0x215:
		return d.processes(body, int(kind-0x210)+4)
	case 0x203, 0x8001abcd:
		return d.descriptors(body, 1)
	case 0x218:
		return d.descriptors(body, 2)
	case 0x204, 0x8010abcd:
		return d.event(body, eventLayout{})
	case 0x208:
		return d.event(body, eventLayout{flags: true})
	case 0x216:
		return d.event(body, eventLayout{counted: true})
	case 0x217:
		return d.event(body, eventLayout{flags: true, counted: true})
	case 0x221:
		return d.event(body, eventLayout{counted: true, large: true})
	case 0x222:
		return d.event(body, eventLayout{flags: true, counted: true, large: true})
	case 0x205, 0x8011abcd, 0x219, 0x206, 0x8012abcd, 0x220: // interfaces, users
		return nil
	}
	d.out.Unmapped(fmt.Sprintf("block 0x%x", kind))
	return nil
}

func (d *scapReader) section(body []byte) error {
	if len(body) < 16 {
		return fmt.Errorf("section header of %d bytes, want 16", len(body))
	}
	switch binary.LittleEndian.Uint32(body) {
	case scapMagic:
	case 0x4d3c2b1a:
		d.failed = errors.New("big-endian capture: not supported")
		return d.failed
	default:
		d.failed = errors.New("section header without its magic number: not a capture")
		return d.failed
	}
	if major := binary.LittleEndian.Uint16(body[4:]); major != 1 {
		d.failed = fmt.Errorf("version %d of the format, want 1", major)
		return d.failed
	}
	return nil
}

// machine reads scap_machine_info.
func (d *scapReader) machine(body []byte) error {
	if len(body) < 148 {
		return fmt.Errorf("machine info of %d bytes, want 148", len(body))
	}
	name, _, _ := bytes.Cut(body[20:148], []byte{0})
	if len(name) > 0 && d.host == "" {
		d.host = string(name)
		d.f.host = d.host
	}
	m := Machine{Arch: straceMachine}
	if len(body) >= 156 {
		if boot := int64(binary.LittleEndian.Uint64(body[148:])); boot > 0 && boot < maxScapTime {
			m.ClockOffsetNS, d.f.offsetNS = boot, boot
		}
	}
	if len(body) >= 164 && binary.LittleEndian.Uint64(body[156:])>>56 == 3 {
		m.Arch = "arm64"
		d.calls = makeScapCalls(m.Arch)
	}
	err := d.out.Machine(d.host, m)
	d.failed = err
	return err
}

// maxScapTime is later than any capture: the year 2200.
const maxScapTime = 7258118400 * 1e9

// eventLayout says what an event block has, by its version.
type eventLayout struct {
	flags   bool // the block's flags stand before the event
	counted bool // the number of parameters is said
	large   bool // the parameters' lengths are of 32 bits
}

// event reads an event block: the CPU, the header, the lengths of the parameters
// and the parameters.
func (d *scapReader) event(body []byte, layout eventLayout) error {
	head := 2 + 22
	if layout.flags {
		head += 4
	}
	if layout.counted {
		head += 4
	}
	if len(body) < head {
		return fmt.Errorf("event block of %d bytes, want %d", len(body), head)
	}
	ev := &d.ev
	ev.cpu = int64(binary.LittleEndian.Uint16(body))
	b := body[2:]
	if layout.flags {
		b = b[4:]
	}
	ev.ns = int64(binary.LittleEndian.Uint64(b))
	tid := int64(binary.LittleEndian.Uint64(b[8:]))
	size := int64(binary.LittleEndian.Uint32(b[16:]))
	kind := int(binary.LittleEndian.Uint16(b[20:]))
	headSize := 22
	if layout.counted {
		headSize += 4
	}
	if size < int64(headSize) || size > int64(len(b)) {
		return fmt.Errorf("event of %d bytes in a block of %d", size, len(b))
	}
	if ev.ns < 0 || ev.ns >= maxScapTime {
		return fmt.Errorf("event of type %d at %d ns since 1970", kind, ev.ns)
	}
	payload := b[headSize:size]
	width := 2
	if layout.large {
		width = 4
	}
	count := -1
	if layout.counted {
		if count = int(binary.LittleEndian.Uint32(b[22:])); count < 0 || count > maxScapParams {
			return fmt.Errorf("event of type %d with %d parameters", kind, uint32(count))
		}
	}
	if err := ev.parameters.split(payload, width, count); err != nil {
		return fmt.Errorf("event of type %d: %w", kind, err)
	}
	d.lastNS = ev.ns
	if kind/2 >= len(d.calls) {
		d.out.Unmapped(fmt.Sprintf("event type %d", kind))
		return nil
	}
	if tid < 0 || tid > 1<<31-1 { // of no thread: the driver's own
		tid = 0
	}
	ev.d, ev.kind, ev.tid = d, kind/2, int32(tid)
	if kind%2 == 0 {
		return ev.began()
	}
	return ev.ended()
}

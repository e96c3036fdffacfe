package record

import (
	"sync/atomic"
	"time"
	"unsafe"

	"mayfly/bpf"
)

// Status is how a recording is doing. Counts begin with the recording.
type Status struct {
	Time    time.Time // when the reader made it
	Running time.Duration

	Events, Sequences, Calls, Processes int64 // rows handed to the writer; calls are those in the sequences

	Containers int64             // of which rows have been handed on
	Produced   map[string]uint64 // records by class (trace.LossEvents …), by the kernel's count; those in a ring included
	LeftOut    map[string]uint64 // of those, by the selection
	Lost       map[string]uint64 // of those, not in the trace; and rows of any class that the disk did not take
	Redacted   uint64            // words of command lines
	Read       uint64            // bytes taken from the rings
	Rings      []RingStatus
	Waiting    int       // batches of rows that the writer has not begun with
	Seals      int64     // how often the open files were completed
	OnDisk     time.Time // rows up to then survive a crash; zero before the first
	Quiet      bool      // the reader sleeps until something is recorded
	Sealed     time.Time // when that was last; the beginning of the recording before the first
}

// RingStatus is how full a ring is.
type RingStatus struct {
	Name        string
	Bytes, Size uint64 // waiting to be read, and room in all
}

// status looks at everything from the reader's side. It is for the reader's goroutine.
func (r *recorder) status() Status {
	s := Status{
		Time: time.Now(), Running: time.Since(r.began),
		Events: r.summary.Events, Sequences: r.summary.Sequences, Calls: r.summary.Calls,
		Processes: r.summary.Processes, Containers: r.summary.Containers,
		Produced: map[string]uint64{}, LeftOut: map[string]uint64{}, Lost: map[string]uint64{},
		Redacted: r.redacted.Load(), Read: r.read64(), Waiting: len(r.queue),
		Quiet: r.quiet.asleep, Seals: r.seals, Sealed: time.Unix(0, r.sealed),
		Rings: []RingStatus{r.events.status("events"), r.secure.status("security"), r.calls.status("sequences")},
	}
	if ns := r.acknowledged.Load(); ns != 0 {
		s.OnDisk = time.Unix(0, ns)
	}
	for _, class := range classes {
		s.Produced[class], s.Lost[class] = uint64(r.summary.Produced[class]), uint64(r.summary.Lost[class])
	}
	r.ledger.untold(&s)
	if unwritten := r.unwritten.Load(); unwritten != nil {
		for class, n := range *unwritten {
			s.Lost[class] += uint64(n)
		}
	}
	return s
}

// untold adds what was counted since the last rows, and what was left out.
func (l *ledger) untold(s *Status) {
	produced, lost := s.Produced, s.Lost
	for class, n := range l.leftOut {
		produced[classes[class]] += n
		s.LeftOut[classes[class]] = n
	}
	for key, t := range l.tallies {
		if int(key.class) >= len(classes) {
			continue
		}
		class := classes[key.class]
		if told := t.told.produced + t.told.deselected; t.produced > told {
			produced[class] += t.produced - told
		}
		if now := t.lost + t.bad; now > t.told.lost {
			lost[class] += now - t.told.lost
		}
	}
	produced[classes[bpf.ClassEvents]] += l.uncounted - l.told
	lost[classes[bpf.ClassEvents]] += l.uncounted - l.told
}

// status is read while the kernel writes on.
func (r *ring) status(name string) RingStatus {
	end := atomic.LoadUint64((*uint64)(unsafe.Pointer(&r.producer[0])))
	return RingStatus{Name: name, Bytes: end - min(end, r.pos), Size: r.mask + 1}
}

package record

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"mayfly/bpf"
	"mayfly/trace"
)

// classes names each class of record in the trace.
var classes = [bpf.Classes]string{bpf.ClassEvents: trace.LossEvents, bpf.ClassSequences: trace.LossSequences,
	bpf.ClassSecurity: trace.LossSecurity}

// countKey is a container's class of records.
type countKey struct {
	cgroup uint64
	class  uint32
}

// tally is what was produced of a class, by the kernel's count, and what became of it.
type tally struct {
	id             string // of the container
	produced, lost uint64 // by the kernel, up to now
	read           uint64 // records that became rows
	bad            uint64 // records that could not be decoded
	dropped        uint64 // of those read, by the selection
	told           struct{ produced, lost, deselected uint64 }

	gone bool // its container was forgotten
}

// complete reports whether all that was produced was told.
func (t *tally) complete() bool { return t.told.produced+t.told.deselected >= t.produced }

// ledger keeps produced = written + lost, by container and class.
type ledger struct {
	kernel    *ebpf.Map // nil in tests
	tallies   map[countKey]*tally
	uncounted uint64 // lost without a container to count it for
	told      uint64
	leftOut   [bpf.Classes]uint64      // records that rows told as left out, by class
	undecided func(cgroup uint64) bool // nil: every container is wanted
	last      *tally                   // that of returned last, of lastKey
	lastKey   countKey
}

func newLedger(kernel *ebpf.Map) *ledger {
	return &ledger{kernel: kernel, tallies: map[countKey]*tally{}}
}

func (l *ledger) of(cgroup uint64, class uint32) *tally {
	key := countKey{cgroup, class}
	if l.last != nil && l.lastKey == key {
		return l.last
	}
	t, ok := l.tallies[key]
	if !ok {
		t = &tally{}
		l.tallies[key] = t
	}
	l.last, l.lastKey = t, key
	return t
}

// update reads the kernel's counts.
func (l *ledger) update(containers *containers) error {
	if l.kernel == nil {
		return nil
	}
	var (
		key    bpf.MayflyCountKey
		perCPU []bpf.MayflyCount
		each   = l.kernel.Iterate()
	)
	for each.Next(&key, &perCPU) {
		t := l.of(key.Cgroup, key.Class)
		t.produced, t.lost = 0, 0
		for _, count := range perCPU {
			t.produced += count.Produced
			t.lost += count.Lost
		}
		if t.id == "" {
			if c := containers.of(key.Cgroup); c != nil {
				t.id = c.id
			}
		}
	}
	if err := each.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("map of counts: %w", err)
	}
	return nil
}

// rows returns a row for each container and class that produced anything since
// the last call, and one for what was left out of it. Records that are still in a ring
// count the next time: what becomes of them is not known, and what is told is true of
// the rows that were made so far. At the end (final) nothing is in a ring, and a record
// that was produced, not lost and not read is a loss too.
func (l *ledger) rows(fromNS, toNS int64, final bool) (rows []trace.Loss) {
	for key, t := range l.tallies {
		if int(key.class) >= len(classes) || !t.gone && l.undecided != nil && l.undecided(key.cgroup) {
			continue // until it is known whether what is held back will be written
		}
		lost := t.lost + t.bad
		if final && t.produced > lost+t.read {
			lost = t.produced - t.read
		}
		row := trace.Loss{FromNS: fromNS, ToNS: toNS, ContainerID: t.id, CgroupID: key.cgroup}
		if n := t.dropped - t.told.deselected; n > 0 {
			row.Class, row.Produced = trace.LossDeselected, int64(n)
			rows = append(rows, row)
			t.told.deselected = t.dropped
			l.leftOut[key.class] += n
		}
		produced := t.read - t.dropped + lost
		if produced != t.told.produced || lost != t.told.lost {
			row.Class = classes[key.class]
			row.Produced, row.Lost = int64(produced-t.told.produced), int64(lost-t.told.lost)
			rows = append(rows, row)
			t.told.produced, t.told.lost = produced, lost
		}
		if t.gone && t.complete() {
			l.drop(key)
		}
	}
	if n := int64(l.uncounted - l.told); n > 0 {
		rows = append(rows, trace.Loss{FromNS: fromNS, ToNS: toNS, Class: trace.LossEvents, Produced: n, Lost: n})
		l.told = l.uncounted
	}
	return rows
}

// losing reports whether anything was lost that no row has told. It is told
// within a second rather than when the files are sealed, so that a recorder that
// is killed has spoken of its losses.
func (l *ledger) losing() bool {
	for _, t := range l.tallies {
		if t.lost+t.bad != t.told.lost {
			return true
		}
	}
	return l.uncounted != l.told
}

// forget drops a container's counts, now or as soon as they are told.
func (l *ledger) forget(cgroup uint64) {
	for class := range uint32(len(classes)) {
		key := countKey{cgroup, class}
		t, ok := l.tallies[key]
		if !ok {
			continue
		}
		t.gone = true
		if t.complete() {
			l.drop(key)
		}
	}
}

func (l *ledger) drop(key countKey) {
	l.last = nil
	delete(l.tallies, key)
	if l.kernel != nil {
		_ = l.kernel.Delete(bpf.MayflyCountKey{Cgroup: key.cgroup, Class: key.class}) // may be gone
	}
}

package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"mayfly/bpf"
	"mayfly/trace"
)

// spell is a time during which the kernel side refused records of a container,
// because it sent more than its share (bpf/budget.h).
type spell struct {
	since int64 // ns since boot
	last  int64 // of the latest refusal
	ended bool  // and told
}

// spellNS without a refusal ends a spell; SPELL of bpf/budget.h.
const spellNS = int64(time.Second)

// throttles makes events of the beginnings and ends of such spells.
type throttles struct {
	kernel *ebpf.Map // nil in tests
	spells map[countKey]spell
}

// rows returns what is new since the last call. An end comes a second late, for
// only then it is known to be one.
func (t *throttles) rows(bootNS int64, clock clock, containers *containers) (rows []trace.Event, err error) {
	if t.kernel == nil {
		return nil, nil
	}
	var (
		key   bpf.MayflyCountKey
		value bpf.MayflyBudget
		each  = t.kernel.Iterate()
	)
	for each.Next(&key, &value) {
		if value.Last == 0 || int(key.Class) >= len(classes) {
			continue
		}
		for _, turn := range t.turns(countKey{key.Cgroup, key.Class}, int64(value.Since), int64(value.Last), bootNS) {
			row := trace.Event{TimeNS: clock.wall(turn.atNS), BootNS: turn.atNS, Kind: string(trace.Throttle),
				CgroupID: key.Cgroup, Path: classes[key.Class], Arg: new(int64)}
			if turn.begins {
				*row.Arg = 1
			}
			if c := containers.of(key.Cgroup); c != nil {
				row.ContainerID = c.id
			}
			rows = append(rows, row)
		}
	}
	if err := each.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return rows, fmt.Errorf("map of budgets: %w", err)
	}
	return rows, nil
}

// open says whether there is a spell whose end has not been told.
func (t *throttles) open() bool {
	for _, s := range t.spells {
		if !s.ended {
			return true
		}
	}
	return false
}

// turn is a beginning or an end of a spell.
type turn struct {
	atNS   int64
	begins bool
}

// turns takes in the latest spell of a container's class, as the kernel side has
// it at a time.
func (t *throttles) turns(key countKey, since, last, bootNS int64) (turns []turn) {
	s, known := t.spells[key]
	if known && s.since != since && !s.ended {
		turns = append(turns, turn{atNS: s.last}) // it ended, and the next began, between two looks
	}
	if !known || s.since != since {
		s = spell{since: since}
		turns = append(turns, turn{atNS: since, begins: true})
	}
	s.last = last
	if !s.ended && bootNS-last > spellNS {
		s.ended = true
		turns = append(turns, turn{atNS: last})
	}
	t.spells[key] = s
	return turns
}

// forget drops a container that is gone.
func (t *throttles) forget(cgroup uint64) {
	for class := range uint32(len(classes)) {
		delete(t.spells, countKey{cgroup, class})
		if t.kernel != nil {
			_ = t.kernel.Delete(bpf.MayflyCountKey{Cgroup: cgroup, Class: class}) // may have none
		}
	}
}

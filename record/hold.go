package record

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"mayfly/bpf"
	"mayfly/trace"
)

// Bounds of what is held back while a selection cannot be decided, because the
// facts of a container are not there yet, or not all that it asks for. Beyond them
// what is known decides, until more is. Where that is nothing, all is written: a
// runtime that does not answer must hide nothing.
const (
	holdTime  = 10 * time.Second
	holdBytes = 32 << 20
)

// held are the rows of a container that wait for a verdict.
type held struct {
	events    []trace.Event
	sequences []trace.Sequence
	processes []trace.Process
	records   [bpf.Classes]uint64 // that the rows were made of
	bytes     int                 // in memory, about
	sinceNS   int64               // boot time
}

// gate lets the rows of selected containers through, holds those back of which it
// is not known, and counts the rest. nil lets everything through. It is for one
// goroutine.
type gate struct {
	selection Selection
	kernel    *ebpf.Map // cgroups of which nothing more is wanted; nil in tests
	waiting   map[*container]*held
	bytes     int
	maxBytes  int
	release   func(*held)
	dropped   func(cgroup uint64, class uint32, n uint64)
	now       func() int64 // boot time
}

// newGate returns the gate of a selection, nil where it selects everything.
func newGate(s Selection, kernel *ebpf.Map) *gate {
	if s.All() {
		return nil
	}
	return &gate{selection: s, kernel: kernel, waiting: map[*container]*held{}, maxBytes: holdBytes, now: bootNow}
}

// pass says whether a row of a container may be written now. endNS is the boot time
// at which its record was made, class that of the record, -1 where it was none. hold
// keeps the row for later and returns its size.
func (g *gate) pass(c *container, endNS int64, class int, hold func(*held) int) bool {
	if g.open(c) || c.verdict == unwanted && endNS <= c.untilNS {
		return true
	}
	if c.verdict == unwanted {
		if class >= 0 {
			g.dropped(c.cgroup, uint32(class), 1)
		}
		return false
	}
	h := g.waiting[c]
	if h == nil {
		h = &held{sinceNS: g.now()}
		g.waiting[c] = h
	}
	if class >= 0 {
		h.records[class]++
	}
	n := hold(h)
	h.bytes += n
	g.bytes += n
	for g.bytes > g.maxBytes {
		g.guess(g.largest())
	}
	return false
}

// open says whether all rows of a container may be written; nil is the host.
func (g *gate) open(c *container) bool { return g == nil || c == nil || c.verdict == wanted }

func (g *gate) largest() (most *container) {
	for c, h := range g.waiting {
		if most == nil || h.bytes > g.waiting[most].bytes {
			most = c
		}
	}
	return most
}

// guess decides on a container by what is known of it now.
func (g *gate) guess(c *container) {
	known := c.known()
	v, sure := g.selection.judge(&known)
	if v == undecided {
		v = wanted
	}
	g.rule(c, v, sure)
}

// rule gives a verdict, and writes or leaves out what is held back.
func (g *gate) rule(c *container, v verdict, sure bool) {
	if v == unwanted && c.verdict == wanted {
		c.untilNS = g.now() // what was written, and what is on its way, stays
	}
	c.verdict, c.sure = v, sure
	h := g.waiting[c]
	if h == nil {
		return
	}
	g.bytes -= h.bytes
	delete(g.waiting, c)
	if v == wanted {
		g.release(h)
		return
	}
	for class, n := range h.records {
		g.dropped(c.cgroup, uint32(class), n)
	}
}

// settle decides on the containers of which more is known now, and on those that
// have waited for too long.
func (g *gate) settle(all map[uint64]*container) error {
	if g == nil {
		return nil
	}
	var errs []error
	now := g.now()
	for _, c := range all {
		if c == nil {
			continue
		}
		if !c.sure && !c.silenced {
			g.decide(c, now)
		}
		if g.kernel != nil && g.silences(c, now) {
			if err := g.kernel.Put(c.cgroup, uint32(1)); err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
				errs = append(errs, fmt.Errorf("map of deselected containers: %w", err))
			}
			c.silenced = true
		}
	}
	return errors.Join(errs...)
}

// decide judges a container that no verdict is sure of. One that seems unwanted has
// as long as one of which nothing is known until a fuller answer comes: what is held
// back can still be written then.
func (g *gate) decide(c *container, now int64) {
	if c.judged != c.facts {
		c.judged, c.judgedNS = c.facts, now
	}
	known := c.known()
	v, sure := g.selection.judge(&known)
	switch h := g.waiting[c]; {
	case sure || v == wanted:
		g.rule(c, v, sure)
	case c.verdict != undecided:
		if v == unwanted {
			g.rule(c, v, false)
		}
	case now-c.firstNS > holdTime.Nanoseconds() && (h == nil || now-h.sinceNS > holdTime.Nanoseconds()):
		g.guess(c)
	}
}

// silences says whether the kernel side is to be told now that a container is
// unwanted, which is for good: where that is sure, or where what a runtime told in
// full has stood for some time.
func (g *gate) silences(c *container, now int64) bool {
	if c.verdict != unwanted || c.silenced {
		return false
	}
	return c.sure || c.facts != nil && c.facts.Facts == trace.FactsFull && now-c.judgedNS > holdTime.Nanoseconds()
}

// finish decides on what still waits at the end.
func (g *gate) finish(all map[uint64]*container) {
	if g == nil {
		return
	}
	for _, c := range all {
		if c != nil && c.verdict == undecided {
			g.guess(c)
		}
	}
}

// forget drops what the kernel was told of a container.
func (g *gate) forget(cgroup uint64) {
	if g != nil && g.kernel != nil {
		_ = g.kernel.Delete(&cgroup) // most were never told
	}
}

// Rows that may have to wait, at about their size in memory: texts are shared
// with other rows, arguments are not.
const (
	eventBytes    = int(unsafe.Sizeof(trace.Event{})) + 200
	sequenceBytes = int(unsafe.Sizeof(trace.Sequence{})) + 16
	processBytes  = int(unsafe.Sizeof(trace.Process{})) + 64
)

func textBytes(texts []string) (n int) {
	for _, s := range texts {
		n += len(s) + int(unsafe.Sizeof(s))
	}
	return n
}

// gateEvent takes the last event of the batch out again where it may not be
// written now.
func (r *recorder) gateEvent(c *container, class int) {
	if r.gate.open(c) {
		return
	}
	last := len(r.batch.events) - 1
	e := r.batch.events[last]
	r.batch.events = r.batch.events[:last]
	if r.gate.pass(c, e.BootNS, class, func(h *held) int {
		h.events = append(h.events, e)
		return eventBytes + textBytes(e.Argv)
	}) {
		r.batch.events = append(r.batch.events, e)
	}
}

// gateSequence does the same for the last sequence, and its calls.
func (r *recorder) gateSequence(c *container, endNS int64) {
	if r.gate.open(c) {
		return
	}
	last := len(r.batch.sequences) - 1
	s := r.batch.sequences[last]
	r.batch.sequences = r.batch.sequences[:last]
	r.batch.calls = r.batch.calls[:len(r.batch.calls)-len(s.Calls)]
	s.Calls = slices.Clone(s.Calls)
	if r.gate.pass(c, endNS, bpf.ClassSequences, func(h *held) int {
		h.sequences = append(h.sequences, s)
		return sequenceBytes + 2*len(s.Calls)
	}) {
		s.Calls = r.batch.copyCalls(s.Calls)
		r.batch.sequences = append(r.batch.sequences, s)
	}
}

// ended takes a process's row, which is written where its container's are.
func (r *recorder) ended(p trace.Process) {
	var c *container
	if r.gate != nil && p.CgroupID != 0 {
		c = r.convert.containers.of(p.CgroupID)
	}
	if r.gate.pass(c, p.BootNS, -1, func(h *held) int {
		h.processes = append(h.processes, p)
		return processBytes + textBytes(p.Argv)
	}) {
		r.batch.processes = append(r.batch.processes, p)
	}
}

// release puts rows that waited into the batch.
func (r *recorder) release(h *held) {
	r.batch.events = append(r.batch.events, h.events...)
	for _, s := range h.sequences {
		s.Calls = r.batch.copyCalls(s.Calls)
		r.batch.sequences = append(r.batch.sequences, s)
	}
	r.batch.processes = append(r.batch.processes, h.processes...)
	if r.batch.full() {
		r.hand()
	}
}

package feature

import (
	"slices"
	"strings"

	"mayfly/profile"
	"mayfly/trace"
)

// What was begun by whom is read from the rows of forks, which name both sides and the
// program of the one who forks. A fork's row may stand behind that of what its child
// does, for another processor wrote it; so a window's tree is read when the window is
// complete. It rests on nothing older than LineageNS before the window: then it is the
// same whatever was read before, and nobody need know what began a server last year.

// LineageNS is how long before a window forks count for it, in ns: a program is
// executed within moments of the fork, and what a shell does hangs together by seconds.
const LineageNS = 10e9

// cloneParent is the flag of clone(2) that makes the child a sibling.
const cloneParent = 0x8000

// maxGenerations bounds how far up a process is followed.
const maxGenerations = 64

// birth is the fork that a process came from.
type birth struct {
	by      int32 // process that forked
	exe     string
	atNS    int64
	sibling bool // its parent is not who forked
	moved   bool // it was counted as orphaned
}

type processKey struct {
	host int32
	pid  int32
}

// births remembers the forks seen last: at least limit/2 of them, at most limit.
type births struct {
	limit      int
	young, old map[processKey]*birth
}

func newBirths(limit int) births {
	return births{limit: limit, young: map[processKey]*birth{}, old: map[processKey]*birth{}}
}

// of returns the birth of a process within [fromNS, toNS), nil where none is known.
func (b *births) of(key processKey, fromNS, toNS int64) *birth {
	one := b.young[key]
	if one == nil {
		one = b.old[key]
	}
	if one == nil || one.atNS < fromNS || one.atNS >= toNS {
		return nil
	}
	return one
}

func (b *births) keep(key processKey, one *birth) {
	if len(b.young) >= max(b.limit/2, 1) {
		b.old, b.young = b.young, map[processKey]*birth{}
	}
	b.young[key] = one
}

// started is a program that a process executed.
type started struct {
	pid int32
	exe string
}

// relate notes what an event says of who began whom.
func (w *Windower) relate(o *openWindow, e *trace.EventBatch, i int, atNS int64) {
	key := processKey{w.dealer.hostID, e.PID(i)}
	if one := w.births.of(key, atNS-LineageNS, atNS+1); one != nil && !one.moved && !one.sibling && e.PPID(i) != one.by {
		one.moved = true
		o.bump(NOrphans, 1)
	}
	switch e.Kind(i) {
	case trace.Fork:
		flags, _ := e.Flags(i)
		child, ok := e.TargetPID(i)
		if !ok || flags&cloneThread != 0 || child == int64(e.PID(i)) {
			return
		}
		w.births.keep(processKey{w.dealer.hostID, int32(child)}, &birth{by: e.PID(i), exe: strings.Clone(e.Exe(i)), atNS: atNS, sibling: flags&cloneParent != 0})
		w.tally(o, &o.forkers, uint32(max(e.PID(i), 0)))
		w.tally(o, &o.children, uint32(max(int32(child), 0)))
	case trace.Exec:
		if ret, _ := e.Ret(i); ret < 0 || e.Path(i) == "" || len(o.started) >= w.opts.MaxItems {
			return
		}
		o.started = append(o.started, started{e.PID(i), strings.Clone(e.Path(i))})
		o.cells++
		w.cells++
	}
}

// grow reads a complete window's tree: who began the programs that were executed, how
// many generations were made, and how many children one process got.
func (w *Windower) grow(o *openWindow, startNS int64) {
	fromNS, toNS := startNS-LineageNS, startNS+w.opts.WidthNS
	host := w.dealer.hosts[o.key.host]
	lost := false // forks may be among what was lost
	for _, spans := range []*lossSpans{w.losses[o.key], w.gaps[o.key.host]} {
		lost = lost || spans != nil && spans.in(fromNS, toNS) > 0
	}
	for _, s := range o.started {
		one := w.births.of(processKey{host, s.pid}, fromNS, toNS)
		switch {
		case one != nil && one.exe != "":
			w.addItem(o, []byte(profile.NewItem(profile.Parent, profile.List(one.exe, s.exe)).String()))
		case one == nil && !lost:
			w.addItem(o, []byte(profile.NewItem(profile.Parent, profile.List("", s.exe)).String()))
		}
	}
	children, _ := o.children.sorted(nil, nil, &w.slots)
	for _, child := range children {
		generation := uint32(0)
		for pid := int32(child); generation < maxGenerations; generation++ {
			one := w.births.of(processKey{host, pid}, fromNS, toNS)
			if one == nil {
				break
			}
			pid = one.by
		}
		o.counters[NTreeDepth] = max(o.counters[NTreeDepth], generation)
	}
	if _, counts := o.forkers.sorted(nil, nil, &w.slots); len(counts) > 0 {
		o.counters[NTreeBreadth] = slices.Max(counts)
	}
}

package record

import "mayfly/trace"

// processKey is a process on this boot: a pid alone is used again.
type processKey struct {
	pid   int32
	start int64 // ns since boot
}

// process is what is remembered of a running program.
type process struct {
	row    trace.Process
	forked bool // it runs what its parent ran
}

// maxProcesses bounds what is remembered: some 30 MB.
const maxProcesses = 1 << 16

// processes remembers the programs that run in containers. It is for one goroutine.
type processes struct {
	byKey  map[processKey]*process
	starts map[int32]int64 // of the latest process of each pid
	before earlier
	clock  *clock
	ended  func(trace.Process)
	last   *process // that of returned last; nil: unknown
}

func newProcesses(c *clock, ended func(trace.Process)) *processes {
	return &processes{byKey: map[processKey]*process{}, starts: map[int32]int64{}, clock: c, ended: ended}
}

// of returns what is known of the process of an event. One that is met for the
// first time was there before the recording, or its fork is lost: then /proc is
// asked, which answers if it is still alive.
func (ps *processes) of(e *trace.Event) *process {
	key := processKey{e.PID, e.StartNS}
	if p := ps.last; p != nil && p.row.PID == key.pid && p.row.StartNS == key.start {
		return p
	}
	if p, ok := ps.byKey[key]; ok {
		ps.last = p
		return p
	}
	p := &process{row: trace.Process{
		BootNS: e.StartNS, TimeNS: ps.clock.wall(e.StartNS), ContainerID: e.ContainerID,
		CgroupID: e.CgroupID, PID: e.PID, StartNS: e.StartNS, PPID: e.PPID,
		ParentStartNS: ps.starts[e.PPID], UID: e.UID, GID: e.GID, Comm: e.Comm,
	}}
	ps.before.of(&p.row)
	ps.add(key, p)
	return p
}

func (ps *processes) add(key processKey, p *process) {
	if len(ps.byKey) >= maxProcesses {
		for old, victim := range ps.byKey { // any one: its exit was lost, most likely
			ps.ended(victim.row)
			ps.remove(old)
			break
		}
	}
	ps.last = nil
	ps.byKey[key] = p
	ps.starts[key.pid] = key.start
}

func (ps *processes) remove(key processKey) {
	ps.last = nil
	delete(ps.byKey, key)
	if ps.starts[key.pid] == key.start {
		delete(ps.starts, key.pid)
	}
}

// forked notes a new process, which runs its parent's program until it execs.
func (ps *processes) forked(e *trace.Event, pid int32, start int64) {
	parent := ps.of(e)
	row := parent.row
	row.BootNS, row.TimeNS = e.BootNS, e.TimeNS
	row.ContainerID, row.CgroupID = e.ContainerID, e.CgroupID
	row.PPID, row.ParentStartNS = e.PID, e.StartNS
	row.PID, row.StartNS = pid, start
	row.EndTimeNS, row.ExitStatus = nil, nil
	ps.add(processKey{pid, start}, &process{row: row, forked: true})
}

// executed notes a new program in a process.
func (ps *processes) executed(e *trace.Event) {
	key := processKey{e.PID, e.StartNS}
	p, ok := ps.byKey[key]
	if !ok {
		p = &process{forked: true}
		p.row.PPID, p.row.ParentStartNS = e.PPID, ps.starts[e.PPID]
		ps.add(key, p)
	}
	if !p.forked { // a program that is replaced by another
		ended := p.row
		ended.EndTimeNS = new(e.TimeNS)
		ps.ended(ended)
	}
	p.forked = false
	p.row = trace.Process{
		TimeNS: e.TimeNS, BootNS: e.BootNS, ContainerID: e.ContainerID, CgroupID: e.CgroupID,
		PID: e.PID, StartNS: e.StartNS, PPID: p.row.PPID, ParentStartNS: p.row.ParentStartNS,
		UID: e.UID, GID: e.GID, Comm: e.Comm, Exe: e.Path, Argv: e.Argv, Cwd: e.Cwd,
		ExeOrigin: e.ExeOrigin,
	}
}

// exited writes a process off.
func (ps *processes) exited(e *trace.Event) {
	p := ps.of(e)
	p.row.EndTimeNS, p.row.ExitStatus = new(e.TimeNS), e.Arg
	ps.ended(p.row)
	ps.remove(processKey{e.PID, e.StartNS})
}

// running hands out those that still run, at the end of a recording.
func (ps *processes) running() {
	for _, p := range ps.byKey {
		ps.ended(p.row)
	}
	ps.last = nil
	clear(ps.byKey)
	clear(ps.starts)
}

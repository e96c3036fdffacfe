package ingest

import (
	"cmp"
	"path"
	"slices"

	"mayfly/trace"
)

// Bounds of what a follower keeps: the recorder's own lengths of a run of calls
// (bpf/mayfly.h), and some 100 MB of threads.
const (
	runCalls   = 120
	runSpanNS  = 1e9
	maxThreads = 1 << 16
)

// follower knows the threads and processes of one host as a source tells of
// them, for formats that say who makes a call but not what runs there: strace
// text, captures, lists of calls. It makes the rows of sequences and processes,
// and fills the columns that every event has. It is for one goroutine.
type follower struct {
	out      *Sink
	host     string
	offsetNS int64 // wall clock minus time since boot; 0 is not known
	threads  map[int32]*thread
	began    int64 // processes, for their order

	sinceBoot bool // times are since boot, the wall clock is not known
}

// thread is one thread, with its open run of calls.
type thread struct {
	process *process
	run     trace.Sequence // no Calls: none is open
	lastNS  int64          // of the run
	chunk   int64
	cpu     *int64 // of what comes next; null: not known
}

// process is one process and the program in it.
type process struct {
	row    trace.Process
	known  bool  // that it began was seen, by fork or exec
	forked bool  // it runs what its parent ran
	number int64 // in the order of their begin
	tasks  int   // threads that live
}

func newFollower(out *Sink, host string) *follower {
	return &follower{out: out, host: host, threads: map[int32]*thread{}}
}

// thread returns a thread. One that is met for the first time is a process of its
// own of which nothing is known.
func (f *follower) thread(tid int32) (*thread, error) {
	if t, ok := f.threads[tid]; ok {
		return t, nil
	}
	if err := f.room(); err != nil {
		return nil, err
	}
	f.began++
	t := &thread{process: &process{row: trace.Process{PID: tid}, number: f.began, tasks: 1}, run: trace.Sequence{TID: tid}}
	f.threads[tid] = t
	return t, nil
}

// room forgets everything when there are too many threads: then their ends were
// not told.
func (f *follower) room() error {
	if len(f.threads) < maxThreads {
		return nil
	}
	return f.close()
}

// boot is a time since boot, 0 where that is not known.
func (f *follower) boot(ns int64) int64 {
	if f.sinceBoot {
		return ns
	}
	if f.offsetNS == 0 {
		return 0
	}
	return ns - f.offsetNS
}

// call appends a call to the thread's run. ns is the time of its end, 0 where
// there are no times.
func (f *follower) call(t *thread, number uint16, ns int64) error {
	if len(t.run.Calls) > 0 && (ns-t.run.TimeNS >= runSpanNS || ns < t.run.TimeNS) {
		if err := f.flush(t); err != nil {
			return err
		}
	}
	if len(t.run.Calls) == 0 {
		row := &t.process.row
		t.run = trace.Sequence{TimeNS: ns, BootNS: f.boot(ns), ContainerID: row.ContainerID, CgroupID: row.CgroupID, PID: row.PID,
			TID: t.run.TID, StartNS: row.StartNS, Comm: row.Comm, Chunk: t.chunk, Calls: t.run.Calls[:0]}
	}
	t.run.Calls = append(t.run.Calls, number)
	t.lastNS = ns
	if len(t.run.Calls) >= runCalls {
		return f.flush(t)
	}
	return nil
}

// flush ends the thread's run.
func (f *follower) flush(t *thread) error {
	if len(t.run.Calls) == 0 {
		return nil
	}
	t.run.SpanNS = t.lastNS - t.run.TimeNS
	err := f.out.Sequence(f.host, &t.run)
	t.run.Calls = t.run.Calls[:0]
	t.chunk++
	return err
}

// event gives an event of a thread the columns that say who, and hands it on.
func (f *follower) event(t *thread, e *trace.Event) error {
	row := &t.process.row
	e.BootNS = f.boot(e.TimeNS)
	if e.CPU == nil {
		e.CPU = t.cpu
	}
	e.ContainerID, e.CgroupID = row.ContainerID, row.CgroupID
	e.PID, e.TID, e.StartNS, e.PPID = row.PID, t.run.TID, row.StartNS, row.PPID
	e.UID, e.GID, e.Comm, e.Exe = row.UID, row.GID, row.Comm, row.Exe
	return f.out.Event(f.host, e)
}

// cloneThread is CLONE_THREAD.
const cloneThread = 0x10000

// fork notes a new thread, or with its own thread group a new process, and makes
// its event. child is nil where it was met before: then it only learns who its
// parent is.
func (f *follower) fork(t *thread, child int32, flags, ns int64) error {
	if err := f.room(); err != nil {
		return err
	}
	p := t.process
	if flags&cloneThread == 0 {
		f.began++
		p = &process{row: t.process.row, known: true, forked: true, number: f.began}
		p.row.TimeNS, p.row.BootNS = ns, f.boot(ns)
		p.row.PID, p.row.PPID, p.row.StartNS = child, t.process.row.PID, 0
		p.row.ParentStartNS = t.process.row.StartNS
		p.row.EndTimeNS, p.row.ExitStatus = nil, nil
	}
	if c, ok := f.threads[child]; !ok {
		f.threads[child] = &thread{process: p, run: trace.Sequence{TID: child}}
		p.tasks++
	} else if !c.process.known { // its first calls stand before the end of the clone
		own := c.process.row
		p.row.Argv, p.row.Cwd = cmpList(own.Argv, p.row.Argv), cmp.Or(own.Cwd, p.row.Cwd)
		p.tasks++
		c.process = p
	} else if own := &c.process.row; own.PPID == 0 && c.process != t.process { // it ran a program before the end of the clone
		own.PPID, own.Cwd = t.process.row.PID, cmp.Or(own.Cwd, t.process.row.Cwd)
		own.UID, own.GID = cmp.Or(own.UID, t.process.row.UID), cmp.Or(own.GID, t.process.row.GID)
	}
	return f.event(t, &trace.Event{TimeNS: ns, Kind: string(trace.Fork), TargetPID: new(int64(child)), Flags: new(flags)})
}

func cmpList(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}

// exec notes a new program, of which e says path, argv and the like, and hands
// the event on.
func (f *follower) exec(t *thread, e *trace.Event) error {
	if err := f.flush(t); err != nil { // the run has the old program's name
		return err
	}
	p := t.process
	if p.known && !p.forked { // a program that is replaced by another
		if err := f.ended(p, e.TimeNS, nil); err != nil {
			return err
		}
	}
	p.known, p.forked = true, false
	p.row.TimeNS, p.row.BootNS, p.row.Exe, p.row.ExeOrigin = e.TimeNS, f.boot(e.TimeNS), e.Path, e.ExeOrigin
	p.row.Argv = slices.Clone(e.Argv)
	p.row.Cwd = cmp.Or(e.Cwd, p.row.Cwd)
	p.row.Comm = cmp.Or(e.Comm, commOf(e.Path))
	e.Cwd = p.row.Cwd
	return f.event(t, e)
}

// commOf is the name that the kernel gives a thread that runs a file.
func commOf(file string) string {
	if file == "" {
		return ""
	}
	name := path.Base(file)
	return name[:min(len(name), 15)]
}

// exit ends a thread, and its process with the last one. status is the wait
// status.
func (f *follower) exit(t *thread, status, ns int64) error {
	if err := f.flush(t); err != nil {
		return err
	}
	delete(f.threads, t.run.TID)
	p := t.process
	if p.tasks--; p.tasks > 0 && t.run.TID != p.row.PID {
		return nil
	}
	if err := f.event(t, &trace.Event{TimeNS: ns, Kind: string(trace.Exit), Arg: new(status)}); err != nil {
		return err
	}
	p.tasks = 0
	if !p.known {
		return nil
	}
	p.known = false // has its row
	return f.ended(p, ns, &status)
}

// ended writes a process's row.
func (f *follower) ended(p *process, ns int64, status *int64) error {
	row := p.row
	row.ExitStatus = status
	if ns != 0 {
		row.EndTimeNS = new(ns)
	}
	return f.out.Process(f.host, &row)
}

// close ends all runs and writes the rows of the processes that still run, in the
// order of their begin, and forgets everything.
func (f *follower) close() error {
	threads := make([]*thread, 0, len(f.threads))
	for _, t := range f.threads {
		threads = append(threads, t)
	}
	slices.SortFunc(threads, func(a, b *thread) int {
		return cmp.Or(cmp.Compare(a.run.TimeNS, b.run.TimeNS), cmp.Compare(a.run.TID, b.run.TID))
	})
	var running []*process
	for _, t := range threads {
		if err := f.flush(t); err != nil {
			return err
		}
		if t.process.known {
			t.process.known = false
			running = append(running, t.process)
		}
	}
	slices.SortFunc(running, func(a, b *process) int { return cmp.Compare(a.number, b.number) })
	for _, p := range running {
		if err := f.ended(p, 0, nil); err != nil {
			return err
		}
	}
	clear(f.threads)
	return nil
}

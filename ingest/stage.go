package ingest

import (
	"cmp"
	"fmt"
	"slices"

	"mayfly/trace"
)

const (
	stageRows   = 1 << 15  // rows of a table that wait to be put in order
	stageBytes  = 32 << 20 // of the texts of all rows that wait
	openWriters = 8        // origins whose files are open at one time
	slackNS     = 1e9      // how much later than a newer row a row may stand in a file
)

// stage gathers the rows of a batch and writes them as the files of a trace below
// a directory of its own. Rows of a table wait until there are many, so that a
// file has them by time; where one comes later still, a new file begins. The same
// rows give the same files. Not safe for concurrent use.
type stage struct {
	dir     string
	creator string
	hosts   map[string]struct{}
	limit   int // of hosts
	origins []origin
	index   map[origin]int32
	last    int32          // index of the origin of the row before; -1: none
	writers []*stageWriter // the one that was used last stands last
	arena   arena

	events     waiting[trace.Event]
	sequences  waiting[trace.Sequence]
	processes  waiting[trace.Process]
	containers waiting[trace.Container]
	losses     waiting[trace.Loss]
}

// waiting is the rows of a table that are not written yet.
type waiting[T row] struct {
	table   int // place among the tables
	rows    []T
	origins []int32 // of each row
	order   []int32
	spare   []T
	time    func(*T) int64
	write   func(*trace.Writer, []T) error
	own     func(*arena, *T)
}

// stageWriter is the open files of an origin.
type stageWriter struct {
	origin int32
	*trace.Writer
	latest [5]int64 // time of the last row, by table
	any    [5]bool
}

func newStage(dir, creator string, hosts int) *stage {
	return &stage{dir: dir, creator: creator, limit: hosts, hosts: map[string]struct{}{}, index: map[origin]int32{}, last: -1,
		events: waiting[trace.Event]{table: 0, time: func(e *trace.Event) int64 { return e.TimeNS },
			write: (*trace.Writer).Events, own: ownEvent},
		sequences: waiting[trace.Sequence]{table: 1, time: func(s *trace.Sequence) int64 { return s.TimeNS },
			write: (*trace.Writer).Sequences, own: ownSequence},
		processes: waiting[trace.Process]{table: 2, time: func(p *trace.Process) int64 { return p.TimeNS },
			write: (*trace.Writer).Processes, own: ownProcess},
		containers: waiting[trace.Container]{table: 3, time: func(c *trace.Container) int64 { return c.TimeNS },
			write: (*trace.Writer).Containers, own: ownContainer},
		losses: waiting[trace.Loss]{table: 4, time: func(l *trace.Loss) int64 { return l.FromNS },
			write: (*trace.Writer).Losses, own: ownLoss},
	}
}

func (s *stage) event(o origin, e *trace.Event) error       { return wait(s, &s.events, o, e) }
func (s *stage) sequence(o origin, q *trace.Sequence) error { return wait(s, &s.sequences, o, q) }
func (s *stage) process(o origin, p *trace.Process) error   { return wait(s, &s.processes, o, p) }
func (s *stage) container(o origin, c *trace.Container) error {
	return wait(s, &s.containers, o, c)
}
func (s *stage) loss(o origin, l *trace.Loss) error { return wait(s, &s.losses, o, l) }

// wait takes one row.
func wait[T row](s *stage, w *waiting[T], o origin, r *T) error {
	i, err := s.originIndex(o)
	if err != nil {
		return err
	}
	w.rows, w.origins = append(w.rows, *r), append(w.origins, i)
	w.own(&s.arena, &w.rows[len(w.rows)-1])
	switch {
	case s.arena.bytes > stageBytes:
		return s.flush()
	case len(w.rows) >= stageRows:
		return drain(s, w, len(w.rows)/2)
	}
	return nil
}

// originIndex numbers an origin, whose texts may be views.
func (s *stage) originIndex(o origin) (int32, error) {
	if s.last >= 0 && s.origins[s.last] == o {
		return s.last, nil
	}
	i, ok := s.index[o]
	if !ok {
		o.host = string([]byte(o.host))
		if _, ok := s.hosts[o.host]; !ok && len(s.hosts) >= s.limit {
			return 0, fmt.Errorf("more than %d hosts", s.limit)
		}
		s.hosts[o.host] = struct{}{}
		i = int32(len(s.origins))
		s.origins = append(s.origins, o)
		s.index[o] = i
	}
	s.last = i
	return i, nil
}

// flush writes every row that waits.
func (s *stage) flush() error {
	for _, err := range []error{drain(s, &s.events, 0), drain(s, &s.sequences, 0), drain(s, &s.processes, 0),
		drain(s, &s.containers, 0), drain(s, &s.losses, 0)} {
		if err != nil {
			return err
		}
	}
	s.arena = arena{}
	return nil
}

// drain writes the oldest rows that wait, all but keep of them, by origin and time.
func drain[T row](s *stage, w *waiting[T], keep int) error {
	if len(w.rows) == 0 {
		return nil
	}
	w.order = w.order[:0]
	for i := range w.rows {
		w.order = append(w.order, int32(i))
	}
	slices.SortStableFunc(w.order, func(a, b int32) int { return cmp.Compare(w.time(&w.rows[a]), w.time(&w.rows[b])) })
	due, rest := w.order[:len(w.order)-keep], w.order[len(w.order)-keep:]
	slices.SortStableFunc(due, func(a, b int32) int { return cmp.Compare(w.origins[a], w.origins[b]) })
	for len(due) > 0 {
		n := 1
		for n < len(due) && w.origins[due[n]] == w.origins[due[0]] {
			n++
		}
		if err := writeRows(s, w, due[:n]); err != nil {
			return err
		}
		due = due[n:]
	}
	slices.Sort(rest)
	for i, from := range rest {
		w.rows[i], w.origins[i] = w.rows[from], w.origins[from]
	}
	clear(w.rows[len(rest):]) // the texts
	w.rows, w.origins = w.rows[:len(rest)], w.origins[:len(rest)]
	if len(w.rows) == 0 && s.waiting() == 0 {
		s.arena = arena{}
	}
	return nil
}

func (s *stage) waiting() int {
	return len(s.events.rows) + len(s.sequences.rows) + len(s.processes.rows) + len(s.containers.rows) + len(s.losses.rows)
}

// writeRows writes rows of one origin, by time.
func writeRows[T row](s *stage, w *waiting[T], order []int32) error {
	out, err := s.writer(w.origins[order[0]])
	if err != nil {
		return err
	}
	if first := w.time(&w.rows[order[0]]); out.any[w.table] && first < out.latest[w.table]-slackNS {
		if err := out.Seal(false); err != nil {
			return err
		}
		out.any = [5]bool{}
	}
	for len(order) > 0 {
		n := min(len(order), 512)
		w.spare = w.spare[:0]
		for _, i := range order[:n] {
			w.spare = append(w.spare, w.rows[i])
		}
		if err := w.write(out.Writer, w.spare); err != nil {
			return err
		}
		out.latest[w.table], out.any[w.table] = w.time(&w.spare[n-1]), true
		order = order[n:]
	}
	clear(w.spare)
	return nil
}

// writer returns the writer of an origin. When too many are open, it completes
// the files of the one that was not used for longest.
func (s *stage) writer(i int32) (*stageWriter, error) {
	if n := slices.IndexFunc(s.writers, func(w *stageWriter) bool { return w.origin == i }); n >= 0 {
		w := s.writers[n]
		s.writers = append(slices.Delete(s.writers, n, n+1), w)
		return w, nil
	}
	o := &s.origins[i]
	// One host has one writer at a time: rows of another format, or machine, wait
	// for the files before them.
	victim := slices.IndexFunc(s.writers, func(w *stageWriter) bool {
		return trace.HostFolder(s.origins[w.origin].host) == trace.HostFolder(o.host)
	})
	if victim < 0 && len(s.writers) >= openWriters {
		victim = 0
	}
	if victim >= 0 {
		if err := s.writers[victim].Seal(false); err != nil {
			return nil, err
		}
		s.writers = slices.Delete(s.writers, victim, victim+1)
	}
	w, err := trace.NewWriter(s.dir, trace.Meta{Host: o.host, Arch: o.machine.Arch, Kernel: o.machine.Kernel, BootID: o.machine.BootID,
		ClockOffsetNS: o.machine.ClockOffsetNS, Recorder: s.creator, Source: o.format},
		trace.WriterOptions{GroupBytes: 8 << 20})
	if err != nil {
		return nil, err
	}
	s.writers = append(s.writers, &stageWriter{origin: i, Writer: w})
	return s.writers[len(s.writers)-1], nil
}

// close writes what waits and completes all files.
func (s *stage) close() error {
	if err := s.flush(); err != nil {
		return err
	}
	for _, w := range s.writers {
		if err := w.Seal(false); err != nil {
			return err
		}
	}
	s.writers = nil
	return nil
}

// abort lets go of open files; whoever owns the directory removes it.
func (s *stage) abort() {
	for _, w := range s.writers {
		_ = w.Abort() // what is left goes with the directory
	}
	s.writers = nil
}

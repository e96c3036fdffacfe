package falco

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"mayfly/trace"
)

// process is what is known of a process when an event of it is looked at.
type process struct {
	startNS int64 // since boot; 0 when only its fork was seen
	pid     int32
	ppid    int32
	comm    string // at its exec, as Falco has it; else of the first row
	exe     string
	argv    []string
	cwd     string
	origin  string // of the file that it runs
	ran     bool   // its exec is known: argv, cwd and origin are
	cmdline string // comm and arguments, made when it is first asked for
	args    string
	like    uint64 // see likeness; 0: not known yet
}

type hostPID struct {
	host int
	pid  int32
}

// processes follows who runs what, and who began whom, through the rows of
// events. A process that ends is kept for its children, until there are too many.
type processes struct {
	hosts  map[string]int
	byPID  map[hostPID]*process
	ended  []hostPID // in the order of their end
	words  map[string]string
	likes  map[string]uint64
	liked  uint64 // the last number given
	buf    []byte
	last   *process // of the row before: most rows have the same
	lastID hostPID
}

// maxEnded bounds the ended processes that are remembered, maxWords the strings,
// and the likenesses.
const (
	maxEnded = 1 << 17
	maxWords = 1 << 17
)

func newProcesses() *processes {
	return &processes{hosts: map[string]int{}, byPID: map[hostPID]*process{}, words: map[string]string{}, likes: map[string]uint64{}}
}

func (ps *processes) host(name string) int {
	n, ok := ps.hosts[name]
	if !ok {
		n = len(ps.hosts)
		ps.hosts[strings.Clone(name)] = n
	}
	return n
}

// word returns a copy of s that lasts longer than the batch.
func (ps *processes) word(s string) string {
	if s == "" {
		return ""
	}
	w, ok := ps.words[s]
	if !ok {
		if len(ps.words) >= maxWords {
			clear(ps.words)
		}
		w = strings.Clone(s)
		ps.words[w] = w
	}
	return w
}

// see takes in row i of a batch and returns its process, as it is after the event.
func (ps *processes) see(host int, b *trace.EventBatch, i int, kind trace.Kind) *process {
	id := hostPID{host, b.PID(i)}
	start := b.StartNS(i)
	p := ps.last
	if p == nil || ps.lastID != id || p.startNS != start {
		p = ps.byPID[id]
		if p == nil || p.startNS != start && p.startNS != 0 {
			p = &process{pid: id.pid}
			ps.byPID[id] = p
		}
		p.startNS = start
		ps.last, ps.lastID = p, id
	}
	p.ppid = b.PPID(i)
	switch kind {
	case trace.Exec:
		if ret, ok := b.Ret(i); !ok || ret >= 0 {
			ps.ran(p, b, i)
			return p
		}
	case trace.Fork:
		ps.forked(p, host, b, i)
	case trace.Exit:
		ps.end(id)
	}
	if !p.ran || p.comm == "" {
		if comm := b.Comm(i); comm != p.comm {
			p.comm, p.cmdline, p.like = ps.word(comm), "", 0
		}
	}
	if exe := b.Exe(i); exe != p.exe && exe != "" {
		p.exe, p.like = ps.word(exe), 0
	}
	return p
}

// ran takes in a program that begins.
func (ps *processes) ran(p *process, b *trace.EventBatch, i int) {
	path := b.Path(i)
	if path == "" {
		path = b.Exe(i)
	}
	p.ran, p.cmdline, p.args, p.like = true, "", "", 0
	p.comm, p.exe, p.cwd, p.origin = ps.word(b.Comm(i)), ps.word(path), ps.word(b.Cwd(i)), ps.word(b.ExeOrigin(i))
	p.argv = make([]string, b.ArgvLen(i))
	for j := range p.argv {
		p.argv[j] = ps.word(b.ArgvAt(i, j))
	}
}

// cloneThread is CLONE_THREAD: a thread is no process.
const cloneThread = 0x10000

// forked takes in a child, which runs what its parent does.
func (ps *processes) forked(p *process, host int, b *trace.EventBatch, i int) {
	child, ok := b.TargetPID(i)
	if flags, _ := b.Flags(i); !ok || flags&cloneThread != 0 || child <= 0 || child > math.MaxInt32 {
		return
	}
	copied := *p
	copied.startNS, copied.pid, copied.ppid, copied.like = 0, int32(child), p.pid, 0
	id := hostPID{host, int32(child)}
	ps.byPID[id] = &copied
	if ps.lastID == id {
		ps.last = nil
	}
}

func (ps *processes) end(id hostPID) {
	ps.ended = append(ps.ended, id)
	if len(ps.ended) < 2*maxEnded {
		return
	}
	// A pid may have been given again since; its next row makes it anew then.
	for _, id := range ps.ended[:maxEnded] {
		delete(ps.byPID, id)
	}
	ps.ended = append(ps.ended[:0], ps.ended[maxEnded:]...)
	ps.last = nil
}

// likeness numbers what comparisons can ask of a process: two of the same number
// are the same to them.
func (ps *processes) likeness(p *process) uint64 {
	if p.like != 0 {
		return p.like
	}
	key := ps.buf[:0]
	for _, s := range append([]string{p.comm, p.exe, p.cwd, p.origin}, p.argv...) {
		key = append(binary.AppendUvarint(key, uint64(len(s))), s...)
	}
	key = append(key, truthByte(p.ran), truthByte(p.pid == 1))
	ps.buf = key
	like, ok := ps.likes[string(key)]
	if !ok {
		if len(ps.likes) >= maxWords {
			clear(ps.likes) // numbers are never given twice
		}
		ps.liked++
		like = ps.liked
		ps.likes[string(key)] = like
	}
	p.like = like
	return like
}

func truthByte(b bool) byte { return byte(truthOf(b)) }

// parent returns who began p; nil when that is not known.
func (ps *processes) parent(host int, p *process) *process {
	if p.ppid == 0 || p.ppid == p.pid {
		return nil
	}
	return ps.byPID[hostPID{host, p.ppid}]
}

// running takes in what ran before the first event, from the table of processes.
func (ps *processes) running(ctx context.Context, t *trace.Trace) error {
	first := map[string]int64{} // by host
	for _, f := range t.Files(trace.Events) {
		if at, ok := first[f.Meta.Host]; !ok || f.Meta.FromNS < at {
			first[f.Meta.Host] = f.Meta.FromNS
		}
	}
	for _, f := range t.Files(trace.Processes) {
		for rec, err := range t.Scan(ctx, trace.Processes, trace.ScanOptions{Files: []trace.File{f}}) {
			if err != nil {
				return err
			}
			rows, err := trace.Rows[trace.Process](rec)
			rec.Release()
			if err != nil {
				return fmt.Errorf("%s: %w", f.Path, err)
			}
			for _, row := range rows {
				if at, ok := first[f.Meta.Host]; ok && row.TimeNS < at {
					ps.byPID[hostPID{ps.host(f.Meta.Host), row.PID}] = &process{startNS: row.StartNS, pid: row.PID, ppid: row.PPID,
						comm: row.Comm, exe: row.Exe, argv: row.Argv, cwd: row.Cwd, origin: row.ExeOrigin, ran: len(row.Argv) > 0}
				}
			}
		}
	}
	return nil
}

// arguments are those behind the first, with a blank between them.
func (p *process) arguments() string {
	if p.args == "" && len(p.argv) > 1 {
		p.args = strings.Join(p.argv[1:], " ")
	}
	return p.args
}

// commandLine is how Falco writes it: the name of the process and its arguments.
func (p *process) commandLine() string {
	if p.cmdline == "" {
		p.cmdline = p.comm
		if args := p.arguments(); args != "" {
			p.cmdline += " " + args
		}
	}
	return p.cmdline
}

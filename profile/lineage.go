package profile

import (
	"strings"

	"mayfly/trace"
)

// lineage remembers which program each process runs, from the rows of events in
// the order of time.
type lineage struct {
	known map[processKey]*program
}

type processKey struct {
	host string
	pid  int32
}

type program struct {
	container string
	exe       string
	atNS      int64 // of the latest row
}

// maxProcesses is how many processes are remembered; then those of which no row
// was seen for the longest half of the time are forgotten.
const maxProcesses = 1 << 16

func newLineage() *lineage { return &lineage{known: map[processKey]*program{}} }

// see takes in a row, and returns what an exec was started by: the program of its
// parent where that is of the same container, else "".
func (l *lineage) see(row *trace.Row) (parent string) {
	b, i := row.Event, row.Index
	p := l.of(processKey{row.File.Meta.Host, b.PID(i)}, row.TimeNS)
	if container := b.ContainerID(i); p.container != container {
		p.container, p.exe = strings.Clone(container), ""
	}
	if b.Kind(i) == trace.Exec {
		if ret, _ := b.Ret(i); ret < 0 {
			return ""
		}
		if by := l.known[processKey{row.File.Meta.Host, b.PPID(i)}]; by != nil && by.container == p.container {
			parent = by.exe
		}
		p.runs(b.Path(i))
		return parent
	}
	p.runs(b.Exe(i))
	if child, ok := b.TargetPID(i); ok && b.Kind(i) == trace.Fork && child != int64(b.PID(i)) {
		c := l.of(processKey{row.File.Meta.Host, int32(child)}, row.TimeNS)
		c.container, c.exe = p.container, p.exe
	}
	return ""
}

func (p *program) runs(exe string) {
	if exe != "" && p.exe != exe {
		p.exe = strings.Clone(exe)
	}
}

func (l *lineage) of(key processKey, atNS int64) *program {
	p := l.known[key]
	if p == nil {
		if len(l.known) >= maxProcesses {
			l.forget()
		}
		key.host = strings.Clone(key.host)
		p = &program{}
		l.known[key] = p
	}
	p.atNS = max(p.atNS, atNS)
	return p
}

// forget drops the processes of the older half of the time, or all where that is
// not enough.
func (l *lineage) forget() {
	var from, to int64
	for _, p := range l.known {
		if from == 0 || p.atNS < from {
			from = p.atNS
		}
		to = max(to, p.atNS)
	}
	for key, p := range l.known {
		if p.atNS <= from+(to-from)/2 {
			delete(l.known, key)
		}
	}
	if len(l.known) >= maxProcesses/2 {
		clear(l.known)
	}
}

package replay

import (
	"strings"

	"mayfly/detector"
	"mayfly/trace"
)

const (
	maxAncestry  = 8  // how far up the processes of a finding are followed
	maxArguments = 16 // how many arguments of a process are kept

	maxArgumentBytes = 4 << 10 // and how many bytes of them
)

// hostPID is a process of a host.
type hostPID struct {
	host string
	pid  int32
}

// relative is what rows of events said of a process, each thing with the time at
// which it was last said.
type relative struct {
	ppid          int32
	exe           string
	argv          []string
	atNS          int64 // of the latest row that said who its parent is
	exeNS, argvNS int64
}

// family remembers who began whom, from rows in the order of time. What it says
// of a process at a time rests on rows since a horizon only: so it is the same
// whatever was read before that.
type family struct {
	known map[hostPID]*relative
	prune int // size at which what is beyond every horizon is dropped
}

func newFamily() *family { return &family{known: map[hostPID]*relative{}, prune: 1 << 14} }

// see takes in a row. No later question goes back before horizonNS.
func (f *family) see(row *trace.Row, horizonNS int64) {
	b, i := row.Event, row.Index
	if b.Kind(i) == trace.Throttle {
		return // nobody's
	}
	p := f.of(hostPID{row.File.Meta.Host, b.PID(i)}, horizonNS)
	p.ppid, p.atNS = b.PPID(i), row.TimeNS
	if exe := b.Exe(i); exe != "" {
		p.runs(exe, row.TimeNS)
	}
	switch b.Kind(i) {
	case trace.Exec:
		if ret, _ := b.Ret(i); ret < 0 {
			return
		}
		p.runs(b.Path(i), row.TimeNS)
		p.argv, p.argvNS = nil, row.TimeNS
		left := maxArgumentBytes
		for j := range min(b.ArgvLen(i), maxArguments) {
			arg := b.ArgvAt(i, j)
			if len(arg) > left {
				p.argv = append(p.argv, strings.ToValidUTF8(arg[:left], "")+"…")
				break
			}
			left -= len(arg)
			p.argv = append(p.argv, strings.Clone(arg))
		}
	case trace.Fork:
		child, ok := b.TargetPID(i)
		if !ok || child == int64(b.PID(i)) {
			return
		}
		c := f.of(hostPID{row.File.Meta.Host, int32(child)}, horizonNS)
		*c = relative{ppid: b.PID(i), atNS: row.TimeNS, exe: p.exe, exeNS: p.exeNS}
	}
}

func (p *relative) runs(exe string, ns int64) {
	if p.exe != exe {
		p.exe = strings.Clone(exe)
	}
	p.exeNS = ns
}

func (f *family) of(key hostPID, horizonNS int64) *relative {
	p := f.known[key]
	if p != nil {
		return p
	}
	if len(f.known) >= f.prune {
		for key, p := range f.known {
			if p.atNS < horizonNS {
				delete(f.known, key)
			}
		}
		f.prune = max(f.prune, 2*len(f.known))
	}
	p = &relative{}
	f.known[key] = p
	return p
}

// up returns the process of a row and those above it, nearest first, as far as
// rows since horizonNS tell.
func (f *family) up(row *trace.Row, horizonNS int64) []detector.Process {
	out := []detector.Process{}
	pid := row.Event.PID(row.Index)
	for range maxAncestry {
		p := f.known[hostPID{row.File.Meta.Host, pid}]
		if p == nil || p.atNS < horizonNS {
			break
		}
		one := detector.Process{PID: pid, PPID: p.ppid, Argv: []string{}}
		if p.exeNS >= horizonNS {
			one.Exe = p.exe
		}
		if p.argvNS >= horizonNS && p.argv != nil {
			one.Argv = p.argv
		}
		out = append(out, one)
		if p.ppid == pid {
			break
		}
		pid = p.ppid
	}
	return out
}

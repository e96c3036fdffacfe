package ingest

import (
	"fmt"
	"unicode/utf8"

	"mayfly/trace"
)

// What a row may hold: a trace's reader takes 8192 rows at a time into memory of
// 512 MiB, so that 64 KiB is what a row may have on average.

// tooLong says that a text of a row is longer than the limit. A byte that is no
// UTF-8 takes four in a trace.
func (s *Sink) tooLong(texts ...string) error {
	for _, t := range texts {
		if n := int64(len(t)); n > s.limits.StringBytes || n > s.limits.StringBytes/4 && escapedLen(t) > s.limits.StringBytes {
			return fmt.Errorf("a text of %d bytes, %.40q…: the limit is %d (--max-string)", n, t, s.limits.StringBytes)
		}
	}
	return nil
}

// escapedLen is how long a text is in a trace.
func escapedLen(t string) int64 {
	n := int64(len(t))
	for len(t) > 0 {
		r, size := utf8.DecodeRuneInString(t)
		if r == utf8.RuneError && size == 1 {
			n += 3
		}
		t = t[size:]
	}
	return n
}

// cutArgs returns how many arguments fit into a row, and whether that is not all.
func (s *Sink) cutArgs(argv []string) ([]string, bool) {
	room := 3 * s.limits.StringBytes
	for i, a := range argv {
		if room -= escapedLen(a); room < 0 || int64(i) >= s.limits.ListLength {
			return argv[:i], true
		}
	}
	return argv, false
}

func (s *Sink) fitEvent(e *trace.Event) error {
	argv, cut := s.cutArgs(e.Argv)
	e.Argv, e.ArgvCut = argv, e.ArgvCut || cut
	return s.tooLong(e.Kind, e.ContainerID, e.Comm, e.Exe, e.Path, e.Path2, e.Cwd, e.ExeOrigin, e.Family, e.Addr, e.LocalAddr,
		e.Via, e.Claimed)
}

func (s *Sink) fitSequence(q *trace.Sequence) error {
	if int64(len(q.Calls)) > s.limits.ListLength {
		return fmt.Errorf("a sequence of %d calls: the limit is %d (--max-list)", len(q.Calls), s.limits.ListLength)
	}
	return s.tooLong(q.ContainerID, q.Comm)
}

func (s *Sink) fitProcess(p *trace.Process) error {
	p.Argv, _ = s.cutArgs(p.Argv)
	return s.tooLong(p.ContainerID, p.Comm, p.Exe, p.Cwd, p.ExeOrigin)
}

func (s *Sink) fitContainer(c *trace.Container) error {
	for _, list := range [][]string{c.Labels, c.CapAdd, c.CapDrop, c.Mounts, c.Entrypoint, c.Cmd, c.Ports, c.NestedIn} {
		if err := s.tooLong(list...); err != nil {
			return err
		}
		if kept, cut := s.cutArgs(list); cut {
			return fmt.Errorf("a list of %d texts: more than a row may hold", len(kept))
		}
	}
	return s.tooLong(c.ContainerID, c.CgroupName, c.Runtime, c.Name, c.Image, c.ImageID, c.ImageDigest, c.Pod, c.PodNamespace,
		c.User, c.Seccomp, c.AppArmor, c.NetworkMode, c.PIDMode, c.Facts, c.CgroupPath, c.PodUID, c.Sandbox, c.Owner,
		c.SELinux, c.IPCMode, c.UTSMode, c.UserNSMode)
}

func (s *Sink) fitLoss(l *trace.Loss) error { return s.tooLong(l.ContainerID, l.Class) }

package ingest

import (
	"unsafe"

	"mayfly/trace"
)

// arena keeps the texts and numbers of rows that wait, in large blocks: a row of
// a source points into buffers that are used again.
type arena struct {
	text    []byte  // free rest of the block
	numbers []int64 // free rest of the block
	bytes   int     // taken in all
}

const arenaBlock = 1 << 16

// own replaces a text by a copy.
func (a *arena) own(s *string) {
	n := len(*s)
	if n == 0 {
		return
	}
	a.bytes += n
	if n > cap(a.text)-len(a.text) {
		if n > arenaBlock/4 {
			*s = string([]byte(*s))
			return
		}
		a.text = make([]byte, 0, arenaBlock)
	}
	from := len(a.text)
	a.text = append(a.text, *s...)
	*s = unsafe.String(&a.text[from], n) // nothing before len is written again
}

func (a *arena) ownAll(texts ...*string) {
	for _, s := range texts {
		a.own(s)
	}
}

func (a *arena) ownList(l *[]string) {
	if len(*l) == 0 {
		*l = nil
		return
	}
	list := make([]string, len(*l))
	copy(list, *l)
	for i := range list {
		a.own(&list[i])
	}
	a.bytes += 16 * len(list)
	*l = list
}

func (a *arena) ownNumbers(pointers ...**int64) {
	for _, p := range pointers {
		if *p == nil {
			continue
		}
		if len(a.numbers) == 0 {
			a.numbers = make([]int64, 512)
		}
		a.numbers[0] = **p
		*p, a.numbers = &a.numbers[0], a.numbers[1:]
	}
}

func ownBool(p **bool) {
	if *p != nil {
		*p = new(**p)
	}
}

func ownEvent(a *arena, e *trace.Event) {
	a.ownAll(&e.Kind, &e.ContainerID, &e.Comm, &e.Exe, &e.Path, &e.Path2, &e.Cwd, &e.ExeOrigin, &e.Family, &e.Addr,
		&e.LocalAddr, &e.Via, &e.Claimed)
	a.ownList(&e.Argv)
	a.ownNumbers(&e.UID, &e.GID, &e.Ret, &e.Flags, &e.Mode, &e.Arg, &e.TargetPID, &e.Port, &e.LocalPort, &e.CPU, &e.Seq)
}

func ownSequence(a *arena, s *trace.Sequence) {
	a.ownAll(&s.ContainerID, &s.Comm)
	s.Calls = append([]uint16(nil), s.Calls...)
	a.bytes += 2 * len(s.Calls)
	a.ownNumbers(&s.CPU, &s.Seq)
}

func ownProcess(a *arena, p *trace.Process) {
	a.ownAll(&p.ContainerID, &p.Comm, &p.Exe, &p.Cwd, &p.ExeOrigin)
	a.ownList(&p.Argv)
	a.ownNumbers(&p.UID, &p.GID, &p.EndTimeNS, &p.ExitStatus)
}

func ownContainer(a *arena, c *trace.Container) {
	a.ownAll(&c.ContainerID, &c.CgroupName, &c.Runtime, &c.Name, &c.Image, &c.ImageID, &c.ImageDigest, &c.Pod, &c.PodNamespace,
		&c.User, &c.Seccomp, &c.AppArmor, &c.NetworkMode, &c.PIDMode, &c.Facts, &c.CgroupPath, &c.PodUID, &c.Sandbox, &c.Owner,
		&c.SELinux, &c.IPCMode, &c.UTSMode, &c.UserNSMode)
	for _, l := range []*[]string{&c.Labels, &c.CapAdd, &c.CapDrop, &c.Mounts, &c.Entrypoint, &c.Cmd, &c.Ports, &c.NestedIn} {
		a.ownList(l)
	}
	for _, p := range []**bool{&c.Privileged, &c.ReadonlyRoot, &c.NoNewPrivs} {
		ownBool(p)
	}
	a.ownNumbers(&c.StartedNS, &c.FinishedNS, &c.RestartCount)
}

func ownLoss(a *arena, l *trace.Loss) { a.ownAll(&l.ContainerID, &l.Class) }

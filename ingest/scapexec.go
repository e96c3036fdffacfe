package ingest

import (
	"cmp"
	"strings"

	"mayfly/trace"
)

// exec: res, exe, args, tid, pid, ptid, cwd, …, comm (13), cgroups (14), env,
// tty, pgid, loginuid, flags (19), capabilities, exe_ino and times, uid (26),
// trusted_exepath (27). The name of the file stands at the begin of the call.
func (ev *scapEvent) exec() error {
	p := &ev.parameters
	name, ok := ev.begin.text(0)
	fd := int64(-100)
	if ev.d.calls[ev.kind].name == "execveat" {
		fd = orZero(ev.start(0))
		name, ok = ev.begin.text(1)
	}
	if ok {
		ev.e.Path = ev.path(fd, name)
	}
	exe, _ := p.text(1)
	ev.e.Argv = scapArgv(exe, p.bytes(2))
	if ev.ret < 0 {
		return ev.emit(trace.Exec)
	}
	if trusted, ok := p.text(27); ok && trusted != "" {
		ev.e.Path = trusted
	}
	row := &ev.t.process.row
	ev.e.Cwd, _ = p.text(6)
	ev.e.Cwd = trimSlash(ev.e.Cwd)
	comm := len(p.lens) > 13
	if comm {
		ev.e.Comm, _ = p.text(13)
	}
	if parent := orZero(ev.end(5)); parent > 0 && parent < 1<<31 {
		row.PPID = int32(parent)
	}
	if len(p.lens) > 15 {
		if id := ev.d.containerIn(p.bytes(14)); id != "" || row.ContainerID == "" {
			row.ContainerID = id
		}
		if err := ev.d.learned(row.ContainerID); err != nil {
			return err
		}
	}
	if flags := ev.end(19); flags != nil {
		switch {
		case *flags&scapExeMemfd != 0:
			ev.e.ExeOrigin = trace.OriginMemfd
		case row.ContainerID == "":
		case *flags&scapExeUpper != 0:
			ev.e.ExeOrigin = trace.OriginWritten
		case *flags&scapExeLower != 0:
			ev.e.ExeOrigin = trace.OriginImage
		}
	}
	if uid := ev.end(26); uid != nil && len(p.bytes(26)) == 4 {
		row.UID = new(int64(uint32(*uid)))
	}
	ev.e.Kind, ev.e.Ret, ev.e.CPU = string(trace.Exec), new(ev.ret), new(ev.cpu)
	ev.d.failed = ev.d.f.exec(ev.t, &ev.e)
	return ev.d.failed
}

// trimSlash takes the slash from the end of a folder's name.
func trimSlash(dir string) string {
	if len(dir) > 1 {
		return strings.TrimSuffix(dir, "/")
	}
	return dir
}

// isChild tells the end of a clone in the child from that in the parent.
func (ev *scapEvent) isChild() bool {
	ret, ok := ev.parameters.number(0)
	return ok && ret == 0
}

// fork: res, exe, args, tid, pid, ptid, cwd, …, comm and cgroups, flags, uid,
// gid, vtid, vpid; versions before have fewer. The child's end says all of the
// child; the parent's has the child's id as the parent's pid namespace has it, so
// that it serves where that is the host's.
func (ev *scapEvent) fork() error {
	p := &ev.parameters
	flagsAt := map[int]int{11: 8, 16: 13, 17: 14}[len(p.lens)]
	if len(p.lens) >= 20 {
		flagsAt = 15
	}
	flags := int64(0)
	if flagsAt > 0 {
		flags = scapCloneFlags.of(orZero(ev.end(flagsAt)))
	}
	if name := ev.d.calls[ev.kind].name; name == "vfork" {
		flags |= flagBits["CLONE_VFORK"] | flagBits["CLONE_VM"]
	}
	if ev.ret > 0 {
		virtual := ev.end(flagsAt + 3)
		if virtual == nil || *virtual != int64(ev.tid) || ev.ret >= 1<<31 {
			return nil
		}
		return ev.forked(ev.t, int32(ev.ret), flags)
	}
	if ev.ret < 0 {
		return nil
	}
	pid := orZero(ev.end(4))
	parent := orZero(ev.end(5))
	if pid <= 0 || pid >= 1<<31 || parent < 0 || parent >= 1<<31 {
		return nil
	}
	if pid != int64(ev.tid) {
		flags |= cloneThread
		parent = pid // of a thread it is the parent of its process
	}
	t, err := ev.d.f.thread(int32(parent))
	if err == nil {
		err = ev.forked(t, ev.tid, flags)
	}
	if err != nil {
		ev.d.failed = err
		return err
	}
	return ev.born(flagsAt)
}

// forked makes the event of a fork, once.
func (ev *scapEvent) forked(parent *thread, child int32, flags int64) error {
	if c, ok := ev.d.f.threads[child]; ok && (c.process.forked && c.process.row.PPID == parent.process.row.PID || c.process == parent.process) {
		return nil
	}
	parent.cpu = new(ev.cpu)
	ev.d.failed = ev.d.f.fork(parent, child, flags, ev.ns)
	return ev.d.failed
}

// born takes what the child's end of a fork says of it.
func (ev *scapEvent) born(flagsAt int) error {
	c, ok := ev.d.f.threads[ev.tid]
	if !ok || c.process.row.PID != ev.tid {
		return nil
	}
	p, row := &ev.parameters, &c.process.row
	if cwd, ok := p.text(6); ok {
		row.Cwd = trimSlash(cwd)
	}
	if flagsAt >= 14 {
		comm, _ := p.text(13)
		row.Comm = cmp.Or(comm, row.Comm)
	}
	if exe, ok := p.text(1); ok && len(row.Argv) == 0 {
		row.Argv = scapArgv(exe, p.bytes(2))
	}
	if uid, gid := ev.end(flagsAt+1), ev.end(flagsAt+2); flagsAt > 0 && uid != nil && gid != nil {
		row.UID, row.GID = new(int64(uint32(*uid))), new(int64(uint32(*gid)))
	}
	if flagsAt == 15 {
		if id := ev.d.containerIn(p.bytes(14)); id != "" {
			row.ContainerID = id
			return ev.d.learned(id)
		}
	}
	return nil
}

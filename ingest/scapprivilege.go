package ingest

import (
	"strings"

	"mayfly/trace"
)

// identity: res; the ids at the begin, since 0.21 behind: uid, or real, effective
// (and saved).
func (ev *scapEvent) identity() error {
	name := ev.d.calls[ev.kind].name
	kind, now := trace.SetUID, &ev.t.process.row.UID
	if strings.HasSuffix(name, "gid") {
		kind, now = trace.SetGID, &ev.t.process.row.GID
	}
	i := 0
	if strings.HasPrefix(name, "setre") {
		i = 1
	}
	asked := ev.either(i+1, i)
	if asked != nil && *asked != -1 && ev.ret >= 0 {
		*now = new(int64(uint32(*asked)))
	}
	ev.e.Arg = *now
	return ev.emit(kind)
}

// learn takes the identity that a process asked for.
func (ev *scapEvent) learn() error {
	if id := ev.end(0); id != nil {
		if ev.d.calls[ev.kind].name == "geteuid" {
			ev.t.process.row.UID = new(int64(uint32(*id)))
		} else {
			ev.t.process.row.GID = new(int64(uint32(*id)))
		}
	}
	return nil
}

// capset: res, inheritable, permitted, effective.
func (ev *scapEvent) capset() error {
	ev.e.Arg = ev.end(3)
	return ev.emit(trace.CapSet)
}

// mount: res, dev, dir, type; flags at the begin, since 0.21 behind.
func (ev *scapEvent) mount() error {
	ev.e.Path, _ = ev.parameters.text(1)
	dir, _ := ev.parameters.text(2)
	ev.e.Path2 = ev.path(-100, dir)
	ev.e.Addr, _ = ev.parameters.text(3)
	if ev.e.Flags = ev.either(4, 0); ev.e.Flags != nil && *ev.e.Flags&(flagBits["MS_BIND"]|flagBits["MS_MOVE"]) != 0 {
		ev.e.Path = ev.path(-100, ev.e.Path)
	}
	return ev.emit(trace.Mount)
}

// umount: res, name; flags at the begin, since 0.21 behind.
func (ev *scapEvent) umount() error {
	name, _ := ev.parameters.text(1)
	ev.e.Path, ev.e.Flags = ev.path(-100, name), ev.either(2, 0)
	if ev.e.Flags == nil {
		ev.e.Flags = new(int64(0))
	}
	return ev.emit(trace.Umount)
}

// ptrace: res, addr, data; request and pid at the begin, since 0.21 behind.
func (ev *scapEvent) ptrace() error {
	if request := ev.either(3, 0); request != nil && *request > 0 && *request < int64(len(scapPtrace)) {
		if n, ok := ptraceRequests["PTRACE_"+scapPtrace[*request]]; ok {
			ev.e.Arg = &n
		}
	}
	ev.e.TargetPID = ev.either(4, 1)
	return ev.emit(trace.Ptrace)
}

// module: init_module: res, img, length, uargs; finit_module: res, fd, uargs, flags.
func (ev *scapEvent) module() error {
	if ev.d.calls[ev.kind].name == "finit_module" {
		ev.e.Path, ev.e.Flags = ev.file(orZero(ev.end(1))).path, ev.end(3)
	}
	return ev.emit(trace.ModuleLoad)
}

// bpf: res; cmd at the begin, or behind.
func (ev *scapEvent) bpf() error {
	ev.e.Arg = ev.either(1, 0)
	return ev.emit(trace.BPF)
}

// memfd: fd, name, flags.
func (ev *scapEvent) memfd() error {
	ev.e.Path, _ = ev.parameters.text(1)
	ev.e.Flags = ev.end(2)
	return ev.emit(trace.MemfdCreate)
}

// unshare: res; flags at the begin, since 0.21 behind.
func (ev *scapEvent) unshare() error {
	if flags := ev.either(1, 0); flags != nil {
		ev.e.Flags = new(scapCloneFlags.of(*flags))
	}
	return ev.emit(trace.Unshare)
}

// setns: res; fd, nstype at the begin, since 0.21 behind.
func (ev *scapEvent) setns() error {
	if flags := ev.either(2, 1); flags != nil {
		ev.e.Flags = new(scapCloneFlags.of(*flags))
	}
	return ev.emit(trace.Setns)
}

// chdir: res, path; fchdir: res, with fd at the begin.
func (ev *scapEvent) chdir() error {
	if ev.ret < 0 {
		return nil
	}
	if ev.d.calls[ev.kind].name == "fchdir" {
		ev.t.process.row.Cwd = ev.file(orZero(ev.either(1, 0))).path
		return nil
	}
	if dir, ok := ev.parameters.text(1); ok {
		ev.t.process.row.Cwd = ev.path(-100, trimSlash(dir))
	}
	return nil
}

// close forgets a descriptor.
func (ev *scapEvent) close() error {
	if fd := ev.either(1, 0); fd != nil && ev.ret >= 0 {
		ev.d.keep(ev.pid(), *fd, descriptorInfo{})
	}
	return nil
}

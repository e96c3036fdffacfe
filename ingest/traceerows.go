package ingest

import (
	"errors"
	"strconv"

	"mayfly/trace"
)

// absoluteNS is the least time that is one since 1970 (1973): what is below counts
// from the start of Tracee or of the machine (option:relative-time).
const absoluteNS = 1e17

var (
	errRelative = errors.New("the time counts from the start of Tracee (option:relative-time), want one since 1970")
	errNotEvent = errors.New("no name and timestamp: no event of Tracee")
)

func (t *traceeReader) rows() error {
	switch {
	case t.name == "" || !t.hasTime:
		return badRecord{errNotEvent}
	case t.time < absoluteNS || t.time > 7e18:
		return badRecord{errRelative}
	}
	t.reset()
	if t.pid == 0 && t.container == "" {
		t.pid = t.inside
	}
	e := &t.programs.event
	*e = trace.Event{TimeNS: t.time, ContainerID: t.container, CgroupID: uint64(t.cgroup), PID: t.pid, TID: t.tid, PPID: t.ppid,
		Comm: t.comm, Exe: t.exe}
	if t.pid == t.tid && t.began < absoluteNS { // else it is another thread's, or since 1970
		e.StartNS = t.began
	}
	if t.hasUID {
		e.UID = t.keep(t.uid)
	}
	if t.hasCPU {
		e.CPU = t.keep(t.cpu)
	}
	if t.hasRet {
		e.Ret = t.keep(t.ret)
	}
	if t.compat {
		e.Via = trace.ViaCompat
	}
	if err := t.containerRow(t.time); err != nil {
		return err
	}
	switch t.name {
	case "sched_process_exec":
		return t.exec(e)
	case "sched_process_exit":
		return t.exit(e)
	}
	if !t.event(e) {
		t.out.Unmapped(t.name)
		return nil
	}
	return t.out.Event(t.in.Host, e)
}

// program names the program of a process for programs: there is one at a time.
func (t *traceeReader) program() string {
	t.key = strconv.AppendInt(t.key[:0], int64(t.pid), 10)
	return view(t.key)
}

func (t *traceeReader) exec(e *trace.Event) error {
	e.Kind, e.Path = string(trace.Exec), t.text("pathname", "cmdpath")
	if e.Exe == "" {
		e.Exe = e.Path
	}
	if a := t.arg("argv"); a != nil {
		e.Argv = a.list
	}
	id := t.program()
	if err := t.programs.replaced(id, e.TimeNS); err != nil {
		return err
	}
	if err := t.programs.began(t.in.Host, id, e); err != nil {
		return err
	}
	return t.out.Event(t.in.Host, e)
}

func (t *traceeReader) exit(e *trace.Event) error {
	if group := t.arg("process_group_exit"); group != nil && group.has && group.number == 0 {
		t.out.Unmapped("sched_process_exit of a thread")
		return nil
	}
	e.Kind, e.Ret = string(trace.Exit), nil
	status := int64(0)
	if code := t.number("exit_code"); code != nil {
		status = *code << 8 & 0xff00
		if signal := t.number("signal_code"); signal != nil {
			status |= *signal & 0x7f
		}
		e.Arg = &status
	}
	if err := t.out.Event(t.in.Host, e); err != nil {
		return err
	}
	id := t.program()
	if before := *t.programs.of(id); before.PID != 0 {
		delete(t.programs.open, id)
		before.EndTimeNS, before.ExitStatus = &e.TimeNS, e.Arg
		return t.out.Process(t.in.Host, &before)
	}
	return nil
}

// event fills in what an event says; false where no kind stands for it. Of LSM
// hooks only security_file_open is one: the others come beside a system call.
func (t *traceeReader) event(e *trace.Event) bool {
	path := func(kind trace.Kind, names ...string) { e.Kind, e.Path = string(kind), t.text(names...) }
	switch t.name {
	case "open", "openat", "openat2", "creat", "security_file_open":
		path(trace.FileOpen, "pathname", "filename")
		e.Flags, e.Mode = t.number("flags"), t.number("mode")
		if t.name == "security_file_open" {
			e.Ret = nil // whether it may, not what came of it
		}
	case "execve", "execveat":
		if t.ret >= 0 {
			return false // sched_process_exec tells of it
		}
		path(trace.Exec, "pathname")
		if a := t.arg("argv"); a != nil {
			e.Argv = a.list
		}
	case "sched_process_fork":
		e.Kind, e.Ret = string(trace.Fork), nil
		child, parent := t.number("child_pid", "child_process_pid"), t.number("parent_pid", "parent_process_pid")
		if e.TargetPID = child; child != nil && parent != nil && *child == *parent {
			e.TargetPID = t.number("child_tid")
		}
	case "unlink", "unlinkat", "rmdir":
		path(trace.Unlink, "pathname")
	case "rename", "renameat", "renameat2":
		path(trace.Rename, "oldpath", "oldname")
		e.Path2 = t.text("newpath", "newname")
	case "link", "linkat", "symlink", "symlinkat":
		path(trace.Link, "oldpath", "target", "oldname")
		e.Path2 = t.text("newpath", "linkpath", "newname")
	case "chmod", "fchmodat":
		path(trace.Chmod, "pathname")
		e.Mode = t.number("mode")
	case "chown", "lchown", "fchownat":
		path(trace.Chown, "pathname")
		e.Arg, e.Mode = t.number("owner", "uid"), t.number("group", "gid")
	case "connect":
		e.Kind = string(trace.Connect)
		e.Family, e.Addr, e.Port = t.address()
	case "accept", "accept4":
		e.Kind = string(trace.Accept)
		e.Family, e.Addr, e.Port = t.address()
	case "bind":
		e.Kind = string(trace.Bind)
		e.Family, e.LocalAddr, e.LocalPort = t.address()
	case "listen":
		e.Kind = string(trace.Listen)
	default:
		return t.rareEvent(e)
	}
	return true
}

// rareEvent is event for the rest.
func (t *traceeReader) rareEvent(e *trace.Event) bool {
	switch t.name {
	case "setuid", "setfsuid":
		e.Kind, e.Arg = string(trace.SetUID), t.number("uid", "fsuid")
	case "setreuid", "setresuid":
		e.Kind, e.Arg = string(trace.SetUID), t.number("euid")
	case "setgid", "setfsgid":
		e.Kind, e.Arg = string(trace.SetGID), t.number("gid", "fsgid")
	case "setregid", "setresgid":
		e.Kind, e.Arg = string(trace.SetGID), t.number("egid")
	case "capset":
		e.Kind = string(trace.CapSet)
	case "mount":
		e.Kind, e.Path, e.Path2 = string(trace.Mount), t.text("source"), t.text("target")
		e.Addr, e.Flags = t.text("filesystemtype"), t.number("mountflags")
	case "umount", "umount2":
		e.Kind, e.Path, e.Flags = string(trace.Umount), t.text("target"), t.number("flags")
	case "ptrace":
		e.Kind, e.TargetPID = string(trace.Ptrace), t.number("pid")
		if a := t.arg("request"); a != nil {
			if n, ok := ptraceRequests[a.text]; ok {
				e.Arg = t.keep(n)
			} else if a.has {
				e.Arg = t.keep(a.number)
			}
		}
	case "init_module", "finit_module":
		e.Kind = string(trace.ModuleLoad)
	case "bpf":
		e.Kind = string(trace.BPF)
		if a := t.arg("cmd"); a != nil {
			if n, ok := bpfCommands[a.text]; ok {
				e.Arg = t.keep(n)
			} else if a.has {
				e.Arg = t.keep(a.number)
			}
		}
	case "memfd_create":
		e.Kind, e.Path, e.Flags = string(trace.MemfdCreate), t.text("name"), t.number("flags")
	case "unshare":
		e.Kind, e.Flags = string(trace.Unshare), t.number("flags")
	case "setns":
		e.Kind, e.Flags = string(trace.Setns), t.number("nstype")
	default:
		return false
	}
	return true
}

// address reads the argument that is a sockaddr.
func (t *traceeReader) address() (family, addr string, port *int64) {
	a := t.arg("addr")
	if a == nil {
		return "", "", nil
	}
	if n, err := strconv.ParseUint(a.addr.port, 10, 16); err == nil {
		port = t.keep(int64(n))
	}
	if n, err := strconv.ParseUint(a.addr.family, 10, 16); err == nil {
		family = familyName(n)
	} else {
		family = addressFamilies[a.addr.family]
	}
	if family == "unix" {
		return family, a.addr.path, nil
	}
	return family, a.addr.ip, port
}

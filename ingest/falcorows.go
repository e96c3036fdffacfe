package ingest

import (
	"fmt"
	"strconv"
	"strings"

	"mayfly/trace"
)

func badField(name, text string) error {
	return fmt.Errorf("%q: %.40q is no number that it can be", name, text)
}

// base makes what every event has.
func (f *falcoReader) base(ns int64) (*trace.Event, error) {
	f.reset()
	e := &f.row
	*e = trace.Event{TimeNS: ns, Comm: f.field[falcoComm], Exe: f.field[falcoExePath], UID: f.number(falcoUID), GID: f.number(falcoGID),
		CPU: f.number(falcoCPU)}
	for _, p := range []struct {
		to *int32
		at int
	}{{&e.PID, falcoPID}, {&e.PPID, falcoPPID}, {&e.TID, falcoTID}} {
		var err error
		if *p.to, err = f.pid(p.at); err != nil {
			return nil, err
		}
	}
	if id := f.field[falcoFullID]; id != "" && id != "host" {
		e.ContainerID = id
	} else if id := f.field[falcoContainer]; id != "host" {
		e.ContainerID = id
	}
	if n, ok := number(f.field[falcoRawRes]); ok && f.field[falcoRawRes] != "" {
		e.Ret = f.keep(n)
	} else {
		e.Ret = f.result(f.field[falcoRes])
	}
	return e, nil
}

// result reads evt.res: SUCCESS, or the name of an error. Of what a call returned
// when it succeeded it says nothing, so that 0 would be one.
func (f *falcoReader) result(text string) *int64 {
	if n, ok := errnos[text]; ok {
		return f.keep(-n)
	}
	return nil
}

// container gives a row of a container that was not seen before.
func (f *falcoReader) container(host string, ns int64, id string) error {
	if id == "" || f.known[id] {
		return nil
	}
	c := &trace.Container{TimeNS: ns, ContainerID: id, Name: f.field[falcoContainerName], Image: f.field[falcoRepository],
		ImageDigest: f.field[falcoDigest], ImageID: f.field[falcoImageID], Pod: f.field[falcoPod], PodNamespace: f.field[falcoNamespace],
		PodUID: f.field[falcoPodUID], Facts: trace.FactsPartial}
	if c.Image != "" && f.field[falcoTag] != "" {
		c.Image += ":" + f.field[falcoTag]
	}
	switch f.field[falcoPrivileged] {
	case "true":
		c.Privileged = new(true)
	case "false":
		c.Privileged = new(false)
	}
	if c.Name == "" && c.Image == "" && c.Pod == "" && c.PodNamespace == "" {
		return nil // a later alert may say more
	}
	if len(f.known) >= 1<<16 {
		clear(f.known)
	}
	f.known[strings.Clone(id)] = true
	return f.out.Container(host, c)
}

// event fills in what the type of event says; false where no kind stands for it.
func (f *falcoReader) event(e *trace.Event) bool {
	v := &f.field
	or := func(at ...int) string {
		for _, i := range at {
			if v[i] != "" {
				return v[i]
			}
		}
		return ""
	}
	switch v[falcoType] {
	case "execve", "execveat":
		e.Kind, e.Path, e.Cwd = string(trace.Exec), v[falcoExePath], v[falcoCwd]
		f.argv = f.argv[:0]
		for word := range strings.SplitSeq(v[falcoCmdline], " ") {
			f.argv = append(f.argv, word)
		}
		if v[falcoCmdline] == "" {
			f.argv = nil
		} else if v[falcoExe] != "" { // the first argument; proc.cmdline has proc.name in its place
			f.argv[0] = v[falcoExe]
		}
		e.Argv = f.argv
	case "open", "openat", "openat2", "creat", "open_by_handle_at":
		e.Kind, e.Path = string(trace.FileOpen), or(falcoFD, falcoPath, falcoArgPath, falcoArgName)
		e.Flags, e.Mode = f.flags(), f.mode()
	case "unlink", "unlinkat", "rmdir":
		e.Kind, e.Path = string(trace.Unlink), or(falcoPath, falcoArgPath, falcoArgName)
	case "rename", "renameat", "renameat2":
		e.Kind, e.Path, e.Path2 = string(trace.Rename), or(falcoSource, falcoArgOld), or(falcoTarget, falcoArgNew)
	case "link", "linkat":
		e.Kind, e.Path, e.Path2 = string(trace.Link), or(falcoSource, falcoArgOld), or(falcoTarget, falcoArgNew)
	case "symlink", "symlinkat":
		e.Kind, e.Path, e.Path2 = string(trace.Link), or(falcoArgOld, falcoTarget), or(falcoArgNew, falcoSource)
	case "chmod", "fchmod", "fchmodat", "fchmodat2":
		e.Kind, e.Path, e.Mode = string(trace.Chmod), or(falcoPath, falcoArgPath, falcoFD), f.mode()
	case "chown", "lchown", "fchown", "fchownat":
		e.Kind, e.Path = string(trace.Chown), or(falcoPath, falcoArgPath, falcoFD)
		e.Arg, e.Mode = f.number(falcoArgUID), f.number(falcoArgGID)
	case "connect":
		e.Kind = string(trace.Connect)
		f.ends(e, or(falcoRIP, falcoSIP), or(falcoRPort, falcoSPort), or(falcoLIP, falcoCIP), or(falcoLPort, falcoCPort), false)
	case "accept", "accept4":
		e.Kind = string(trace.Accept)
		f.ends(e, or(falcoRIP, falcoCIP), or(falcoRPort, falcoCPort), or(falcoLIP, falcoSIP), or(falcoLPort, falcoSPort), true)
	case "bind":
		e.Kind = string(trace.Bind)
		f.ends(e, "", "", or(falcoLIP, falcoSIP), or(falcoLPort, falcoSPort), true)
	case "listen":
		e.Kind = string(trace.Listen)
		f.ends(e, "", "", or(falcoLIP, falcoSIP), or(falcoLPort, falcoSPort), true)
	default:
		return f.rareEvent(e)
	}
	return true
}

// rareEvent is event for the rest.
func (f *falcoReader) rareEvent(e *trace.Event) bool {
	v := &f.field
	switch v[falcoType] {
	case "clone", "clone3", "fork", "vfork":
		e.Kind, e.Flags = string(trace.Fork), f.flags()
		if e.Ret != nil && *e.Ret > 0 {
			e.TargetPID = e.Ret
		}
	case "procexit":
		e.Kind, e.Arg = string(trace.Exit), f.number(falcoArgStatus)
	case "setuid", "setreuid", "setresuid":
		e.Kind, e.Arg = string(trace.SetUID), f.number(falcoArgUID)
	case "setgid", "setregid", "setresgid":
		e.Kind, e.Arg = string(trace.SetGID), f.number(falcoArgGID)
	case "capset":
		e.Kind = string(trace.CapSet)
	case "mount":
		e.Kind, e.Path, e.Path2, e.Addr = string(trace.Mount), v[falcoArgDev], v[falcoArgDir], v[falcoArgType]
		e.Flags = f.flags()
	case "umount", "umount2":
		e.Kind, e.Path = string(trace.Umount), v[falcoArgName]
	case "ptrace":
		e.Kind, e.TargetPID = string(trace.Ptrace), f.number(falcoArgPID)
		if n, ok := ptraceRequests[v[falcoArgRequest]]; ok {
			e.Arg = f.keep(n)
		}
	case "init_module", "finit_module":
		e.Kind = string(trace.ModuleLoad)
	case "bpf":
		e.Kind = string(trace.BPF)
		if n, ok := bpfCommands[v[falcoArgCmd]]; ok {
			e.Arg = f.keep(n)
		} else {
			e.Arg = f.number(falcoArgCmd)
		}
	case "memfd_create":
		e.Kind, e.Path = string(trace.MemfdCreate), v[falcoArgName]
	case "unshare":
		e.Kind, e.Flags = string(trace.Unshare), f.flags()
	case "setns":
		e.Kind, e.Flags = string(trace.Setns), f.flags()
	default:
		return false
	}
	return true
}

func (f *falcoReader) flags() *int64 {
	if f.field[falcoArgFlags] == "" {
		return nil
	}
	if n, ok := flags(f.field[falcoArgFlags]); ok {
		return f.keep(n)
	}
	return nil
}

// mode is octal, as Falco prints modes: 0644; or names.
func (f *falcoReader) mode() *int64 {
	text := f.field[falcoArgMode]
	if text == "" {
		return nil
	}
	if n, err := strconv.ParseUint(text, 8, 32); err == nil {
		return f.keep(int64(n))
	}
	if n, ok := flags(text); ok {
		return f.keep(n)
	}
	return nil
}

// ends sets the two ends of a connection: as fields say, or as fd.name has them,
// client->server.
func (f *falcoReader) ends(e *trace.Event, addr, port, localAddr, localPort string, server bool) {
	if name := f.field[falcoFD]; addr == "" && localAddr == "" && name != "" {
		client, other, two := strings.Cut(name, "->")
		if !two { // of a bind
			client, other = "", name
		}
		if strings.HasPrefix(name, "/") {
			e.Family = "unix"
			if e.Addr = name; server {
				e.Addr, e.LocalAddr = "", name
			}
			return
		}
		a, p := splitPort(other)
		l, lp := splitPort(client)
		if server {
			a, p, l, lp = l, lp, a, p
		}
		addr, port, localAddr, localPort = a, p, l, lp
	}
	e.Addr, e.LocalAddr = addr, localAddr
	if e.Family = ipFamily(addr); e.Family == "" {
		e.Family = ipFamily(localAddr)
	}
	e.Port, e.LocalPort = f.port(port), f.port(localPort)
}

func (f *falcoReader) port(text string) *int64 {
	if text == "" {
		return nil
	}
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return f.keep(int64(n))
	}
	return nil
}

func splitPort(s string) (addr, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, ""
	}
	return strings.Trim(s[:i], "[]"), s[i+1:]
}

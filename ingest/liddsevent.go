package ingest

import (
	"path"
	"strings"

	"mayfly/trace"
)

// liddsForks are the calls that end twice, in the parent and in the child.
var liddsForks = map[string]func(*liddsCall) error{
	"clone": (*liddsCall).fork, "clone3": (*liddsCall).fork, "fork": (*liddsCall).fork, "vfork": (*liddsCall).fork,
}

var liddsEvents = map[string]func(*liddsCall) error{
	"open": (*liddsCall).open, "openat": (*liddsCall).open, "creat": (*liddsCall).open,
	"execve":  (*liddsCall).exec,
	"connect": (*liddsCall).connect, "accept": (*liddsCall).accept, "bind": (*liddsCall).bind, "listen": (*liddsCall).listen,
	"unlink": (*liddsCall).unlink, "unlinkat": (*liddsCall).unlink, "rmdir": (*liddsCall).unlink,
	"rename": (*liddsCall).two, "renameat": (*liddsCall).two, "renameat2": (*liddsCall).two,
	"link": (*liddsCall).two, "linkat": (*liddsCall).two, "symlink": (*liddsCall).two, "symlinkat": (*liddsCall).two,
	"chmod": (*liddsCall).chmod, "fchmodat": (*liddsCall).chmod, "setuid": (*liddsCall).setUID, "setgid": (*liddsCall).setGID,
}

func (c *liddsCall) open() error {
	c.e.Path, c.e.Flags, c.e.Mode = c.path("name"), c.names("flags"), c.octal("mode")
	if c.name == "creat" {
		c.e.Flags = new(flagBits["O_CREAT"] | flagBits["O_WRONLY"] | flagBits["O_TRUNC"])
	}
	return c.emit(trace.FileOpen)
}

// exec: sysdig prints argv parted by points or blanks, which cannot be told from
// those inside of an argument: argv is what stands there, in one piece.
func (c *liddsCall) exec() error {
	c.e.Path = c.path("filename")
	exe, _ := c.value("exe")
	args, _ := c.value("args")
	if exe != "" {
		c.e.Argv = []string{exe}
		if args = strings.TrimSuffix(args, "."); args != "" {
			c.e.Argv, c.e.ArgvCut = append(c.e.Argv, args), strings.HasSuffix(args, "...")
		}
	}
	if parent := c.number("ptid"); parent != nil && *parent >= 0 && *parent < 1<<31 {
		c.t.process.row.PPID = int32(*parent)
	}
	if c.e.Ret != nil && *c.e.Ret < 0 {
		return c.emit(trace.Exec)
	}
	c.e.Comm, _ = c.value("comm")
	c.e.Cwd, _ = c.value("cwd")
	c.e.Kind = string(trace.Exec)
	c.d.failed = c.d.f.exec(c.t, &c.e)
	return c.d.failed
}

func (c *liddsCall) fork() error {
	if c.e.Ret == nil || *c.e.Ret != 0 { // the child's end says more
		return nil
	}
	pid, parent := c.number("pid"), c.number("ptid")
	if pid == nil || parent == nil || *parent < 0 || *parent >= 1<<31 {
		return nil
	}
	flags := int64(0)
	if f := c.names("flags"); f != nil {
		flags = *f
	}
	if int32(*pid) != c.t.run.TID {
		flags |= cloneThread
		parent = pid
	}
	t, err := c.d.f.thread(int32(*parent))
	if err == nil {
		t.process.row.ContainerID = c.d.id
		err = c.d.f.fork(t, c.t.run.TID, flags, c.e.TimeNS)
	}
	c.d.failed = err
	return err
}

func (c *liddsCall) connect() error {
	if family, from, to, ok := c.tuple("tuple"); ok {
		c.e.Family, c.e.Addr, c.e.Port = family, to.Addr().String(), new(int64(to.Port()))
		c.e.LocalAddr, c.e.LocalPort = from.Addr().String(), new(int64(from.Port()))
	} else if v, _ := c.value("tuple"); strings.Contains(v, "->") {
		if i := strings.LastIndexByte(v, ' '); i >= 0 {
			c.e.Family, c.e.Addr = "unix", v[i+1:]
		}
	}
	return c.emit(trace.Connect)
}

func (c *liddsCall) accept() error {
	if family, from, to, ok := c.tuple("tuple"); ok {
		c.e.Family, c.e.Addr, c.e.Port = family, from.Addr().String(), new(int64(from.Port()))
		c.e.LocalAddr, c.e.LocalPort = to.Addr().String(), new(int64(to.Port()))
	}
	return c.emit(trace.Accept)
}

func (c *liddsCall) bind() error {
	v, _ := c.value("addr")
	if at, ok := sysdigAddress(v); ok {
		c.e.Family, c.e.LocalAddr, c.e.LocalPort = "inet", at.Addr().String(), new(int64(at.Port()))
		if at.Addr().Is6() {
			c.e.Family = "inet6"
		}
	} else if strings.HasPrefix(v, "/") {
		c.e.Family, c.e.LocalAddr = "unix", v
	}
	return c.emit(trace.Bind)
}

func (c *liddsCall) listen() error { return c.emit(trace.Listen) }

func (c *liddsCall) unlink() error {
	if c.e.Path = c.path("path"); c.e.Path == "" {
		c.e.Path = c.path("name")
	}
	c.e.Flags = new(int64(0))
	switch c.name {
	case "rmdir":
		c.e.Flags = new(flagBits["AT_REMOVEDIR"])
	case "unlinkat":
		c.e.Flags = c.names("flags")
	}
	return c.emit(trace.Unlink)
}

func (c *liddsCall) two() error {
	c.e.Path, c.e.Path2, c.e.Flags = c.path("oldpath"), c.path("newpath"), new(int64(0))
	if strings.HasPrefix(c.name, "rename") {
		return c.emit(trace.Rename)
	}
	if strings.HasPrefix(c.name, "symlink") {
		c.e.Path, c.e.Path2 = c.path("target"), c.path("linkpath")
		if c.e.Path != "" && c.e.Path[0] != '/' && c.e.Path2 != "" {
			c.e.Path = path.Join(path.Dir(c.e.Path2), c.e.Path)
		}
	}
	return c.emit(trace.Link)
}

func (c *liddsCall) chmod() error {
	if c.e.Path = c.path("filename"); c.e.Path == "" {
		c.e.Path = c.path("path")
	}
	c.e.Mode = c.octal("mode")
	return c.emit(trace.Chmod)
}

func (c *liddsCall) setUID() error {
	c.e.Arg = c.number("uid")
	return c.emit(trace.SetUID)
}

func (c *liddsCall) setGID() error {
	c.e.Arg = c.number("gid")
	return c.emit(trace.SetGID)
}

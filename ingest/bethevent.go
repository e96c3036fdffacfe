package ingest

import (
	"mayfly/trace"
)

var bethEvents = map[string]func(*bethCall) error{
	"execve": func(c *bethCall) error {
		c.e.Path = c.path("pathname")
		if argv, ok := c.arg("argv"); ok {
			c.e.Argv = pythonList(argv)
		}
		if c.e.Ret != nil && *c.e.Ret != 0 {
			return c.emit(trace.Exec)
		}
		c.e.Kind, c.e.Comm = string(trace.Exec), c.t.process.row.Comm
		c.d.failed = c.h.f.exec(c.t, &c.e)
		return c.d.failed
	},
	"sched_process_exit": func(c *bethCall) error { // its status is not in it
		c.e.Ret = nil
		if c.t.run.TID != c.t.process.row.PID {
			return nil
		}
		return c.emit(trace.Exit)
	},
	"clone": func(c *bethCall) error {
		if c.e.Ret == nil || *c.e.Ret <= 0 {
			return nil
		}
		c.e.TargetPID, c.e.Ret, c.e.Flags = c.e.Ret, nil, c.flags("flags")
		return c.emit(trace.Fork)
	},
	"open": (*bethCall).open, "openat": (*bethCall).open,
	"unlink": (*bethCall).unlink, "unlinkat": (*bethCall).unlink,
	"symlink": (*bethCall).symlink, "symlinkat": (*bethCall).symlink,
	"chmod": (*bethCall).chmod, "fchmodat": (*bethCall).chmod,
	"connect": func(c *bethCall) error {
		c.e.Family, c.e.Addr, c.e.Port = c.sockaddr("addr")
		return c.emit(trace.Connect)
	},
	"bind": func(c *bethCall) error {
		c.e.Family, c.e.LocalAddr, c.e.LocalPort = c.sockaddr("addr")
		return c.emit(trace.Bind)
	},
	"listen": func(c *bethCall) error { return c.emit(trace.Listen) },
	"accept": (*bethCall).accept, "accept4": (*bethCall).accept,
	"setuid": func(c *bethCall) error {
		c.e.Arg = c.flags("uid")
		return c.emit(trace.SetUID)
	},
	"setgid": func(c *bethCall) error {
		c.e.Arg = c.flags("gid")
		return c.emit(trace.SetGID)
	},
	"setreuid": func(c *bethCall) error {
		c.e.Arg = c.flags("euid")
		return c.emit(trace.SetUID)
	},
	"setregid": func(c *bethCall) error {
		c.e.Arg = c.flags("egid")
		return c.emit(trace.SetGID)
	},
	"memfd_create": func(c *bethCall) error {
		c.e.Path, c.e.Flags = c.path("name"), c.flags("flags")
		return c.emit(trace.MemfdCreate)
	},
}

func (c *bethCall) open() error {
	c.e.Path, c.e.Flags, c.e.Mode = c.path("pathname"), c.flags("flags"), c.flags("mode")
	return c.emit(trace.FileOpen)
}

func (c *bethCall) unlink() error {
	c.e.Path = c.path("pathname")
	if c.e.Flags = c.flags("flags"); c.e.Flags == nil {
		c.e.Flags = new(int64(0))
	}
	return c.emit(trace.Unlink)
}

func (c *bethCall) symlink() error {
	c.e.Path, c.e.Path2 = c.path("target"), c.path("linkpath")
	return c.emit(trace.Link)
}

func (c *bethCall) chmod() error {
	c.e.Path, c.e.Mode = c.path("pathname"), c.flags("mode")
	return c.emit(trace.Chmod)
}

func (c *bethCall) accept() error {
	c.e.Family, c.e.Addr, c.e.Port = c.sockaddr("addr")
	return c.emit(trace.Accept)
}

package ingest

import (
	"path"
	"strings"

	"mayfly/trace"
)

func (c *straceArguments) open() error {
	file, ok := c.path(0, c.cwd())
	if !ok {
		return c.errArgument(0)
	}
	if c.name == "creat" {
		c.e.Flags = new(flagBits["O_CREAT"] | flagBits["O_WRONLY"] | flagBits["O_TRUNC"])
		c.e.Mode = c.number(1)
	} else {
		c.e.Flags, c.e.Mode = c.flag(1), c.number(2)
	}
	return c.opened(file)
}

func (c *straceArguments) openAt() error {
	file, ok := c.pathAt(0)
	if !ok {
		return c.errArgument(1)
	}
	if c.name == "openat2" && len(c.args) > 2 {
		how := members(c.args[2], nil)
		if n, ok := flags(string(field(how, "flags"))); ok {
			c.e.Flags = &n
		}
		if n, ok := number(string(field(how, "mode"))); ok {
			c.e.Mode = &n
		}
	} else {
		c.e.Flags, c.e.Mode = c.flag(2), c.number(3)
	}
	return c.opened(file)
}

func (c *straceArguments) opened(file string) error {
	c.e.Path = file
	if strings.HasPrefix(c.file, "/") { // the kernel's own, with links followed
		c.e.Path = c.file
	}
	if c.e.Mode == nil {
		c.e.Mode = new(int64(0))
	}
	return c.emit(trace.FileOpen)
}

func (c *straceArguments) unlink() error {
	var ok bool
	if c.e.Path, ok = c.path(0, c.cwd()); !ok {
		return c.errArgument(0)
	}
	c.e.Flags = new(int64(0))
	if c.name == "rmdir" {
		c.e.Flags = new(flagBits["AT_REMOVEDIR"])
	}
	return c.emit(trace.Unlink)
}

func (c *straceArguments) unlinkAt() error {
	var ok bool
	if c.e.Path, ok = c.pathAt(0); !ok {
		return c.errArgument(1)
	}
	c.e.Flags = c.flag(2)
	return c.emit(trace.Unlink)
}

// two reads the two paths of a call.
func (c *straceArguments) two(kind trace.Kind, from, to string, ok1, ok2 bool) error {
	if !ok1 || !ok2 {
		return c.errArgument(0)
	}
	c.e.Path, c.e.Path2 = from, to
	if c.e.Flags == nil {
		c.e.Flags = new(int64(0))
	}
	return c.emit(kind)
}

func (c *straceArguments) rename() error {
	from, ok1 := c.path(0, c.cwd())
	to, ok2 := c.path(1, c.cwd())
	return c.two(trace.Rename, from, to, ok1, ok2)
}

func (c *straceArguments) renameAt() error {
	from, ok1 := c.pathAt(0)
	to, ok2 := c.pathAt(2)
	c.e.Flags = c.flag(4)
	return c.two(trace.Rename, from, to, ok1, ok2)
}

func (c *straceArguments) link() error {
	from, ok1 := c.path(0, c.cwd())
	to, ok2 := c.path(1, c.cwd())
	return c.two(trace.Link, from, to, ok1, ok2)
}

func (c *straceArguments) linkAt() error {
	from, ok1 := c.pathAt(0)
	to, ok2 := c.pathAt(2)
	c.e.Flags = c.flag(4)
	return c.two(trace.Link, from, to, ok1, ok2)
}

// symlink: the text of the link is relative to where it stands.
func (c *straceArguments) symlink() error {
	target, ok1 := c.text(0)
	var place string
	var ok2 bool
	if c.name == "symlinkat" {
		place, ok2 = c.pathAt(1)
	} else {
		place, ok2 = c.path(1, c.cwd())
	}
	if target != "" && target[0] != '/' && place != "" {
		target = path.Join(path.Dir(place), target)
	}
	return c.two(trace.Link, target, place, ok1, ok2)
}

func (c *straceArguments) chmod() error {
	var ok bool
	if c.name == "fchmod" {
		c.e.Path, ok = c.descriptorPath(0)
	} else {
		c.e.Path, ok = c.path(0, c.cwd())
	}
	if !ok {
		return c.errArgument(0)
	}
	c.e.Mode = c.flag(1)
	return c.emit(trace.Chmod)
}

func (c *straceArguments) chmodAt() error {
	var ok bool
	if c.e.Path, ok = c.pathAt(0); !ok {
		return c.errArgument(1)
	}
	c.e.Mode = c.flag(2)
	return c.emit(trace.Chmod)
}

func (c *straceArguments) chown() error {
	var ok bool
	if strings.HasPrefix(c.name, "fchown") {
		c.e.Path, ok = c.descriptorPath(0)
	} else {
		c.e.Path, ok = c.path(0, c.cwd())
	}
	if !ok {
		return c.errArgument(0)
	}
	c.e.Arg, c.e.Mode = c.number(1), c.number(2)
	return c.emit(trace.Chown)
}

func (c *straceArguments) chownAt() error {
	var ok bool
	if c.e.Path, ok = c.pathAt(0); !ok {
		return c.errArgument(1)
	}
	c.e.Arg, c.e.Mode = c.number(2), c.number(3)
	return c.emit(trace.Chown)
}

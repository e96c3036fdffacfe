package ingest

import (
	"bytes"
	"strings"

	"mayfly/trace"
)

// identity makes the event of a change of user or group. The effective one
// afterwards is the first argument of setuid, the second of setreuid and
// setresuid; -1 leaves it as it was.
func (c *straceArguments) identity() error {
	name := strings.TrimSuffix(c.name, "32")
	kind, now := trace.SetUID, &c.t.process.row.UID
	if strings.HasSuffix(name, "gid") {
		kind, now = trace.SetGID, &c.t.process.row.GID
	}
	place := 0
	if strings.HasPrefix(name, "setre") {
		place = 1
	}
	asked := c.number(place)
	if asked == nil {
		return c.errArgument(place)
	}
	if !c.failed() && *asked != -1 && uint32(*asked) != 1<<32-1 && !strings.HasPrefix(name, "setfs") {
		c.e.Arg = asked
		*now = asked
	} else {
		c.e.Arg = *now
	}
	return c.emit(kind)
}

// learn takes the identity that a process asked for.
func (c *straceArguments) learn() error {
	if !c.failed() {
		id := &c.t.process.row.UID
		if c.name == "getegid" {
			id = &c.t.process.row.GID
		}
		*id = new(c.ret)
	}
	return nil
}

func (c *straceArguments) capset() error {
	if len(c.args) < 2 {
		return c.errArgument(1)
	}
	text, _, _ := bytes.Cut(field(members(c.args[1], nil), "effective"), []byte(" "))
	if mask, ok := capabilityMask(string(text)); ok {
		c.e.Arg = &mask
	}
	return c.emit(trace.CapSet)
}

// capabilityMask reads 1<<CAP_CHOWN|1<<CAP_KILL, or a number.
func capabilityMask(text string) (mask int64, ok bool) {
	if text == "" {
		return 0, false
	}
	for word := range strings.SplitSeq(text, "|") {
		if n, ok := capabilities[strings.TrimPrefix(word, "1<<")]; ok {
			mask |= 1 << n
		} else if n, ok := number(word); ok {
			mask |= n
		} else {
			return 0, false
		}
	}
	return mask, true
}

func (c *straceArguments) mount() error {
	source, _ := c.text(0)
	target, ok := c.path(1, c.cwd())
	if !ok {
		return c.errArgument(1)
	}
	c.e.Addr, _ = c.text(2)
	c.e.Flags = c.flag(3)
	if c.e.Flags != nil && *c.e.Flags&(flagBits["MS_BIND"]|flagBits["MS_MOVE"]) != 0 {
		source = resolve(c.cwd(), source)
	}
	c.e.Path, c.e.Path2 = source, target
	return c.emit(trace.Mount)
}

func (c *straceArguments) moveMount() error {
	from, ok1 := c.pathAt(0)
	to, ok2 := c.pathAt(2)
	c.e.Flags = c.flag(4)
	return c.two(trace.Mount, from, to, ok1, ok2)
}

func (c *straceArguments) umount() error {
	var ok bool
	if c.e.Path, ok = c.path(0, c.cwd()); !ok {
		return c.errArgument(0)
	}
	if c.e.Flags = c.flag(1); c.e.Flags == nil {
		c.e.Flags = new(int64(0))
	}
	return c.emit(trace.Umount)
}

func (c *straceArguments) ptrace() error {
	if len(c.args) == 0 {
		return c.errArgument(0)
	}
	if n, ok := ptraceRequests[string(c.args[0])]; ok {
		c.e.Arg = &n
	} else {
		c.e.Arg = c.number(0)
	}
	c.e.TargetPID = c.number(1)
	return c.emit(trace.Ptrace)
}

func (c *straceArguments) module() error {
	if c.name == "finit_module" {
		c.e.Path, _ = c.descriptorPath(0)
		c.e.Flags = c.flag(2)
	}
	return c.emit(trace.ModuleLoad)
}

func (c *straceArguments) bpf() error {
	if len(c.args) == 0 {
		return c.errArgument(0)
	}
	if n, ok := bpfCommands[string(c.args[0])]; ok {
		c.e.Arg = &n
	} else {
		c.e.Arg = c.number(0)
	}
	return c.emit(trace.BPF)
}

func (c *straceArguments) memfd() error {
	var ok bool
	if c.e.Path, ok = c.text(0); !ok {
		return c.errArgument(0)
	}
	c.e.Flags = c.flag(1)
	return c.emit(trace.MemfdCreate)
}

func (c *straceArguments) unshare() error {
	c.e.Flags = c.flag(0)
	return c.emit(trace.Unshare)
}

func (c *straceArguments) setns() error {
	c.e.Flags = c.flag(1)
	return c.emit(trace.Setns)
}

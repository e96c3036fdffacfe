package ingest

import (
	"fmt"
	"strings"

	"mayfly/trace"
)

func (c *straceArguments) exec() error { return c.run(0, c.cwd()) }

func (c *straceArguments) execAt() error {
	file, ok := c.pathAt(0)
	if !ok {
		return c.errArgument(0)
	}
	if len(c.args) < 3 {
		return c.errArgument(2)
	}
	c.args = c.args[1:]
	return c.runFile(file)
}

func (c *straceArguments) run(i int, base string) error {
	file, ok := c.path(i, base)
	if !ok {
		return c.errArgument(i)
	}
	return c.runFile(file)
}

// runFile takes argv of the place behind the path.
func (c *straceArguments) runFile(file string) error {
	if !c.has { // the thread did not live to see its end
		return nil
	}
	c.e.Path = file
	if len(c.args) > 1 {
		c.e.Argv, c.e.ArgvCut, _ = stringList(c.args[1])
	}
	if int64(len(c.e.Argv)) > c.d.limits.ListLength {
		return fmt.Errorf("%s: %d arguments of a program, want at most %d", c.name, len(c.e.Argv), c.d.limits.ListLength)
	}
	if c.failed() {
		return c.emit(trace.Exec)
	}
	c.e.Kind, c.e.Ret = string(trace.Exec), &c.ret
	return c.d.fail(c.d.f.exec(c.t, &c.e))
}

func (c *straceArguments) clone() error {
	fields := c.args
	if c.name == "clone3" && len(c.args) > 0 {
		fields = members(c.args[0], nil)
	}
	asked := string(field(fields, "flags"))
	bits := int64(0)
	for word := range strings.SplitSeq(asked, "|") {
		if n, ok := flags(word); ok {
			bits |= n // what is left over is the signal
		}
	}
	return c.born(bits &^ 0x7f)
}

func (c *straceArguments) fork() error {
	if c.name == "vfork" {
		return c.born(flagBits["CLONE_VM"] | flagBits["CLONE_VFORK"])
	}
	return c.born(0)
}

func (c *straceArguments) born(bits int64) error {
	if c.failed() || c.ret <= 0 || c.ret > 1<<22 || int32(c.ret) == c.t.run.TID {
		return nil
	}
	return c.d.fail(c.d.f.fork(c.t, int32(c.ret), bits, c.e.TimeNS))
}

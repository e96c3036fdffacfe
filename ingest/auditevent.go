package ingest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mayfly/trace"
)

// auditMachines are the machines of AUDIT_ARCH_ (linux/audit.h), as GOARCH names
// them, with whether the calls are of the 32-bit table of a 64-bit machine.
var auditMachines = map[string]struct {
	machine string
	narrow  bool
}{
	"c000003e": {"amd64", false}, "40000003": {"386", true}, "c00000b7": {"arm64", false}, "40000028": {"arm", true},
}

// auditCall is an event with a call, whose records are put together.
type auditCall struct {
	d      *auditReader
	host   string
	name   string
	fields []byte // of SYSCALL
	args   [4]*int64
	cwd    string
	paths  []auditPath
	socket []byte
	execve [][]byte
	capset *int64
	how    []byte // fields of OPENAT2
	e      trace.Event
}

// auditPath is a PATH record.
type auditPath struct{ name, kind string }

// event makes rows of the records of an event.
func (d *auditReader) event(ev *auditEvent) error {
	host := ev.key.node
	if host == "" {
		host = d.in.Host
	}
	c := auditCall{d: d, host: host}
	for _, l := range ev.lines {
		switch l.kind {
		case "SYSCALL":
			c.fields = l.fields
		case "EXECVE":
			c.execve = append(c.execve, l.fields)
		case "CWD":
			c.cwd = auditText(l.fields, "cwd")
		case "PATH":
			kind := auditValue(auditField(l.fields, "nametype"))
			if kind == "" { // before Linux 3.10
				kind = "NORMAL"
			}
			c.paths = append(c.paths, auditPath{auditText(l.fields, "name"), kind})
		case "SOCKADDR":
			b, err := hex.DecodeString(string(auditField(l.fields, "saddr")))
			if err != nil {
				return fmt.Errorf("saddr: %w", err)
			}
			c.socket = b
		case "CAPSET":
			c.capset = auditHex(l.fields, "cap_pe")
		case "OPENAT2":
			c.how = l.fields
		case "ANOM_ABEND":
			return d.abend(host, ev, l.fields)
		}
	}
	if c.fields == nil {
		d.out.Unmapped(strings.ToLower(ev.lines[0].kind))
		return nil
	}
	return c.row(ev)
}

// who fills the columns that every event has.
func auditWho(e *trace.Event, fields []byte) error {
	pid := auditNumber(fields, "pid")
	if pid == nil || *pid < 0 || *pid > 1<<31-1 {
		return errors.New("no pid")
	}
	e.PID = int32(*pid)
	if ppid := auditNumber(fields, "ppid"); ppid != nil && *ppid >= 0 && *ppid < 1<<31 {
		e.PPID = int32(*ppid)
	}
	e.UID, e.GID = auditNumber(fields, "euid"), auditNumber(fields, "egid")
	e.Comm, e.Exe = auditText(fields, "comm"), auditText(fields, "exe")
	return nil
}

// abend makes the end of a process that a signal killed.
func (d *auditReader) abend(host string, ev *auditEvent, fields []byte) error {
	e := trace.Event{TimeNS: ev.key.ns, Kind: string(trace.Exit), Arg: auditNumber(fields, "sig")}
	if err := auditWho(&e, fields); err != nil {
		return err
	}
	d.failed = d.out.Event(host, &e)
	return d.failed
}

// row makes the row of a call.
func (c *auditCall) row(ev *auditEvent) error {
	machine, ok := auditMachines[string(auditField(c.fields, "arch"))]
	if !ok {
		return fmt.Errorf("arch %.20q: not known", auditField(c.fields, "arch"))
	}
	number, err := strconv.ParseUint(string(auditField(c.fields, "syscall")), 10, 15)
	if err != nil {
		return fmt.Errorf("syscall: %w", err)
	}
	table := c.d.tables[machine.machine]
	if table == nil {
		if table, err = trace.NewCallTable(machine.machine); err != nil {
			return err
		}
		c.d.tables[machine.machine] = table
	}
	c.name = trace.CallName(table.Call(uint16(number)))
	row, ok := auditCalls[c.name]
	if !ok {
		c.d.out.Unmapped("syscall " + c.name)
		return nil
	}
	if !machine.narrow {
		c.d.native[c.host] = true
		if c.d.said[c.host] != machine.machine {
			c.d.said[c.host] = machine.machine
			if c.d.failed = c.d.out.Machine(c.host, Machine{Arch: machine.machine}); c.d.failed != nil {
				return c.d.failed
			}
		}
	} else if c.d.native[c.host] {
		c.e.Via = trace.ViaCompat
	}
	c.e.TimeNS = ev.key.ns
	if err := auditWho(&c.e, c.fields); err != nil {
		return err
	}
	if int64(len(c.fields)) > c.d.in.Limits.StringBytes {
		return fmt.Errorf("record of %d bytes, want at most %d", len(c.fields), c.d.in.Limits.StringBytes)
	}
	c.e.Ret = auditNumber(c.fields, "exit")
	for i, name := range [4]string{"a0", "a1", "a2", "a3"} {
		c.args[i] = auditHex(c.fields, name)
	}
	return row(c)
}

func (c *auditCall) emit(kind trace.Kind) error {
	c.e.Kind = string(kind)
	c.d.failed = c.d.out.Event(c.host, &c.e)
	return c.d.failed
}

// whole is argument i as the kernel takes it: of 32 bits, with its sign.
func (c *auditCall) whole(i int) *int64 {
	if c.args[i] == nil {
		return nil
	}
	return new(int64(int32(*c.args[i])))
}

// path is the file that the call is about: of the last PATH that is no folder
// around it, joined with the working folder where the path is relative to that.
// dir is the place of the argument that says what it is relative to, -1: none.
func (c *auditCall) path(dir int, kinds ...string) string {
	for i := len(c.paths) - 1; i >= 0; i-- {
		if p := c.paths[i]; p.kind != "PARENT" && (len(kinds) == 0 || p.kind == kinds[0]) {
			return c.absolute(p.name, dir)
		}
	}
	return ""
}

func (c *auditCall) absolute(name string, dir int) string {
	if name == "" {
		return ""
	}
	if dir >= 0 && (c.args[dir] == nil || int32(*c.args[dir]) != -100) {
		return resolve("", name)
	}
	return resolve(c.cwd, name)
}

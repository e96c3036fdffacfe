package ingest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
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

// auditCalls are the calls that become events.
var auditCalls = map[string]func(*auditCall) error{
	"execve": (*auditCall).exec, "execveat": (*auditCall).exec,
	"open": (*auditCall).open, "openat": (*auditCall).open, "openat2": (*auditCall).open, "creat": (*auditCall).open,
	"unlink": (*auditCall).unlink, "rmdir": (*auditCall).unlink, "unlinkat": (*auditCall).unlink,
	"rename": (*auditCall).rename, "renameat": (*auditCall).rename, "renameat2": (*auditCall).rename,
	"link": (*auditCall).link, "linkat": (*auditCall).link, "symlink": (*auditCall).link, "symlinkat": (*auditCall).link,
	"chmod": (*auditCall).chmod, "fchmod": (*auditCall).chmod, "fchmodat": (*auditCall).chmod,
	"chown": (*auditCall).chown, "lchown": (*auditCall).chown, "fchown": (*auditCall).chown, "fchownat": (*auditCall).chown,
	"connect": (*auditCall).connect, "bind": (*auditCall).bind, "listen": (*auditCall).listen,
	"accept": (*auditCall).accept, "accept4": (*auditCall).accept,
	"setuid": (*auditCall).identity, "setreuid": (*auditCall).identity, "setresuid": (*auditCall).identity,
	"setfsuid": (*auditCall).identity, "setgid": (*auditCall).identity, "setregid": (*auditCall).identity,
	"setresgid": (*auditCall).identity, "setfsgid": (*auditCall).identity,
	"clone": (*auditCall).fork, "clone3": (*auditCall).fork, "fork": (*auditCall).fork, "vfork": (*auditCall).fork,
	"exit_group": (*auditCall).exit,
	"capset":     (*auditCall).capSet, "mount": (*auditCall).mount, "umount2": (*auditCall).umount, "umount": (*auditCall).umount,
	"ptrace": (*auditCall).ptrace, "init_module": (*auditCall).module, "finit_module": (*auditCall).module,
	"bpf": (*auditCall).bpf, "memfd_create": (*auditCall).memfd, "unshare": (*auditCall).unshare, "setns": (*auditCall).setns,
}

// exec also makes the row of the program. Its end is not said.
func (c *auditCall) exec() error {
	var err error
	if c.e.Argv, c.e.ArgvCut, err = auditArgv(c.execve, c.d.in.Limits.ListLength); err != nil {
		return err
	}
	dir := -1
	if c.name == "execveat" {
		dir = 0
	}
	for _, p := range c.paths { // the first is the file, the next its interpreter
		c.e.Path = c.absolute(p.name, dir)
		break
	}
	c.e.Cwd = c.cwd
	failed := c.e.Ret == nil || *c.e.Ret < 0
	if err := c.emit(trace.Exec); err != nil || failed {
		return err
	}
	p := trace.Process{TimeNS: c.e.TimeNS, PID: c.e.PID, PPID: c.e.PPID, UID: c.e.UID, GID: c.e.GID, Comm: c.e.Comm,
		Exe: c.e.Exe, Argv: c.e.Argv, Cwd: c.e.Cwd}
	c.d.failed = c.d.out.Process(c.host, &p)
	return c.d.failed
}

// auditArgv puts argv together: argc=3 a0="sh" a1=2D63 a2_len=9000 a2[0]=… a2[1]=…,
// over several records where it is long.
func auditArgv(records [][]byte, limit int64) (argv []string, cut bool, err error) {
	if len(records) == 0 {
		return nil, false, nil
	}
	argc := auditNumber(records[0], "argc")
	if argc == nil || *argc < 0 {
		return nil, false, errors.New("argc: not a number")
	}
	for i := range *argc {
		if i >= limit {
			return nil, false, fmt.Errorf("%d arguments of a program, want at most %d", *argc, limit)
		}
		arg, ok := auditArgument(records, "a"+strconv.FormatInt(i, 10))
		if !ok {
			return argv, true, nil
		}
		argv = append(argv, arg)
	}
	return argv, false, nil
}

func auditArgument(records [][]byte, name string) (string, bool) {
	for i, r := range records {
		if v := auditField(r, name); v != nil {
			return auditValue(v), true
		}
		if auditField(r, name+"_len") == nil && auditField(r, name+"[0]") == nil {
			continue
		}
		var text strings.Builder
		part := 0
		for _, r := range records[i:] {
			for {
				v := auditField(r, name+"["+strconv.Itoa(part)+"]")
				if v == nil {
					break
				}
				text.WriteString(auditValue(v))
				part++
			}
		}
		return text.String(), part > 0
	}
	return "", false
}

func (c *auditCall) open() error {
	dir, flags, mode := 0, 2, 3
	switch c.name {
	case "open":
		dir, flags, mode = -1, 1, 2
	case "creat":
		dir, flags, mode = -1, -1, 1
	}
	c.e.Path = c.path(dir)
	switch {
	case c.name == "openat2":
		c.e.Flags, c.e.Mode = octal(c.how, "oflag"), octal(c.how, "mode")
	case flags < 0:
		c.e.Flags, c.e.Mode = new(flagBits["O_CREAT"]|flagBits["O_WRONLY"]|flagBits["O_TRUNC"]), c.whole(mode)
	default:
		c.e.Flags, c.e.Mode = c.whole(flags), new(int64(0))
		if c.e.Flags != nil && *c.e.Flags&flagBits["O_CREAT"] != 0 { // else it is what stood in the register
			c.e.Mode = c.whole(mode)
		}
	}
	if c.e.Mode != nil {
		*c.e.Mode &= 0o7777
	}
	return c.emit(trace.FileOpen)
}

func octal(fields []byte, name string) *int64 {
	if n, err := strconv.ParseInt(string(auditField(fields, name)), 0, 64); err == nil {
		return &n
	}
	return nil
}

func (c *auditCall) unlink() error {
	dir := -1
	c.e.Flags = new(int64(0))
	switch c.name {
	case "unlinkat":
		dir, c.e.Flags = 0, c.whole(2)
	case "rmdir":
		c.e.Flags = new(flagBits["AT_REMOVEDIR"])
	}
	if c.e.Path = c.path(dir, "DELETE"); c.e.Path == "" {
		c.e.Path = c.path(dir)
	}
	return c.emit(trace.Unlink)
}

// rename: PATHs are the folders, what goes (DELETE), and what comes (CREATE).
func (c *auditCall) rename() error {
	from, to := -1, -1
	if c.name != "rename" {
		from, to = 0, 2
	}
	for _, p := range c.paths {
		if p.kind == "DELETE" {
			c.e.Path = c.absolute(p.name, from)
			break
		}
	}
	c.e.Path2, c.e.Flags = c.path(to, "CREATE"), new(int64(0))
	return c.emit(trace.Rename)
}

// link: the text of a symbolic link is in no record.
func (c *auditCall) link() error {
	switch c.name {
	case "link":
		c.e.Path, c.e.Path2 = c.path(-1, "NORMAL"), c.path(-1, "CREATE")
	case "linkat":
		c.e.Path, c.e.Path2 = c.path(0, "NORMAL"), c.path(2, "CREATE")
	case "symlink":
		c.e.Path2 = c.path(-1, "CREATE")
	case "symlinkat":
		c.e.Path2 = c.path(1, "CREATE")
	}
	c.e.Flags = new(int64(0))
	return c.emit(trace.Link)
}

func (c *auditCall) chmod() error {
	dir, mode := -1, 1
	if c.name == "fchmodat" {
		dir, mode = 0, 2
	}
	c.e.Path, c.e.Mode = c.path(dir), c.whole(mode)
	if c.e.Mode != nil {
		*c.e.Mode &= 0o7777
	}
	return c.emit(trace.Chmod)
}

func (c *auditCall) chown() error {
	dir, uid := -1, 1
	if c.name == "fchownat" {
		dir, uid = 0, 2
	}
	c.e.Path, c.e.Arg, c.e.Mode = c.path(dir), c.whole(uid), c.whole(uid+1)
	return c.emit(trace.Chown)
}

func (c *auditCall) connect() error {
	c.e.Family, c.e.Addr, c.e.Port = rawSockaddr(c.socket)
	return c.emit(trace.Connect)
}

func (c *auditCall) bind() error {
	c.e.Family, c.e.LocalAddr, c.e.LocalPort = rawSockaddr(c.socket)
	return c.emit(trace.Bind)
}

func (c *auditCall) listen() error { return c.emit(trace.Listen) }

func (c *auditCall) accept() error {
	c.e.Family, c.e.Addr, c.e.Port = rawSockaddr(c.socket)
	return c.emit(trace.Accept)
}

// rawSockaddr reads a struct sockaddr.
func rawSockaddr(b []byte) (family, addr string, port *int64) {
	if len(b) < 2 {
		return "", "", nil
	}
	family = familyName(uint64(b[0]) | uint64(b[1])<<8)
	switch {
	case family == "inet" && len(b) >= 8:
		return family, netip.AddrFrom4([4]byte(b[4:8])).String(), new(int64(b[2])<<8 | int64(b[3]))
	case family == "inet6" && len(b) >= 24:
		return family, netip.AddrFrom16([16]byte(b[8:24])).String(), new(int64(b[2])<<8 | int64(b[3]))
	case family == "unix":
		if len(b) > 3 && b[2] == 0 {
			return family, "@" + string(bytes.TrimRight(b[3:], "\x00")), nil
		}
		return family, unixPath(b[2:]), nil
	}
	return family, "", nil
}

func (c *auditCall) identity() error {
	if strings.HasSuffix(c.name, "gid") {
		c.e.Arg = c.e.GID
		return c.emit(trace.SetGID)
	}
	c.e.Arg = c.e.UID
	return c.emit(trace.SetUID)
}

// fork: the child's id is that of the caller's pid namespace.
func (c *auditCall) fork() error {
	if c.e.Ret == nil || *c.e.Ret <= 0 {
		return nil
	}
	flags := int64(0)
	switch c.name {
	case "vfork":
		flags = flagBits["CLONE_VM"] | flagBits["CLONE_VFORK"]
	case "clone":
		if c.args[0] != nil {
			flags = *c.args[0] &^ 0xff
		}
	}
	if c.name != "clone3" { // whose flags stand in memory
		c.e.Flags = &flags
	}
	c.e.TargetPID, c.e.Ret = c.e.Ret, nil
	return c.emit(trace.Fork)
}

// exit is written down before the call: the status is its argument.
func (c *auditCall) exit() error {
	if c.args[0] != nil {
		c.e.Arg = new(*c.args[0] & 0xff << 8)
	}
	c.e.Ret = nil
	return c.emit(trace.Exit)
}

func (c *auditCall) capSet() error {
	c.e.Arg = c.capset
	return c.emit(trace.CapSet)
}

// mount: the source and the type stand in memory; of a bind mount the second PATH
// is the source.
func (c *auditCall) mount() error {
	c.e.Flags = c.args[3]
	if len(c.paths) > 0 {
		c.e.Path2 = c.absolute(c.paths[0].name, -1)
	}
	if len(c.paths) > 1 && c.e.Flags != nil && *c.e.Flags&flagBits["MS_BIND"] != 0 {
		c.e.Path = c.absolute(c.paths[1].name, -1)
	}
	return c.emit(trace.Mount)
}

func (c *auditCall) umount() error {
	c.e.Path, c.e.Flags = c.path(-1), c.whole(1)
	if c.name == "umount" {
		c.e.Flags = new(int64(0))
	}
	return c.emit(trace.Umount)
}

func (c *auditCall) ptrace() error {
	c.e.Arg, c.e.TargetPID = c.args[0], c.whole(1)
	return c.emit(trace.Ptrace)
}

func (c *auditCall) module() error {
	if c.name == "finit_module" {
		c.e.Path, c.e.Flags = c.path(-1), c.whole(2)
	}
	return c.emit(trace.ModuleLoad)
}

func (c *auditCall) bpf() error {
	c.e.Arg = c.whole(0)
	return c.emit(trace.BPF)
}

func (c *auditCall) memfd() error {
	c.e.Flags = c.whole(1)
	return c.emit(trace.MemfdCreate)
}

func (c *auditCall) unshare() error {
	c.e.Flags = c.args[0]
	return c.emit(trace.Unshare)
}

func (c *auditCall) setns() error {
	c.e.Flags = c.args[1]
	return c.emit(trace.Setns)
}

package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"mayfly/trace"
)

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

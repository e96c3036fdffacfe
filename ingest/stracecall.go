package ingest

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/elastic/go-seccomp-bpf/arch"

	"mayfly/trace"
)

// straceCall is what is made of a call of one name.
type straceCall struct {
	name           string
	number, compat uint16                       // of a sequence: on x86-64, and in its 32-bit mode
	event          func(*straceArguments) error // nil: it makes no event and says nothing of its process
}

// straceCalls are all calls that x86-64 has, in either of its tables.
var straceCalls = makeStraceCalls()

// unknownNumber stands in a sequence for a call that no table has.
const unknownNumber = 0x7fff

func makeStraceCalls() map[string]*straceCall {
	calls := map[string]*straceCall{}
	for _, table := range []*arch.Info{arch.X86_64, arch.I386} {
		for name := range table.SyscallNames {
			native, ok := trace.CallOn(straceMachine, name)
			if !ok {
				native = unknownNumber
			}
			compat, ok := trace.CallOn("386", name)
			if !ok {
				compat = unknownNumber
			}
			calls[name] = &straceCall{name: name, number: native, compat: compat | trace.CompatCall, event: straceEvents[name]}
		}
	}
	calls["umount2"].event = (*straceArguments).umount
	return calls
}

// callNamed returns the call of a name, or of syscall_0x1ff.
func callNamed(name []byte) (*straceCall, error) {
	if c, ok := straceCalls[string(name)]; ok {
		return c, nil
	}
	if hex, ok := bytes.CutPrefix(name, []byte("syscall_0x")); ok {
		if n, err := strconv.ParseUint(string(hex), 16, 15); err == nil {
			return &straceCall{name: string(name), number: uint16(n), compat: uint16(n) | trace.CompatCall}, nil
		}
	}
	if string(name) == "???" {
		return &straceCall{name: "???", number: unknownNumber, compat: unknownNumber}, nil
	}
	return nil, fmt.Errorf("no call is named %.40q", name)
}

// straceEvents are the calls that make events, or say something of their process.
var straceEvents = map[string]func(*straceArguments) error{
	"execve": (*straceArguments).exec, "execveat": (*straceArguments).execAt,
	"clone": (*straceArguments).clone, "clone3": (*straceArguments).clone,
	"fork": (*straceArguments).fork, "vfork": (*straceArguments).fork,
	"open": (*straceArguments).open, "creat": (*straceArguments).open,
	"openat": (*straceArguments).openAt, "openat2": (*straceArguments).openAt,
	"unlink": (*straceArguments).unlink, "rmdir": (*straceArguments).unlink, "unlinkat": (*straceArguments).unlinkAt,
	"rename": (*straceArguments).rename, "renameat": (*straceArguments).renameAt, "renameat2": (*straceArguments).renameAt,
	"link": (*straceArguments).link, "linkat": (*straceArguments).linkAt,
	"symlink": (*straceArguments).symlink, "symlinkat": (*straceArguments).symlink,
	"chmod": (*straceArguments).chmod, "fchmod": (*straceArguments).chmod,
	"fchmodat": (*straceArguments).chmodAt, "fchmodat2": (*straceArguments).chmodAt,
	"chown": (*straceArguments).chown, "lchown": (*straceArguments).chown, "fchown": (*straceArguments).chown,
	"chown32": (*straceArguments).chown, "lchown32": (*straceArguments).chown, "fchown32": (*straceArguments).chown,
	"fchownat": (*straceArguments).chownAt,
	"socket":   (*straceArguments).socket, "getsockname": (*straceArguments).getsockname, "connect": (*straceArguments).connect, "bind": (*straceArguments).bind,
	"listen": (*straceArguments).listen, "accept": (*straceArguments).accept, "accept4": (*straceArguments).accept,
	"setuid": (*straceArguments).identity, "setreuid": (*straceArguments).identity, "setresuid": (*straceArguments).identity,
	"setfsuid": (*straceArguments).identity, "setgid": (*straceArguments).identity, "setregid": (*straceArguments).identity,
	"setresgid": (*straceArguments).identity, "setfsgid": (*straceArguments).identity,
	"setuid32": (*straceArguments).identity, "setreuid32": (*straceArguments).identity, "setresuid32": (*straceArguments).identity,
	"setgid32": (*straceArguments).identity, "setregid32": (*straceArguments).identity, "setresgid32": (*straceArguments).identity,
	"geteuid": (*straceArguments).learn, "getegid": (*straceArguments).learn,
	"capset": (*straceArguments).capset, "mount": (*straceArguments).mount, "move_mount": (*straceArguments).moveMount,
	"umount": (*straceArguments).umount, "ptrace": (*straceArguments).ptrace,
	"init_module": (*straceArguments).module, "finit_module": (*straceArguments).module,
	"bpf": (*straceArguments).bpf, "memfd_create": (*straceArguments).memfd,
	"unshare": (*straceArguments).unshare, "setns": (*straceArguments).setns,
	"chdir": (*straceArguments).chdir, "fchdir": (*straceArguments).chdir, "prctl": (*straceArguments).prctl,
}

// straceArguments is one call that is to become an event.
type straceArguments struct {
	d    *straceReader
	t    *thread
	name string
	args [][]byte
	e    trace.Event
	ret  int64
	has  bool   // ret: it is not "?"
	file string // what -y says of the descriptor that the call returned
}

// errArgument is an argument that is not what the call has.
func (c *straceArguments) errArgument(i int) error {
	if i >= len(c.args) {
		return fmt.Errorf("%s: %d arguments, want more", c.name, len(c.args))
	}
	return fmt.Errorf("%s: argument %d: got %.60q", c.name, i+1, c.args[i])
}

// emit hands the event on.
func (c *straceArguments) emit(kind trace.Kind) error {
	c.e.Kind = string(kind)
	if c.has {
		c.e.Ret = &c.ret
	}
	return c.d.fail(c.d.f.event(c.t, &c.e))
}

// result reads what follows the arguments: "   = -1 ENOENT (No such file or directory)".
func (c *straceArguments) result(b []byte) bool {
	b, ok := bytes.CutPrefix(bytes.TrimLeft(b, " "), []byte("= "))
	if !ok {
		return false
	}
	word, rest, _ := bytes.Cut(b, []byte(" "))
	if string(word) == "?" {
		return true
	}
	n, file, ok := descriptor(word)
	if !ok && bytes.IndexByte(b, '<') > 0 { // a path with spaces
		n, file, ok = descriptor(b)
	}
	if !ok {
		return false
	}
	if n == -1 {
		name, _, _ := bytes.Cut(rest, []byte(" "))
		if errno, known := errnos[string(name)]; known {
			n = -errno
		}
	}
	c.ret, c.has, c.file = n, true, file
	return true
}

func (c *straceArguments) failed() bool { return !c.has || c.ret < 0 }

// text reads the string at place i.
func (c *straceArguments) text(i int) (string, bool) {
	if i >= len(c.args) {
		return "", false
	}
	s, cut, ok := unquote(c.args[i])
	return s, ok && !cut
}

// path reads a path at place i. base is the folder that it is relative to.
func (c *straceArguments) path(i int, base string) (string, bool) {
	s, ok := c.text(i)
	if !ok {
		return "", i < len(c.args) && (string(c.args[i]) == "NULL" || bytes.HasPrefix(c.args[i], []byte("0x")))
	}
	return resolve(base, s), true
}

// resolve joins a path to its base, where that is known, as the recorder does:
// by its letters.
func resolve(base, p string) string {
	switch {
	case p == "":
		return base
	case p[0] == '/':
		return path.Clean(p)
	case base == "" || base[0] != '/':
		return p
	}
	return path.Join(base, p)
}

func (c *straceArguments) cwd() string { return c.t.process.row.Cwd }

// pathAt reads a folder's descriptor at place i and the path behind it.
func (c *straceArguments) pathAt(i int) (string, bool) {
	if i+1 >= len(c.args) {
		return "", false
	}
	fd, dir, ok := descriptor(c.args[i])
	if !ok {
		return "", false
	}
	if fd == -100 {
		if dir == "" {
			dir = c.cwd()
		} else {
			c.t.process.row.Cwd = dir
		}
	}
	return c.path(i+1, dir)
}

// descriptorPath is what -y says of the descriptor at place i.
func (c *straceArguments) descriptorPath(i int) (string, bool) {
	if i >= len(c.args) {
		return "", false
	}
	_, file, ok := descriptor(c.args[i])
	if !strings.HasPrefix(file, "/") {
		file = ""
	}
	return file, ok
}

// flag reads flags at place i into a column; what is not known stays null.
func (c *straceArguments) flag(i int) *int64 {
	if i >= len(c.args) {
		return nil
	}
	if n, ok := flags(string(c.args[i])); ok {
		return &n
	}
	return nil
}

// number reads an integer at place i; null where there is none.
func (c *straceArguments) number(i int) *int64 {
	if i >= len(c.args) {
		return nil
	}
	text, _, _ := bytes.Cut(c.args[i], []byte(" ")) // 5 /* 12 in strace's PID NS */
	if n, ok := number(string(text)); ok {
		return &n
	}
	return nil
}

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

// chdir follows the working folder.
func (c *straceArguments) chdir() error {
	if c.failed() {
		return nil
	}
	var dir string
	if c.name == "fchdir" {
		dir, _ = c.descriptorPath(0)
	} else {
		dir, _ = c.path(0, c.cwd())
		if !strings.HasPrefix(dir, "/") {
			dir = ""
		}
	}
	c.t.process.row.Cwd = dir
	return nil
}

// prctl follows the name of a thread.
func (c *straceArguments) prctl() error {
	if len(c.args) < 2 || string(c.args[0]) != "PR_SET_NAME" || c.failed() || c.t.process.row.PID != c.t.run.TID {
		return nil
	}
	if name, _, ok := unquote(c.args[1]); ok {
		c.t.process.row.Comm = cmp.Or(name[:min(len(name), 15)], c.t.process.row.Comm)
	}
	return nil
}

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

package record

import (
	"net/netip"
	"path"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"mayfly/bpf"
	"mayfly/trace"
)

// kinds names each kind of record that the kernel makes; kinds[0] is none. Kinds
// without a class are the recorder's own.
var kinds = append([]trace.Kind{""}, slices.DeleteFunc(trace.Kinds(), func(k trace.Kind) bool { return k.Class() == "" })...)

// numbers hands out pointers to copies, many from one allocation; small ones share
// one. Nobody may write through them.
type numbers struct{ free []int64 }

var smallNumbers = func() (small [1024]int64) {
	for i := range small {
		small[i] = int64(i)
	}
	return small
}()

func (n *numbers) of(v int64) *int64 {
	if uint64(v) < uint64(len(smallNumbers)) {
		return &smallNumbers[v]
	}
	if len(n.free) == 0 {
		n.free = make([]int64, 512)
	}
	p := &n.free[0]
	n.free = n.free[1:]
	*p = v
	return p
}

// converter makes rows of records. It is for one goroutine.
type converter struct {
	texts      *texts
	numbers    numbers
	clock      *clock
	containers *containers
	processes  *processes
	comm       string // of the event before
}

// event makes a row of a record, in e, which is zero. The row keeps nothing of the record.
func (c *converter) event(raw *rawEvent, e *trace.Event) {
	e.TimeNS, e.BootNS = c.clock.wall(int64(raw.Time)), int64(raw.Time)
	e.CgroupID, e.PID, e.TID = raw.Cgroup, int32(raw.Pid), int32(raw.Tid)
	e.StartNS, e.PPID = int64(raw.Start), int32(raw.Ppid)
	e.UID, e.GID = c.numbers.of(int64(raw.Uid)), c.numbers.of(int64(raw.Gid))
	if comm := cstring(raw.Comm[:]); string(comm) != c.comm {
		c.comm = c.texts.of(comm)
	}
	e.Comm = c.comm
	e.CPU, e.Seq = c.numbers.of(int64(raw.Cpu)), c.numbers.of(int64(raw.Number))
	if int(raw.Kind) < len(kinds) {
		e.Kind = string(kinds[raw.Kind])
	}
	from := c.containers.of(raw.Cgroup)
	if from != nil {
		e.ContainerID = from.id
	}
	if raw.Call != 0xffff {
		e.Ret = c.numbers.of(result(raw.Ret))
	}
	e.Via = vias[raw.Via]
	c.arguments(raw, e, from)
	c.claim(raw, e)
	c.remember(raw, e)
}

// vias names each way that a call comes: enum via of bpf/mayfly.h.
var vias = [256]string{bpf.ViaCompat: trace.ViaCompat, bpf.ViaIOUring: trace.ViaIOUring}

// callName is the name of an event's call, "" where it is none.
func callName(raw *rawEvent) string { return bpf.CallName(raw.Call, raw.Via == bpf.ViaCompat) }

// result is what the caller of a call sees: a call that was interrupted says so
// here in the kernel's own numbers (ERESTARTSYS and its sisters).
func result(ret int64) int64 {
	if ret <= -512 && ret >= -516 {
		return -int64(unix.EINTR)
	}
	return ret
}

func (c *converter) arguments(raw *rawEvent, e *trace.Event, from *container) {
	s := &raw.sections
	switch kind := bpf.Kind(raw.Kind); kind {
	case bpf.Exec:
		c.exec(raw, e, from)
	case bpf.Exit, bpf.BPF, bpf.SetUID, bpf.SetGID, bpf.CapSet:
		e.Arg = c.numbers.of(int64(raw.Arg))
	case bpf.Fork:
		e.Flags, e.TargetPID = c.numbers.of(int64(raw.Flags)), c.numbers.of(int64(raw.Target))
	case bpf.Open:
		e.Path = c.filePath(raw)
		e.Flags, e.Mode = c.numbers.of(int64(int32(raw.Flags))), c.numbers.of(int64(raw.Mode&0o7777))
		if callName(raw) == "creat" {
			e.Flags = c.numbers.of(unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC)
		}
	case bpf.Unlink, bpf.Umount, bpf.MemfdCreate, bpf.ModuleLoad:
		e.Path = c.filePath(raw)
		if kind == bpf.MemfdCreate {
			e.Path = c.texts.of(s[sectionPath].bytes)
		}
		e.Flags = c.numbers.of(int64(raw.Flags))
	case bpf.Rename, bpf.Link:
		c.twoPaths(raw, e)
	case bpf.Chmod:
		e.Path, e.Mode = c.filePath(raw), c.numbers.of(int64(raw.Mode&0o7777))
	case bpf.Chown: // -1: leave as it is
		e.Path = c.filePath(raw)
		e.Arg, e.Mode = c.numbers.of(int64(int32(raw.Arg))), c.numbers.of(int64(int32(raw.Mode)))
	case bpf.Connect, bpf.Bind, bpf.Listen, bpf.Accept:
		c.socket(raw, e)
	case bpf.Mount:
		c.mount(raw, e)
	case bpf.Ptrace:
		e.Arg, e.TargetPID = c.numbers.of(int64(raw.Arg)), c.numbers.of(int64(raw.Target))
	case bpf.Unshare, bpf.Setns:
		e.Flags = c.numbers.of(int64(raw.Flags))
	}
}

// filePath is the kernel's path of the file where it has one, else the caller's.
func (c *converter) filePath(raw *rawEvent) string {
	s := &raw.sections
	if s[sectionFile].bytes != nil {
		return c.texts.walked(s[sectionFile])
	}
	return c.texts.given(s[sectionPath], s[sectionBase])
}

// filePath2 is filePath of the second path.
func (c *converter) filePath2(raw *rawEvent) string {
	s := &raw.sections
	if s[sectionFile2].bytes != nil {
		return c.texts.walked(s[sectionFile2])
	}
	return c.texts.given(s[sectionPath2], s[sectionBase2])
}

func (c *converter) twoPaths(raw *rawEvent, e *trace.Event) {
	s := &raw.sections
	e.Path2 = c.filePath2(raw)
	target := s[sectionName].bytes
	switch callName(raw) {
	case "symlink", "symlinkat":
		if target == nil {
			target = s[sectionPath].bytes
		}
	}
	if target == nil {
		e.Path = c.filePath(raw)
	} else { // the text is relative to where the link stands
		e.Path = c.texts.of(target)
		if e.Path != "" && e.Path[0] != '/' && e.Path2 != "" {
			e.Path = path.Join(path.Dir(e.Path2), e.Path)
		}
	}
	e.Flags = c.numbers.of(int64(raw.Flags))
}

func (c *converter) mount(raw *rawEvent, e *trace.Event) {
	s := &raw.sections
	source := s[sectionPath]
	if s[sectionName].bytes != nil {
		source = s[sectionName]
	}
	e.Path = c.texts.of(source.bytes) // "proc", "tmpfs", a device: only of a bind is it a path
	if raw.Flags&(unix.MS_BIND|unix.MS_MOVE) != 0 {
		e.Path = c.texts.given(source, s[sectionBase])
	}
	if callName(raw) == "move_mount" {
		e.Path = c.filePath(raw)
	}
	e.Path2 = c.filePath2(raw)
	e.Addr = c.texts.of(s[sectionFstype].bytes)
	e.Flags = c.numbers.of(int64(raw.Flags))
}

func (c *converter) exec(raw *rawEvent, e *trace.Event, from *container) {
	s := &raw.sections
	e.Path = c.filePath(raw)
	e.Argv = c.texts.words(s[sectionArgv].bytes)
	e.ArgvCut = s[sectionArgv].flags&flagCut != 0
	e.Cwd = c.texts.walked(s[sectionCwd])
	if exe, ok := s[sectionExe].exeFile(); ok {
		// Since 6.13 the top bit of the nanoseconds is a mark of the kernel's own.
		changed := int64(exe.CtimeSec)*1e9 + int64(exe.CtimeNsec&^(1<<31))
		switch {
		case exe.Nlink == 0:
			e.ExeOrigin = trace.OriginMemfd
		case from == nil: // the host has no image
		case exe.Upper != 0 || changed > c.clock.wall(from.firstNS):
			e.ExeOrigin = trace.OriginWritten
		default:
			e.ExeOrigin = trace.OriginImage
		}
	}
	if raw.Call == 0xffff {
		e.Ret = c.numbers.of(0)
	}
}

var families = map[uint16]string{
	unix.AF_UNIX: "unix", unix.AF_INET: "inet", unix.AF_INET6: "inet6", unix.AF_NETLINK: "netlink",
	unix.AF_PACKET: "packet", unix.AF_VSOCK: "vsock", unix.AF_ALG: "alg", unix.AF_BLUETOOTH: "bluetooth",
	unix.AF_CAN: "can", unix.AF_TIPC: "tipc", unix.AF_XDP: "xdp",
}

func family(n uint16) string {
	if name, ok := families[n]; ok {
		return name
	}
	return strconv.Itoa(int(n))
}

// socket takes addresses from the kernel's socket, and from the caller where
// the kernel has none: a connect that failed, or of a kind that keeps no peer.
func (c *converter) socket(raw *rawEvent, e *trace.Event) {
	s := &raw.sections
	kind := bpf.Kind(raw.Kind)
	names, ok := s[sectionSock].sockNames()
	if ok {
		e.Family = family(names.family)
		switch names.family {
		case unix.AF_INET, unix.AF_INET6:
			e.LocalAddr, e.LocalPort = c.ip(names.family, names.local), c.numbers.of(int64(names.localPort))
			if kind == bpf.Accept || kind == bpf.Connect {
				e.Addr, e.Port = c.ip(names.family, names.peer), c.numbers.of(int64(names.peerPort))
			}
		case unix.AF_UNIX:
			e.LocalAddr = c.unixName(s[sectionUnixLocal].bytes)
			if kind == bpf.Accept || kind == bpf.Connect {
				e.Addr = c.unixName(s[sectionUnixPeer].bytes)
			}
		}
	}
	passed := s[sectionAddress].bytes // the kernel's copy
	if passed == nil {
		passed = s[sectionSockaddr].bytes
	}
	failed := raw.Ret < 0 && raw.Ret != -int64(unix.EINPROGRESS)
	unknown := raw.Via == bpf.ViaIOUring && raw.Call == 0xffff // whether it failed
	wanted := kind == bpf.Connect || kind == bpf.Bind && (failed || unknown)
	if !wanted || len(passed) < 2 || !failed && (names.peerPort != 0 || e.Addr != "" && names.family == unix.AF_UNIX) {
		return
	}
	addr, port := c.sockaddr(passed, e)
	if kind == bpf.Bind {
		e.LocalAddr, e.LocalPort = addr, port
	} else {
		e.Addr, e.Port = addr, port
	}
}

// sockaddr reads the caller's struct sockaddr.
func (c *converter) sockaddr(b []byte, e *trace.Event) (addr string, port *int64) {
	kind := uint16(b[0]) | uint16(b[1])<<8
	e.Family = family(kind)
	var ip [16]byte
	switch {
	case kind == unix.AF_INET && len(b) >= 8:
		copy(ip[:], b[4:8])
	case kind == unix.AF_INET6 && len(b) >= 24:
		copy(ip[:], b[8:24])
	case kind == unix.AF_UNIX:
		return c.unixName(b[2:]), nil
	default:
		return "", nil
	}
	return c.ip(kind, ip), c.numbers.of(int64(b[2])<<8 | int64(b[3]))
}

func (c *converter) ip(family uint16, b [16]byte) string {
	if family == unix.AF_INET {
		return c.texts.of(netip.AddrFrom4([4]byte(b[:4])).AppendTo(nil))
	}
	return c.texts.of(netip.AddrFrom16(b).AppendTo(nil))
}

// unixName is the name of a unix socket; an abstract one begins with "@", as
// tools print it.
func (c *converter) unixName(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if b[0] == 0 {
		return c.texts.of(append([]byte("@"), b[1:]...))
	}
	for i, ch := range b {
		if ch == 0 {
			b = b[:i]
			break
		}
	}
	return c.texts.of(b)
}

// remember keeps the processes in step and gives the event its executable.
func (c *converter) remember(raw *rawEvent, e *trace.Event) {
	switch kind := bpf.Kind(raw.Kind); {
	case kind == bpf.Exec && raw.Call == 0xffff:
		c.processes.executed(e)
		e.Exe = e.Path
	case kind == bpf.Exit:
		e.Exe = c.processes.of(e).row.Exe
		c.processes.exited(e)
	case kind == bpf.Fork && uint32(raw.Ret) != raw.Pid:
		c.processes.forked(e, int32(raw.Ret), int64(raw.Arg))
		fallthrough
	default:
		e.Exe = c.processes.of(e).row.Exe
	}
}

package profile

import (
	"fmt"
	"math/bits"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"mayfly/trace"
)

// Flags of open(2), the same on every machine that mayfly records.
const (
	openAccess = 0x3
	openCreate = 0x40
	openTrunc  = 0x200
)

// AppendRow appends the items of row i of a batch of events to dst. An exec or a
// file operation that failed is none of what it would have been; a peer, a privileged
// operation and a capability set count even when the kernel refused, since what
// matters is that it was asked. What was refused is an item of its own besides: who
// knocks at a locked door leaves that and nothing else. Relative paths, which a recorder leaves where it could not
// resolve them, stay relative. Values may be views of the batch: clone what is to
// outlive it (Builder does).
func AppendRow(dst []Item, b *trace.EventBatch, i int) []Item {
	e := observed{kind: b.Kind(i), path: b.Path(i), path2: b.Path2(i), origin: b.ExeOrigin(i)}
	if ret, ok := b.Ret(i); ok {
		e.failed, e.refused = ret < 0, Refusal(ret)
	}
	switch e.kind {
	case trace.Exec:
		if b.ArgvLen(i) > 0 {
			e.name = b.ArgvAt(i, 0)
		}
	case trace.Connect:
		e.family, e.addr = b.Family(i), b.Addr(i)
		e.port, e.hasPort = b.Port(i)
	case trace.Listen:
		e.family, e.addr = b.Family(i), b.LocalAddr(i)
		e.port, e.hasPort = b.LocalPort(i)
	case trace.Accept, trace.Bind:
		e.family = b.Family(i)
	case trace.FileOpen, trace.Unshare, trace.Fork:
		e.arg, e.hasArg = b.Flags(i)
	default:
		e.arg, e.hasArg = b.Arg(i)
	}
	return e.append(dst)
}

// AppendEvent is AppendRow for an event that is not in a batch.
func AppendEvent(dst []Item, ev *trace.Event) []Item {
	e := observed{kind: trace.Kind(ev.Kind), path: ev.Path, path2: ev.Path2, origin: ev.ExeOrigin,
		family: ev.Family, addr: ev.Addr}
	port, arg := ev.Port, ev.Arg
	switch e.kind {
	case trace.Listen:
		e.addr, port = ev.LocalAddr, ev.LocalPort
	case trace.FileOpen, trace.Unshare, trace.Fork:
		arg = ev.Flags
	}
	if ev.Ret != nil {
		e.failed, e.refused = *ev.Ret < 0, Refusal(*ev.Ret)
	}
	if len(ev.Argv) > 0 {
		e.name = ev.Argv[0]
	}
	if port != nil {
		e.port, e.hasPort = *port, true
	}
	if arg != nil {
		e.arg, e.hasArg = *arg, true
	}
	return e.append(dst)
}

// observed is what the items of an event depend on.
type observed struct {
	kind            trace.Kind
	path, path2     string
	name, origin    string // the first argument of an exec, and where its file came from
	family, addr    string // the peer; the local address of a listen
	port, arg       int64  // arg: flags of open and unshare
	hasPort, hasArg bool
	failed, refused bool
}

// Refusal reports whether a call returned that it is not allowed: EPERM, EACCES or
// EROFS.
func Refusal(ret int64) bool { return ret == -1 || ret == -13 || ret == -30 }

func (e *observed) append(dst []Item) []Item {
	if e.refused {
		dst = append(dst, e.refusal())
	}
	switch e.kind {
	case trace.Exec, trace.FileOpen, trace.Unlink, trace.Chmod, trace.Chown, trace.Rename, trace.Link:
		if e.failed {
			return dst
		}
		return e.appendFile(dst)
	case trace.Connect:
		return appendItem(dst, Connect, e.peer())
	case trace.Listen:
		return appendItem(dst, Listen, e.peer())
	case trace.Accept:
		return appendItem(dst, Accept, e.family)
	case trace.Bind:
		return appendItem(dst, Bind, e.family)
	case trace.CapSet:
		return appendCaps(dst, uint64(e.arg))
	case trace.SetUID, trace.SetGID, trace.BPF:
		if !e.hasArg {
			return dst
		}
		return appendItem(dst, Priv, string(e.kind)+":"+strconv.FormatInt(e.arg, 10))
	case trace.Unshare:
		return appendNamespaces(dst, "unshare:", uint64(e.arg))
	case trace.Fork:
		return appendNamespaces(dst, "clone:", uint64(e.arg))
	case trace.Mount, trace.Umount, trace.Ptrace, trace.ModuleLoad, trace.Setns, trace.MemfdCreate:
		return appendItem(dst, Priv, string(e.kind))
	}
	return dst
}

// refusal is what was refused.
func (e *observed) refusal() Item {
	what, value := string(e.kind), e.path
	switch e.kind {
	case trace.FileOpen:
		what = Read
		if OpensToWrite(e.arg) {
			what = Write
		}
	case trace.Connect:
		what, value = Connect, e.peer()
	case trace.Exec:
		return NewItem(Refused, Exec+" "+e.path)
	case trace.Mount:
		value = e.path2
	}
	if value != "" {
		what += " " + Template(value)
	}
	return NewItem(Refused, what)
}

// appendFile adds what an exec or a file operation that succeeded is.
func (e *observed) appendFile(dst []Item) []Item {
	switch e.kind {
	case trace.Exec:
		dst = appendItem(dst, Exec, e.path)
		if e.origin == trace.OriginWritten || e.origin == trace.OriginMemfd {
			dst = appendItem(dst, WriteExec, e.path)
		}
		if e.name != "" && e.path != "" && path.Base(e.name) != path.Base(e.path) {
			dst = append(dst, NewItem(Called, List(clean(e.path), shapeOf(path.Base(e.name)))))
		}
	case trace.FileOpen:
		kind := Read
		if OpensToWrite(e.arg) {
			kind = Write
		}
		dst = appendItem(dst, kind, Template(e.path))
	case trace.Rename:
		dst = appendItem(dst, Write, Template(e.path))
		dst = appendItem(dst, Write, Template(e.path2))
	case trace.Link:
		dst = appendItem(dst, Write, Template(e.path2))
	default:
		dst = appendItem(dst, Write, Template(e.path))
	}
	return dst
}

func appendItem(dst []Item, kind, value string) []Item {
	if value == "" {
		return dst
	}
	return append(dst, NewItem(kind, value))
}

// peer writes an address as items do. IPv4 in IPv6 is IPv4.
func (e *observed) peer() string {
	switch e.family {
	case "inet", "inet6":
		ip, err := netip.ParseAddr(e.addr)
		if err != nil || !e.hasPort {
			return e.family
		}
		ip = ip.Unmap()
		if ip.Is4() {
			return fmt.Sprintf("inet:%s:%d", ip, e.port)
		}
		return fmt.Sprintf("inet6:[%s]:%d", ip.WithZone(""), e.port)
	case "unix":
		if e.addr == "" {
			return e.family
		}
		return "unix:" + Template(e.addr)
	}
	return e.family
}

// ParsePeer reads the value of a connect or listen item. ok is false for values
// without an IP address.
func ParsePeer(value string) (addr netip.AddrPort, ok bool) {
	rest, found := strings.CutPrefix(value, "inet:")
	if !found {
		if rest, found = strings.CutPrefix(value, "inet6:"); !found {
			return netip.AddrPort{}, false
		}
	}
	addr, err := netip.ParseAddrPort(rest)
	return addr, err == nil
}

// capNames are the capabilities by number: include/uapi/linux/capability.h.
var capNames = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON
BPF CHECKPOINT_RESTORE`)

func appendCaps(dst []Item, mask uint64) []Item {
	for ; mask != 0; mask &= mask - 1 {
		n := bits.TrailingZeros64(mask)
		if n >= len(capNames) {
			break
		}
		dst = append(dst, Item{Cap, "CAP_" + capNames[n]})
	}
	return dst
}

// namespaces are the CLONE_NEW* flags: include/uapi/linux/sched.h. A fork's
// NEWTIME does not exist: the bit is its exit signal's.
var namespaces = []struct {
	flag uint64
	name string
}{
	{0x80, "NEWTIME"}, {0x20000, "NEWNS"}, {0x2000000, "NEWCGROUP"}, {0x4000000, "NEWUTS"},
	{0x8000000, "NEWIPC"}, {0x10000000, "NEWUSER"}, {0x20000000, "NEWPID"}, {0x40000000, "NEWNET"},
}

func appendNamespaces(dst []Item, how string, flags uint64) []Item {
	for _, ns := range namespaces {
		if flags&ns.flag != 0 {
			dst = append(dst, Item{Priv, how + ns.name})
		}
	}
	return dst
}

// OpensToWrite reports whether a file opened with these flags of open(2) may be
// written to or made.
func OpensToWrite(flags int64) bool { return flags&(openAccess|openCreate|openTrunc) != 0 }

package replay

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"mayfly/profile"
	"mayfly/trace"
)

// maxSentence is the longest sentence, in bytes.
const maxSentence = 400

// sentence says in words what event i of a batch was: "pid 71, child of
// 7, executed /bin/sh -c id". Names come from whoever ran there: what is not plain
// text is quoted, so that no terminal and no page obeys it.
func sentence(b *trace.EventBatch, i int) string {
	who := b.Exe(i)
	if who == "" {
		who = b.Comm(i)
	}
	s := fmt.Sprintf("%s (pid %d) %s", plain(who), b.PID(i), deed(b, i))
	if b.Kind(i) == trace.Exec { // its exe is already the new program
		s = fmt.Sprintf("pid %d, child of %d, %s", b.PID(i), b.PPID(i), deed(b, i))
	}
	switch ret, ok := b.Ret(i); {
	case ok && ret == -int64(syscall.EINPROGRESS):
		s += ", in the background"
	case ok && ret < 0:
		s += ", refused: " + syscall.Errno(-ret).Error()
	}
	if len(s) > maxSentence {
		s = strings.ToValidUTF8(s[:maxSentence], "") + "…"
	}
	return s
}

func deed(b *trace.EventBatch, i int) string {
	path := plain(b.Path(i))
	arg, _ := b.Arg(i)
	target, _ := b.TargetPID(i)
	switch b.Kind(i) {
	case trace.Exec:
		return "executed " + path + arguments(b, i) + origin(b.ExeOrigin(i))
	case trace.Exit:
		return fmt.Sprintf("ended with status %d, signal %d", arg>>8&0xff, arg&0x7f)
	case trace.Fork:
		return fmt.Sprintf("started %d", target)
	case trace.FileOpen:
		return "opened " + path + openMode(b, i)
	case trace.Unlink:
		return "removed " + path
	case trace.Rename:
		return "renamed " + path + " to " + plain(b.Path2(i))
	case trace.Link:
		return "linked " + path + " as " + plain(b.Path2(i))
	case trace.Chmod:
		mode, _ := b.Mode(i)
		return fmt.Sprintf("changed the mode of %s to %#o", path, mode)
	case trace.Chown:
		return fmt.Sprintf("changed the owner of %s to %d", path, arg)
	case trace.Connect:
		return "connected to " + address(b.Family(i), b.Addr(i), b.Port, i)
	case trace.Accept:
		return "accepted a connection from " + address(b.Family(i), b.Addr(i), b.Port, i)
	case trace.Bind, trace.Listen:
		return map[trace.Kind]string{trace.Bind: "bound ", trace.Listen: "listened on "}[b.Kind(i)] +
			address(b.Family(i), b.LocalAddr(i), b.LocalPort, i)
	case trace.SetUID, trace.SetGID:
		return fmt.Sprintf("became %s %d", map[trace.Kind]string{trace.SetUID: "user", trace.SetGID: "group"}[b.Kind(i)], arg)
	case trace.CapSet:
		return fmt.Sprintf("set its capabilities to %#x", uint64(arg))
	case trace.Mount:
		return fmt.Sprintf("mounted %s on %s (%s)", path, plain(b.Path2(i)), plain(b.Addr(i)))
	case trace.Umount:
		return "unmounted " + path
	case trace.Ptrace:
		return fmt.Sprintf("traced %d (request %d)", target, arg)
	case trace.ModuleLoad:
		return "loaded a kernel module " + path
	case trace.BPF:
		return fmt.Sprintf("called bpf, command %d", arg)
	case trace.MemfdCreate:
		return "made an anonymous file " + path
	case trace.Unshare, trace.Setns:
		flags, _ := b.Flags(i)
		return fmt.Sprintf("changed namespaces (%s, flags %#x)", b.Kind(i), flags)
	}
	return plain(string(b.Kind(i))) + " " + path
}

func arguments(b *trace.EventBatch, i int) string {
	var s strings.Builder
	for j := 1; j < b.ArgvLen(i); j++ {
		if s.Len() > maxSentence {
			break
		}
		s.WriteByte(' ')
		s.WriteString(plain(b.ArgvAt(i, j)))
	}
	return s.String()
}

func origin(origin string) string {
	switch origin {
	case trace.OriginWritten:
		return ", a file written after the container started"
	case trace.OriginMemfd:
		return ", a program without a file"
	}
	return ""
}

func openMode(b *trace.EventBatch, i int) string {
	flags, ok := b.Flags(i)
	switch {
	case !ok:
		return ""
	case profile.OpensToWrite(flags):
		return " for writing"
	default:
		return " for reading"
	}
}

func address(family, addr string, port func(int) (int64, bool), i int) string {
	s := plain(family) + " " + plain(addr)
	if p, ok := port(i); ok {
		s += " port " + strconv.FormatInt(p, 10)
	}
	return s
}

// plain returns s as it is when it is printable, without spaces and not empty,
// and quoted otherwise.
func plain(s string) string {
	for _, r := range s {
		if !strconv.IsPrint(r) || r == ' ' || r == '"' {
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

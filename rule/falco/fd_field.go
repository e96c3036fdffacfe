package falco

import (
	"net/netip"
	"strconv"
	"strings"

	"mayfly/trace"
)

func evtFailed(e *event) (int64, state) {
	switch e.failed() {
	case yes:
		return 1, has
	case no:
		return 0, has
	}
	return 0, missing
}

func evtRes(e *event) (string, state) {
	ret, ok := e.ret()
	if !ok {
		return "", missing
	}
	return result(ret), has
}

func openFor(e *event, write bool) (int64, state) {
	if !e.isOpen() {
		return 0, null
	}
	flags, ok := e.flags()
	if !ok {
		return 0, missing
	}
	access := flags & openAccess
	if write {
		return truthNumber(access != 0)
	}
	return truthNumber(access != openWriteOnly)
}

// fdNum is the descriptor that an open made, -1 of one that failed.
func fdNum(e *event) (int64, state) {
	if !e.isOpen() && e.kind != trace.Accept {
		if e.socket() {
			return 0, missing
		}
		return 0, null
	}
	ret, ok := e.ret()
	return known(max(ret, -1), ok)
}

type fdKinds struct{ file, directory, inet, inet6, unix string }

var (
	fdTypes     = fdKinds{"file", "directory", "ipv4", "ipv6", "unix"}
	fdTypeChars = fdKinds{"f", "d", "4", "6", "u"}
)

func fdType(e *event, names fdKinds) (string, state) {
	switch {
	case e.isOpen() && e.directory():
		return names.directory, has
	case e.isOpen():
		return names.file, has
	case !e.socket():
		return "", null
	}
	switch e.family() {
	case "inet":
		return names.inet, has
	case "inet6":
		return names.inet6, has
	case "unix":
		return names.unix, has
	}
	return "", missing
}

func fdName(e *event) (string, state) {
	switch {
	case e.isOpen():
		return recorded(e.path())
	case !e.socket() || e.unconnected():
		return "", null
	case e.family() == "unix":
		return unixName(e)
	}
	from, s := endpoint(e, client)
	to, s2 := endpoint(e, server)
	switch {
	case e.kind == trace.Bind || e.kind == trace.Listen:
		return to, s2
	case s != has || s2 != has:
		return "", missing
	}
	return from + "->" + to, has
}

// unixPointers are before the path in the name of a connection of unix sockets: the
// kernel's addresses of both ends, which a trace does not have (libsinsp, parsers.cpp,
// encode_unix_tuple_fd_name). No rule can ask for them.
const unixPointers = "0->0 "

func unixName(e *event) (string, state) {
	path := e.localAddr()
	if e.kind == trace.Connect {
		path = e.addr()
	}
	if path == "" {
		return "", missing
	}
	if e.kind == trace.Connect || e.kind == trace.Accept {
		path = unixPointers + path
	}
	return path, has
}

// unconnected says that a connect failed: libsinsp then knows nothing of the other
// end (parsers.cpp, parse_connect_exit, as Falco has it since 0.42). What was asked
// for is evt.arg.addr.
func (e *event) unconnected() bool {
	ret, ok := e.ret()
	return e.kind == trace.Connect && ok && ret < 0 && ret != -inProgress
}

// inProgress is EINPROGRESS: the connection may stand, later.
const inProgress = 115

func endpoint(e *event, side side) (string, state) {
	a, _, s := address(e, side)
	p, s2 := port(e, side)
	if s != has || s2 != has {
		return "", missing
	}
	return a.String() + ":" + strconv.FormatInt(p, 10), has
}

// side is an end of a connection: who asked for it, who was asked; this machine,
// the other.
type side uint8

const (
	client side = iota
	server
	local
	remote
)

// own says whether a side is the own one: columns local_addr and local_port.
// exists is false where Falco has no such side.
func (e *event) own(s side) (own, exists bool) {
	switch e.kind {
	case trace.Bind, trace.Listen:
		return true, s == server || s == local
	case trace.Accept:
		return s == server || s == local, true
	}
	return s == client || s == local, true
}

func port(e *event, s side) (int64, state) {
	own, exists := e.own(s)
	if !e.internet() || !exists || e.unconnected() {
		return 0, null
	}
	if own {
		return known(e.localPort())
	}
	return known(e.port())
}

func address(e *event, s side) (a, none netip.Addr, st state) {
	own, exists := e.own(s)
	if !e.internet() || !exists || e.unconnected() {
		return a, none, null
	}
	text := e.addr()
	if own {
		text = e.localAddr()
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, none, missing
	}
	return a.Unmap().WithZone(""), none, has
}

// bothAddresses are fd.ip's: either may match.
func bothAddresses(e *event) (a, b netip.Addr, s state) {
	a, _, s = address(e, server)
	if s != has {
		return a, b, s
	}
	b, _, _ = address(e, client)
	return a, b, has
}

func l4proto(e *event) (string, state) {
	switch {
	case !e.internet():
		return "", null
	case e.kind == trace.Accept || e.kind == trace.Listen:
		return "tcp", has
	}
	return "", missing
}

func isServer(e *event) (int64, state) {
	switch {
	case !e.socket():
		return 0, null
	case e.kind == trace.Bind:
		return 0, missing
	}
	return truthNumber(e.kind != trace.Connect)
}

// connected is whether the connection stands. One that was begun in the
// background (EINPROGRESS) may, later.
func connected(e *event) (int64, state) {
	ret, ok := e.ret()
	switch {
	case e.kind == trace.Accept:
		return truthNumber(true)
	case e.kind != trace.Connect:
		return 0, null
	case !ok || ret == -inProgress:
		return 0, missing
	}
	return truthNumber(ret >= 0)
}

// argument is evt.arg.NAME, as text.
func argument(ref *fieldRef) (field, string) {
	name := strings.TrimPrefix(ref.name, "evt.arg.")
	if ref.hasArg {
		name = ref.arg
	}
	read, ok := eventArguments[name]
	if !ok || ref.hasArg && ref.name != "evt.arg" {
		return field{}, "field " + ref.String() + ": a trace does not have this argument"
	}
	return field{cost: 4, text: read}, ""
}

// eventArguments by Falco's names; of events that have no such argument there is none.
var eventArguments = map[string]func(e *event) (string, state){
	"res":   evtRes,
	"flags": argFlags,
	"mode":  argMode,
	"name": func(e *event) (string, state) {
		return argPath(e, trace.FileOpen, trace.Unlink, trace.Umount, trace.MemfdCreate)
	},
	"path":     func(e *event) (string, state) { return argPath(e, trace.Unlink, trace.Chown) },
	"filename": func(e *event) (string, state) { return argPath(e, trace.Chmod) },
	"pathname": func(e *event) (string, state) { return argPath(e, trace.Chown) },
	"oldpath":  func(e *event) (string, state) { return argPath(e, trace.Rename, trace.Link) },
	"newpath":  func(e *event) (string, state) { return argPath2(e, trace.Rename, trace.Link) },
	"target":   func(e *event) (string, state) { return argPath(e, trace.Link) },
	"linkpath": func(e *event) (string, state) { return argPath2(e, trace.Link) },
	"dev":      func(e *event) (string, state) { return argPath(e, trace.Mount) },
	"dir":      func(e *event) (string, state) { return argPath2(e, trace.Mount) },
	"type": func(e *event) (string, state) {
		if e.kind != trace.Mount {
			return "", null
		}
		return recorded(e.addr())
	},
	"request": func(e *event) (string, state) {
		if e.kind != trace.Ptrace {
			return "", null
		}
		n, ok := e.arg()
		if name := ptraceRequests[n]; ok && name != "" {
			return name, has
		}
		return "", missing
	},
	"nstype": func(e *event) (string, state) { return argClone(e, trace.Setns) },
	"addr":   argAddr,
}

// argAddr is the address that a call was given, as the kernel took it.
func argAddr(e *event) (string, state) {
	addr, port := e.addr(), e.port
	switch e.kind {
	case trace.Connect:
	case trace.Bind:
		addr, port = e.localAddr(), e.localPort
	default:
		return "", null
	}
	switch {
	case addr == "":
		return "", missing
	case !e.internet():
		return addr, has
	}
	n, ok := port()
	return addr + ":" + strconv.FormatInt(n, 10), stateOf(ok)
}

func stateOf(ok bool) state {
	if ok {
		return has
	}
	return missing
}

func argPath(e *event, kinds ...trace.Kind) (string, state) {
	for _, kind := range kinds {
		if e.kind == kind {
			return recorded(e.path())
		}
	}
	return "", null
}

func argPath2(e *event, kinds ...trace.Kind) (string, state) {
	for _, kind := range kinds {
		if e.kind == kind {
			return recorded(e.path2())
		}
	}
	return "", null
}

func argFlags(e *event) (string, state) {
	switch e.kind {
	case trace.FileOpen:
		flags, ok := e.flags()
		if !ok {
			return "", missing
		}
		return openNames(flags, e.directory()), has
	case trace.Fork:
		return argClone(e, trace.Fork)
	case trace.Unshare:
		return argClone(e, trace.Unshare)
	case trace.Exec, trace.Mount, trace.Umount, trace.Unlink, trace.Link, trace.Accept, trace.MemfdCreate, trace.ModuleLoad:
		return "", missing
	}
	return "", null
}

func argClone(e *event, kind trace.Kind) (string, state) {
	if e.kind != kind {
		return "", null
	}
	flags, ok := e.flags()
	if !ok {
		return "", missing
	}
	return names(flags, cloneFlags), has
}

func argMode(e *event) (string, state) {
	mode, ok := e.mode()
	switch {
	case e.kind != trace.Chmod && e.kind != trace.FileOpen:
		return "", null
	case !ok:
		return "", missing
	}
	return names(mode, modeFlags), has
}

package ingest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net/netip"
	"path"
	"strings"

	"mayfly/trace"
)

// scapEvent is one event block: the begin or the end of a call, or something else.
type scapEvent struct {
	parameters scapParams
	d          *scapReader
	kind       int // type, halved
	tid        int32
	ns, cpu    int64
	t          *thread
	begin      scapParams // of the call that ends here; without lens where it is not known
	e          trace.Event
	ret        int64
}

// began takes the begin of a call, and what has no end.
func (ev *scapEvent) began() error {
	d := ev.d
	switch call := &d.calls[ev.kind]; {
	case ev.kind == scapProcexit || ev.kind == scapProcexitOld:
		return ev.exit()
	case ev.kind == scapDrop:
		if d.dropFrom == 0 {
			d.dropFrom = ev.ns
		}
		return nil
	case ev.kind == scapContainer || ev.kind == scapContainerOld:
		return ev.container()
	case !call.isCall && ev.kind != scapGeneric:
		if call.name != "SWITCH" && call.name != "PROCINFO" {
			d.out.Unmapped(strings.ToLower(call.name))
		}
		return nil
	}
	b := d.begins[ev.tid]
	if b == nil {
		if len(d.begins) >= maxThreads {
			clear(d.begins)
		}
		b = &scapBegin{}
		d.begins[ev.tid] = b
	}
	b.kind, b.lens, b.params = ev.kind, b.lens[:0], b.params[:0]
	if d.calls[ev.kind].begin {
		b.lens, b.params = append(b.lens, ev.parameters.lens...), append(b.params, ev.parameters.data...)
	}
	return nil
}

// gap says that the driver dropped events until a time.
func (d *scapReader) gap(to int64) error {
	d.failed = d.out.Loss(d.host, &trace.Loss{FromNS: d.dropFrom, ToNS: to, Class: trace.LossGap})
	d.dropFrom = 0
	return d.failed
}

// ended takes the end of a call.
func (ev *scapEvent) ended() error {
	d := ev.d
	call := &d.calls[ev.kind]
	if ev.kind == scapDrop && d.dropFrom != 0 {
		return d.gap(ev.ns)
	}
	if !call.isCall && ev.kind != scapGeneric {
		return nil
	}
	var err error
	if ev.t, err = d.f.thread(ev.tid); err != nil {
		d.failed = err
		return err
	}
	ev.begin = scapParams{}
	if b := d.begins[ev.tid]; b != nil && b.kind == ev.kind {
		ev.begin = scapParams{b.lens, b.params}
		b.kind = -1
	}
	number := call.number
	if ev.kind == scapGeneric {
		native, ok := ev.native()
		if !ok {
			return nil // it was begun before the capture
		}
		number = native
	}
	child := (call.name == "clone" || call.name == "fork" || call.name == "vfork" || call.name == "clone3") && ev.isChild()
	if !child { // the child did not make the call
		if err := d.f.call(ev.t, number, ev.ns); err != nil {
			d.failed = err
			return err
		}
	}
	if call.event == nil {
		return nil
	}
	ev.ret, _ = ev.parameters.number(0)
	ev.e = trace.Event{TimeNS: ev.ns}
	return call.event(ev)
}

// native is the number that the kernel gives a call for which libs has no event
// of its own.
func (ev *scapEvent) native() (uint16, bool) {
	n, ok := ev.parameters.number(1)
	if !ok {
		n, ok = ev.begin.number(1)
	}
	if n = n & 0xffff; n >= trace.CompatCall {
		n = unknownNumber
	}
	return uint16(n), ok
}

// exit takes the end of a thread.
func (ev *scapEvent) exit() error {
	d := ev.d
	t, err := d.f.thread(ev.tid)
	if err == nil {
		if b := d.begins[ev.tid]; b != nil { // the call that it ended in
			begin := scapEvent{begin: scapParams{b.lens, b.params}}
			switch number, ok := begin.native(); {
			case b.kind == scapGeneric && ok:
				err = d.f.call(t, number, ev.ns)
			case b.kind > 0:
				err = d.f.call(t, d.calls[b.kind].number, ev.ns)
			}
			delete(d.begins, ev.tid)
		}
	}
	if err == nil {
		status, _ := ev.parameters.number(0)
		t.cpu = new(ev.cpu)
		err = d.f.exit(t, status&0xffff, ev.ns)
	}
	d.failed = err
	return err
}

// emit hands the event on.
func (ev *scapEvent) emit(kind trace.Kind) error {
	ev.e.Kind, ev.e.Ret, ev.e.CPU = string(kind), new(ev.ret), new(ev.cpu)
	ev.d.failed = ev.d.f.event(ev.t, &ev.e)
	return ev.d.failed
}

func (ev *scapEvent) pid() int32 { return ev.t.process.row.PID }

// file is what is known of a descriptor of the process.
func (ev *scapEvent) file(fd int64) descriptorInfo { return ev.d.files[socketKey{ev.pid(), fd}] }

// path joins a path to what it is relative to. fd is a folder's, -100 the working
// folder.
func (ev *scapEvent) path(fd int64, file string) string {
	base := ev.t.process.row.Cwd
	if fd != -100 && fd != -1 {
		base = ev.file(fd).path
	}
	return resolve(base, file)
}

// end and start are parameters of the end and of the begin of the call, as a
// column: null where they are missing.
func (ev *scapEvent) end(i int) *int64   { return numberOf(&ev.parameters, i) }
func (ev *scapEvent) start(i int) *int64 { return numberOf(&ev.begin, i) }

func numberOf(p *scapParams, i int) *int64 {
	if n, ok := p.number(i); ok {
		return &n
	}
	return nil
}

// either is parameter i of the end, which captures have since libs 0.21, else
// parameter j of the begin.
func (ev *scapEvent) either(i, j int) *int64 {
	if n := ev.end(i); n != nil {
		return n
	}
	return ev.start(j)
}

func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// scapEvents are the calls that make events, or say something of their process,
// by the kernel's names.
var scapEvents = map[string]func(*scapEvent) error{
	"execve": (*scapEvent).exec, "execveat": (*scapEvent).exec,
	"clone": (*scapEvent).fork, "clone3": (*scapEvent).fork, "fork": (*scapEvent).fork, "vfork": (*scapEvent).fork,
	"open": (*scapEvent).open, "creat": (*scapEvent).creat, "openat": (*scapEvent).openat, "openat2": (*scapEvent).openat,
	"open_by_handle_at": (*scapEvent).openHandle,
	"unlink":            (*scapEvent).unlink, "rmdir": (*scapEvent).unlink, "unlinkat": (*scapEvent).unlinkat,
	"rename": (*scapEvent).two, "link": (*scapEvent).two, "symlink": (*scapEvent).two,
	"renameat": (*scapEvent).twoAt, "renameat2": (*scapEvent).twoAt, "linkat": (*scapEvent).twoAt, "symlinkat": (*scapEvent).symlinkat,
	"chmod": (*scapEvent).chmod, "fchmod": (*scapEvent).chmod, "fchmodat": (*scapEvent).chmod,
	"chown": (*scapEvent).chown, "lchown": (*scapEvent).chown, "fchown": (*scapEvent).chown, "fchownat": (*scapEvent).chown,
	"socket": (*scapEvent).socketMade, "bind": (*scapEvent).bind, "connect": (*scapEvent).connect,
	"listen": (*scapEvent).listen, "accept": (*scapEvent).accept, "accept4": (*scapEvent).accept,
	"setuid": (*scapEvent).identity, "setgid": (*scapEvent).identity, "setresuid": (*scapEvent).identity,
	"setresgid": (*scapEvent).identity, "setreuid": (*scapEvent).identity, "setregid": (*scapEvent).identity,
	"geteuid": (*scapEvent).learn, "getegid": (*scapEvent).learn,
	"capset": (*scapEvent).capset, "mount": (*scapEvent).mount, "umount": (*scapEvent).umount, "umount2": (*scapEvent).umount,
	"ptrace": (*scapEvent).ptrace, "init_module": (*scapEvent).module, "finit_module": (*scapEvent).module,
	"bpf": (*scapEvent).bpf, "memfd_create": (*scapEvent).memfd, "unshare": (*scapEvent).unshare, "setns": (*scapEvent).setns,
	"chdir": (*scapEvent).chdir, "fchdir": (*scapEvent).chdir, "close": (*scapEvent).close,
}

// exec: res, exe, args, tid, pid, ptid, cwd, …, comm (13), cgroups (14), env,
// tty, pgid, loginuid, flags (19), capabilities, exe_ino and times, uid (26),
// trusted_exepath (27). The name of the file stands at the begin of the call.
func (ev *scapEvent) exec() error {
	p := &ev.parameters
	name, ok := ev.begin.text(0)
	fd := int64(-100)
	if ev.d.calls[ev.kind].name == "execveat" {
		fd = orZero(ev.start(0))
		name, ok = ev.begin.text(1)
	}
	if ok {
		ev.e.Path = ev.path(fd, name)
	}
	exe, _ := p.text(1)
	ev.e.Argv = scapArgv(exe, p.bytes(2))
	if ev.ret < 0 {
		return ev.emit(trace.Exec)
	}
	if trusted, ok := p.text(27); ok && trusted != "" {
		ev.e.Path = trusted
	}
	row := &ev.t.process.row
	ev.e.Cwd, _ = p.text(6)
	ev.e.Cwd = trimSlash(ev.e.Cwd)
	comm := len(p.lens) > 13
	if comm {
		ev.e.Comm, _ = p.text(13)
	}
	if parent := orZero(ev.end(5)); parent > 0 && parent < 1<<31 {
		row.PPID = int32(parent)
	}
	if len(p.lens) > 15 {
		if id := ev.d.containerIn(p.bytes(14)); id != "" || row.ContainerID == "" {
			row.ContainerID = id
		}
		if err := ev.d.learned(row.ContainerID); err != nil {
			return err
		}
	}
	if flags := ev.end(19); flags != nil {
		switch {
		case *flags&scapExeMemfd != 0:
			ev.e.ExeOrigin = trace.OriginMemfd
		case row.ContainerID == "":
		case *flags&scapExeUpper != 0:
			ev.e.ExeOrigin = trace.OriginWritten
		case *flags&scapExeLower != 0:
			ev.e.ExeOrigin = trace.OriginImage
		}
	}
	if uid := ev.end(26); uid != nil && len(p.bytes(26)) == 4 {
		row.UID = new(int64(uint32(*uid)))
	}
	ev.e.Kind, ev.e.Ret, ev.e.CPU = string(trace.Exec), new(ev.ret), new(ev.cpu)
	ev.d.failed = ev.d.f.exec(ev.t, &ev.e)
	return ev.d.failed
}

// trimSlash takes the slash from the end of a folder's name.
func trimSlash(dir string) string {
	if len(dir) > 1 {
		return strings.TrimSuffix(dir, "/")
	}
	return dir
}

// isChild tells the end of a clone in the child from that in the parent.
func (ev *scapEvent) isChild() bool {
	ret, ok := ev.parameters.number(0)
	return ok && ret == 0
}

// fork: res, exe, args, tid, pid, ptid, cwd, …, comm and cgroups, flags, uid,
// gid, vtid, vpid; versions before have fewer. The child's end says all of the
// child; the parent's has the child's id as the parent's pid namespace has it, so
// that it serves where that is the host's.
func (ev *scapEvent) fork() error {
	p := &ev.parameters
	flagsAt := map[int]int{11: 8, 16: 13, 17: 14}[len(p.lens)]
	if len(p.lens) >= 20 {
		flagsAt = 15
	}
	flags := int64(0)
	if flagsAt > 0 {
		flags = scapCloneFlags.of(orZero(ev.end(flagsAt)))
	}
	if name := ev.d.calls[ev.kind].name; name == "vfork" {
		flags |= flagBits["CLONE_VFORK"] | flagBits["CLONE_VM"]
	}
	if ev.ret > 0 {
		virtual := ev.end(flagsAt + 3)
		if virtual == nil || *virtual != int64(ev.tid) || ev.ret >= 1<<31 {
			return nil
		}
		return ev.forked(ev.t, int32(ev.ret), flags)
	}
	if ev.ret < 0 {
		return nil
	}
	pid := orZero(ev.end(4))
	parent := orZero(ev.end(5))
	if pid <= 0 || pid >= 1<<31 || parent < 0 || parent >= 1<<31 {
		return nil
	}
	if pid != int64(ev.tid) {
		flags |= cloneThread
		parent = pid // of a thread it is the parent of its process
	}
	t, err := ev.d.f.thread(int32(parent))
	if err == nil {
		err = ev.forked(t, ev.tid, flags)
	}
	if err != nil {
		ev.d.failed = err
		return err
	}
	return ev.born(flagsAt)
}

// forked makes the event of a fork, once.
func (ev *scapEvent) forked(parent *thread, child int32, flags int64) error {
	if c, ok := ev.d.f.threads[child]; ok && (c.process.forked && c.process.row.PPID == parent.process.row.PID || c.process == parent.process) {
		return nil
	}
	parent.cpu = new(ev.cpu)
	ev.d.failed = ev.d.f.fork(parent, child, flags, ev.ns)
	return ev.d.failed
}

// born takes what the child's end of a fork says of it.
func (ev *scapEvent) born(flagsAt int) error {
	c, ok := ev.d.f.threads[ev.tid]
	if !ok || c.process.row.PID != ev.tid {
		return nil
	}
	p, row := &ev.parameters, &c.process.row
	if cwd, ok := p.text(6); ok {
		row.Cwd = trimSlash(cwd)
	}
	if flagsAt >= 14 {
		comm, _ := p.text(13)
		row.Comm = cmp.Or(comm, row.Comm)
	}
	if exe, ok := p.text(1); ok && len(row.Argv) == 0 {
		row.Argv = scapArgv(exe, p.bytes(2))
	}
	if uid, gid := ev.end(flagsAt+1), ev.end(flagsAt+2); flagsAt > 0 && uid != nil && gid != nil {
		row.UID, row.GID = new(int64(uint32(*uid))), new(int64(uint32(*gid)))
	}
	if flagsAt == 15 {
		if id := ev.d.containerIn(p.bytes(14)); id != "" {
			row.ContainerID = id
			return ev.d.learned(id)
		}
	}
	return nil
}

// open: fd, name, flags, mode.
func (ev *scapEvent) open() error {
	name, _ := ev.parameters.text(1)
	return ev.opened(ev.path(-100, name), ev.end(2), ev.end(3))
}

// opened makes the event of an open and keeps the descriptor's file.
func (ev *scapEvent) opened(file string, flags, mode *int64) error {
	ev.e.Path = file
	if flags != nil {
		ev.e.Flags = new(openFlags(*flags))
	}
	if ev.e.Mode = mode; mode != nil {
		*mode &= 0o7777
	}
	if ev.ret >= 0 {
		ev.d.keep(ev.pid(), ev.ret, descriptorInfo{path: file})
	}
	return ev.emit(trace.FileOpen)
}

// creat: fd, name, mode.
func (ev *scapEvent) creat() error {
	name, _ := ev.parameters.text(1)
	return ev.opened(ev.path(-100, name), new(int64(2|1<<2|1<<8)), ev.end(2))
}

// openat: fd, dirfd, name, flags, mode; of old captures fd, with the rest at the
// begin: dirfd, name, flags, mode.
func (ev *scapEvent) openat() error {
	p, i := &ev.parameters, 1
	if ev.kind == scapOpenatOld {
		p, i = &ev.begin, 0
	}
	dir := numberOf(p, i)
	name, ok := p.text(i + 1)
	file := ""
	if ok && dir != nil {
		file = ev.path(*dir, name)
	}
	return ev.opened(file, numberOf(p, i+2), numberOf(p, i+3))
}

// openHandle: fd, mountfd, flags, path.
func (ev *scapEvent) openHandle() error {
	name, _ := ev.parameters.text(3)
	return ev.opened(name, ev.end(2), nil)
}

// unlink and rmdir: res, path; of old captures at the begin.
func (ev *scapEvent) unlink() error {
	name, _ := ev.parameters.text(1)
	if ev.kind == scapUnlinkOld || ev.kind == scapRmdirOld {
		name, _ = ev.begin.text(0)
	}
	ev.e.Path = ev.path(-100, name)
	ev.e.Flags = new(int64(0))
	if ev.d.calls[ev.kind].name == "rmdir" {
		ev.e.Flags = new(flagBits["AT_REMOVEDIR"])
	}
	return ev.emit(trace.Unlink)
}

// unlinkat: res, dirfd, name, flags.
func (ev *scapEvent) unlinkat() error {
	p, i := &ev.parameters, 1
	if ev.kind == scapUnlinkatOld {
		p, i = &ev.begin, 0
	}
	name, _ := p.text(i + 1)
	ev.e.Path = ev.path(orZero(numberOf(p, i)), name)
	ev.e.Flags = numberOf(p, i+2)
	return ev.emit(trace.Unlink)
}

// two: rename, link, symlink: res, from, to.
func (ev *scapEvent) two() error {
	p, i := &ev.parameters, 1
	if ev.kind == scapLinkOld {
		p, i = &ev.begin, 0
	}
	from, _ := p.text(i)
	to, _ := p.text(i + 1)
	return ev.twoPaths(-100, from, -100, to)
}

func (ev *scapEvent) twoPaths(fromDir int64, from string, toDir int64, to string) error {
	kind := trace.Link
	if strings.HasPrefix(ev.d.calls[ev.kind].name, "rename") {
		kind = trace.Rename
	}
	ev.e.Path2 = ev.path(toDir, to)
	if strings.HasPrefix(ev.d.calls[ev.kind].name, "symlink") { // relative to where the link stands
		if ev.e.Path = from; from != "" && from[0] != '/' && ev.e.Path2 != "" {
			ev.e.Path = path.Join(path.Dir(ev.e.Path2), from)
		}
	} else {
		ev.e.Path = ev.path(fromDir, from)
	}
	if ev.e.Flags == nil {
		ev.e.Flags = new(int64(0))
	}
	return ev.emit(kind)
}

// twoAt: res, olddirfd, oldpath, newdirfd, newpath, flags.
func (ev *scapEvent) twoAt() error {
	p, i := &ev.parameters, 1
	if ev.kind == scapLinkatOld {
		p, i = &ev.begin, 0
	}
	from, _ := p.text(i + 1)
	to, _ := p.text(i + 3)
	ev.e.Flags = numberOf(p, i+4)
	return ev.twoPaths(orZero(numberOf(p, i)), from, orZero(numberOf(p, i+2)), to)
}

// symlinkat: res, target, linkdirfd, linkpath.
func (ev *scapEvent) symlinkat() error {
	target, _ := ev.parameters.text(1)
	place, _ := ev.parameters.text(3)
	return ev.twoPaths(-100, target, orZero(ev.end(2)), place)
}

// target reads the file of chmod and chown in their three forms: a path (res,
// path, …), a descriptor (res, fd, …), a folder and a path (res, dirfd, path, …).
// next is the place behind it.
func (ev *scapEvent) target() (file string, next int) {
	switch name := ev.d.calls[ev.kind].name; {
	case strings.HasSuffix(name, "at"):
		p, _ := ev.parameters.text(2)
		return ev.path(orZero(ev.end(1)), p), 3
	case name[0] == 'f':
		return ev.file(orZero(ev.end(1))).path, 2
	}
	p, _ := ev.parameters.text(1)
	return ev.path(-100, p), 2
}

func (ev *scapEvent) chmod() error {
	var i int
	ev.e.Path, i = ev.target()
	if ev.e.Mode = ev.end(i); ev.e.Mode != nil {
		*ev.e.Mode &= 0o7777
	}
	return ev.emit(trace.Chmod)
}

func (ev *scapEvent) chown() error {
	var i int
	ev.e.Path, i = ev.target()
	ev.e.Arg, ev.e.Mode = ev.end(i), ev.end(i+1)
	return ev.emit(trace.Chown)
}

// socketMade: fd (begin: domain, type, proto); since 0.21 fd, domain, …
func (ev *scapEvent) socketMade() error {
	if domain := ev.either(1, 0); domain != nil && ev.ret >= 0 {
		ev.d.keep(ev.pid(), ev.ret, descriptorInfo{socket: socket{family: familyName(uint64(*domain))}})
	}
	return nil
}

// bind: res, addr; fd at the begin, since 0.21 behind.
func (ev *scapEvent) bind() error {
	ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort = scapAddress(ev.parameters.bytes(1))
	if fd := ev.either(2, 0); fd != nil && ev.ret >= 0 {
		ev.d.keep(ev.pid(), *fd, descriptorInfo{socket: socket{ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort}})
	}
	return ev.emit(trace.Bind)
}

// connect: res, tuple (begin: fd, addr); since 0.21 res, tuple, fd, addr.
func (ev *scapEvent) connect() error {
	var peer socket
	if ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort, peer = scapTuple(ev.parameters.bytes(1)); ev.e.Family != "" {
		ev.e.Addr, ev.e.Port = peer.addr, peer.port
	}
	if ev.e.Addr == "" {
		addr := ev.parameters.bytes(3)
		if len(addr) == 0 {
			addr = ev.begin.bytes(1)
		}
		if family, addr, port := scapAddress(addr); family != "" {
			ev.e.Family, ev.e.Addr, ev.e.Port = family, addr, port
		}
	}
	if ev.e.Family == "" {
		ev.e.Family = ev.file(orZero(ev.either(2, 0))).socket.family
	}
	return ev.emit(trace.Connect)
}

// listen: res; fd at the begin, since 0.21 behind.
func (ev *scapEvent) listen() error {
	if fd := ev.either(1, 0); fd != nil {
		s := ev.file(*fd).socket
		ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort = s.family, s.addr, s.port
	}
	return ev.emit(trace.Listen)
}

// accept: fd, tuple: the peer is its source.
func (ev *scapEvent) accept() error {
	family, addr, port, local := scapTuple(ev.parameters.bytes(1))
	ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort = family, local.addr, local.port
	ev.e.Addr, ev.e.Port = addr, port
	if family == "unix" {
		ev.e.Addr = ""
	}
	return ev.emit(trace.Accept)
}

// scapAddress reads a family and an address: IP and port, or a path.
func scapAddress(b []byte) (family, addr string, port *int64) {
	if len(b) == 0 {
		return "", "", nil
	}
	family = familyName(uint64(b[0]))
	switch {
	case family == "inet" && len(b) >= 7:
		return family, netip.AddrFrom4([4]byte(b[1:5])).String(), new(int64(binary.LittleEndian.Uint16(b[5:])))
	case family == "inet6" && len(b) >= 19:
		return family, netip.AddrFrom16([16]byte(b[1:17])).String(), new(int64(binary.LittleEndian.Uint16(b[17:])))
	case family == "unix":
		return family, unixPath(b[1:]), nil
	}
	return family, "", nil
}

// unixPath is the name of a unix socket; an abstract one begins with "@".
func unixPath(b []byte) string {
	if len(b) > 1 && b[0] == 0 {
		name, _, _ := bytes.Cut(b[1:], []byte{0})
		return "@" + string(name)
	}
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}

// scapTuple reads a family and two addresses, source and destination.
func scapTuple(b []byte) (family, addr string, port *int64, to socket) {
	if len(b) == 0 {
		return "", "", nil, to
	}
	family = familyName(uint64(b[0]))
	switch {
	case family == "inet" && len(b) >= 13:
		_, addr, port = scapAddress(b[:7])
		_, to.addr, to.port = scapAddress(append([]byte{2}, b[7:13]...))
	case family == "inet6" && len(b) >= 37:
		_, addr, port = scapAddress(b[:19])
		_, to.addr, to.port = scapAddress(append([]byte{10}, b[19:37]...))
	case family == "unix" && len(b) >= 17:
		to.addr = unixPath(b[17:])
	}
	to.family = family
	return family, addr, port, to
}

// identity: res; the ids at the begin, since 0.21 behind: uid, or real, effective
// (and saved).
func (ev *scapEvent) identity() error {
	name := ev.d.calls[ev.kind].name
	kind, now := trace.SetUID, &ev.t.process.row.UID
	if strings.HasSuffix(name, "gid") {
		kind, now = trace.SetGID, &ev.t.process.row.GID
	}
	i := 0
	if strings.HasPrefix(name, "setre") {
		i = 1
	}
	asked := ev.either(i+1, i)
	if asked != nil && *asked != -1 && ev.ret >= 0 {
		*now = new(int64(uint32(*asked)))
	}
	ev.e.Arg = *now
	return ev.emit(kind)
}

// learn takes the identity that a process asked for.
func (ev *scapEvent) learn() error {
	if id := ev.end(0); id != nil {
		if ev.d.calls[ev.kind].name == "geteuid" {
			ev.t.process.row.UID = new(int64(uint32(*id)))
		} else {
			ev.t.process.row.GID = new(int64(uint32(*id)))
		}
	}
	return nil
}

// capset: res, inheritable, permitted, effective.
func (ev *scapEvent) capset() error {
	ev.e.Arg = ev.end(3)
	return ev.emit(trace.CapSet)
}

// mount: res, dev, dir, type; flags at the begin, since 0.21 behind.
func (ev *scapEvent) mount() error {
	ev.e.Path, _ = ev.parameters.text(1)
	dir, _ := ev.parameters.text(2)
	ev.e.Path2 = ev.path(-100, dir)
	ev.e.Addr, _ = ev.parameters.text(3)
	if ev.e.Flags = ev.either(4, 0); ev.e.Flags != nil && *ev.e.Flags&(flagBits["MS_BIND"]|flagBits["MS_MOVE"]) != 0 {
		ev.e.Path = ev.path(-100, ev.e.Path)
	}
	return ev.emit(trace.Mount)
}

// umount: res, name; flags at the begin, since 0.21 behind.
func (ev *scapEvent) umount() error {
	name, _ := ev.parameters.text(1)
	ev.e.Path, ev.e.Flags = ev.path(-100, name), ev.either(2, 0)
	if ev.e.Flags == nil {
		ev.e.Flags = new(int64(0))
	}
	return ev.emit(trace.Umount)
}

// ptrace: res, addr, data; request and pid at the begin, since 0.21 behind.
func (ev *scapEvent) ptrace() error {
	if request := ev.either(3, 0); request != nil && *request > 0 && *request < int64(len(scapPtrace)) {
		if n, ok := ptraceRequests["PTRACE_"+scapPtrace[*request]]; ok {
			ev.e.Arg = &n
		}
	}
	ev.e.TargetPID = ev.either(4, 1)
	return ev.emit(trace.Ptrace)
}

// module: init_module: res, img, length, uargs; finit_module: res, fd, uargs, flags.
func (ev *scapEvent) module() error {
	if ev.d.calls[ev.kind].name == "finit_module" {
		ev.e.Path, ev.e.Flags = ev.file(orZero(ev.end(1))).path, ev.end(3)
	}
	return ev.emit(trace.ModuleLoad)
}

// bpf: res; cmd at the begin, or behind.
func (ev *scapEvent) bpf() error {
	ev.e.Arg = ev.either(1, 0)
	return ev.emit(trace.BPF)
}

// memfd: fd, name, flags.
func (ev *scapEvent) memfd() error {
	ev.e.Path, _ = ev.parameters.text(1)
	ev.e.Flags = ev.end(2)
	return ev.emit(trace.MemfdCreate)
}

// unshare: res; flags at the begin, since 0.21 behind.
func (ev *scapEvent) unshare() error {
	if flags := ev.either(1, 0); flags != nil {
		ev.e.Flags = new(scapCloneFlags.of(*flags))
	}
	return ev.emit(trace.Unshare)
}

// setns: res; fd, nstype at the begin, since 0.21 behind.
func (ev *scapEvent) setns() error {
	if flags := ev.either(2, 1); flags != nil {
		ev.e.Flags = new(scapCloneFlags.of(*flags))
	}
	return ev.emit(trace.Setns)
}

// chdir: res, path; fchdir: res, with fd at the begin.
func (ev *scapEvent) chdir() error {
	if ev.ret < 0 {
		return nil
	}
	if ev.d.calls[ev.kind].name == "fchdir" {
		ev.t.process.row.Cwd = ev.file(orZero(ev.either(1, 0))).path
		return nil
	}
	if dir, ok := ev.parameters.text(1); ok {
		ev.t.process.row.Cwd = ev.path(-100, trimSlash(dir))
	}
	return nil
}

// close forgets a descriptor.
func (ev *scapEvent) close() error {
	if fd := ev.either(1, 0); fd != nil && ev.ret >= 0 {
		ev.d.keep(ev.pid(), *fd, descriptorInfo{})
	}
	return nil
}

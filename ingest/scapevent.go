package ingest

import (
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

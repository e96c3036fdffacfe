package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"mayfly/trace"
)

// LIDDS reads the recordings of LID-DS 2019 (.txt) and 2021 (.sc): lines that
// sysdig printed of one container, begin and end of each call. A recording becomes
// a container (see StandIn).
//
//	2021: 1631209047761433877 33 10089 apache2 10089 openat < fd=3(<f>/etc/passwd) …
//	2019: 26 01:26:55.136158190 4 33 apache2 10089 < openat fd=3(<f>/etc/passwd) …
//
// 2019 has the time of the day alone: days count from 1970-01-01. Source: LID-DS's
// own reader, dataloader/syscall_2019.py and syscall_2021.py.
type LIDDS struct{}

// Format is "lid-ds".
func (LIDDS) Format() string { return "lid-ds" }

// Sniff looks at the first lines.
func (LIDDS) Sniff(_ string, head []byte) bool {
	for n := range 5 {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole {
			return n > 0
		}
		if _, err := liddsLine(bytes.TrimSuffix(line, []byte("\r"))); err != nil {
			return false
		}
		head = rest
	}
	return true
}

// liddsRecord is one line.
type liddsRecord struct {
	ns    int64
	clock bool // ns is of the day
	uid   int64
	pid   int64 // -1: not said
	tid   int64
	comm  string
	call  string
	end   bool
	rest  []byte
	cpu   int64 // -1: not said
}

// liddsLine parts a line of either year.
func liddsLine(line []byte) (r liddsRecord, err error) {
	f := bytes.SplitN(line, []byte(" "), 9)
	if len(f) < 7 {
		return r, fmt.Errorf("%d fields, want 7 or more", len(f))
	}
	var direction, uid, pid, tid, name, comm []byte
	r.pid, r.cpu = -1, -1
	if h := f[1]; len(h) > 8 && h[2] == ':' && h[5] == ':' && len(f) >= 8 { // 2019
		whole, fraction, _ := bytes.Cut(h, []byte("."))
		hour, minute, sec := decimal(whole[:2]), decimal(whole[3:5]), decimal(whole[6:])
		if hour < 0 || minute < 0 || sec < 0 {
			return r, fmt.Errorf("time: got %.40q", h)
		}
		r.ns, r.clock = (hour*3600+minute*60+sec)*1e9+nanoseconds(fraction), true
		r.cpu = decimal(f[2])
		uid, comm, tid, direction, name = f[3], f[4], f[5], f[6], f[7]
		r.rest = restOf(line, 8)
	} else { // 2021
		if r.ns, err = strconv.ParseInt(string(f[0]), 10, 64); err != nil || r.ns < 1e15 {
			return r, fmt.Errorf("time: got %.40q, want nanoseconds since 1970", f[0])
		}
		uid, pid, comm, tid, name, direction = f[1], f[2], f[3], f[4], f[5], f[6]
		r.rest = restOf(line, 7)
	}
	if r.tid = decimal(bytes.Trim(tid, "()")); r.tid < 0 || r.tid > 1<<31-1 {
		return r, fmt.Errorf("thread: got %.40q", tid)
	}
	if pid != nil {
		if r.pid = decimal(pid); r.pid < 0 || r.pid > 1<<31-1 {
			return r, fmt.Errorf("process: got %.40q", pid)
		}
	}
	r.uid = decimal(uid)
	switch string(direction) {
	case "<":
		r.end = true
	case ">":
	default:
		return r, fmt.Errorf("direction: got %.40q, want < or >", direction)
	}
	if r.comm = string(comm); r.comm == "<NA>" {
		r.comm = ""
	}
	r.call = string(name)
	return r, nil
}

// restOf returns what follows n fields.
func restOf(line []byte, n int) []byte {
	for range n {
		i := bytes.IndexByte(line, ' ')
		if i < 0 {
			return nil
		}
		line = line[i+1:]
	}
	return line
}

// sysdigCalls are sysdig's names of calls for which the kernel has another.
var sysdigCalls = map[string]string{"pread": "pread64", "pwrite": "pwrite64", "llseek": "_llseek", "prlimit": "prlimit64",
	"send": "sendto", "recv": "recvfrom", "eventfd": "eventfd2", "umount": "umount2"}

// Read decodes a recording.
func (LIDDS) Read(ctx context.Context, in *Input, out *Sink) error {
	if err := out.Machine(in.Host, Machine{Arch: "amd64"}); err != nil {
		return err
	}
	d := &liddsReader{out: out, limits: in.Limits, f: newFollower(out, in.Host), begins: map[int32][]byte{}}
	d.id, d.name = StandIn("lid-ds", in.Name)
	text := newLines(in)
	for n := int64(0); ; n++ {
		line, at, err := text.next()
		if errors.Is(err, io.EOF) {
			return errors.Join(d.f.close(), ctx.Err())
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case errors.Is(err, errLong):
			err = out.Reject(at, line, err)
		case err != nil:
		case n >= in.Limits.Records:
			return fmt.Errorf("more than %d lines", in.Limits.Records)
		case len(line) == 0:
		default:
			if why := d.line(line); why != nil {
				if err = d.failed; err == nil {
					err = out.Reject(at, line, why)
				}
			}
		}
		if err != nil {
			return err
		}
	}
}

// liddsReader is the state of one recording.
type liddsReader struct {
	out      *Sink
	limits   Limits
	f        *follower
	id, name string
	said     bool
	days     int64
	lastNS   int64
	begins   map[int32][]byte // parameters of the begins of calls
	failed   error
}

func (d *liddsReader) line(line []byte) error {
	r, err := liddsLine(line)
	if err != nil {
		return err
	}
	if r.clock {
		const day = 24 * 3600 * 1e9
		if d.lastNS-r.ns > day/2 {
			d.days++
		}
		d.lastNS = r.ns
		r.ns += d.days * day
	}
	if !d.said {
		d.said = true
		if d.failed = d.out.Container(d.f.host, standInRow(d.id, d.name, r.ns)); d.failed != nil {
			return d.failed
		}
	}
	t, err := d.f.thread(int32(r.tid))
	if err != nil {
		d.failed = err
		return err
	}
	row := &t.process.row
	if r.pid >= 0 {
		row.PID = int32(r.pid)
	}
	row.ContainerID = d.id
	if r.comm != "" {
		row.Comm = r.comm
	}
	if r.uid >= 0 {
		row.UID = &r.uid
	}
	if r.call == "procexit" {
		c := liddsCall{d: d, t: t, rest: r.rest}
		status := int64(0)
		if n := c.number("status"); n != nil {
			status = *n & 0xffff
		}
		d.failed = d.f.exit(t, status, r.ns)
		return d.failed
	}
	if !r.end {
		if _, ok := liddsEvents[r.call]; ok {
			if len(d.begins) >= maxThreads {
				clear(d.begins)
			}
			d.begins[int32(r.tid)] = append(d.begins[int32(r.tid)][:0], r.rest...)
		}
		if r.call == "exit_group" || r.call == "exit" { // has no end
			d.failed = d.call(t, r.call, r.ns)
		}
		return d.failed
	}
	if !bytes.HasPrefix(r.rest, []byte("res=0 ")) || liddsForks[r.call] == nil { // the child did not make the call
		if d.failed = d.call(t, r.call, r.ns); d.failed != nil {
			return d.failed
		}
	}
	event := liddsForks[r.call]
	if event == nil {
		event = liddsEvents[r.call]
	}
	if event == nil {
		return nil
	}
	if int64(len(r.rest)) > d.limits.StringBytes {
		return fmt.Errorf("parameters of %d bytes, want at most %d", len(r.rest), d.limits.StringBytes)
	}
	c := liddsCall{d: d, t: t, name: r.call, rest: r.rest, begin: d.begins[int32(r.tid)], e: trace.Event{TimeNS: r.ns}}
	if r.cpu >= 0 {
		c.e.CPU = &r.cpu
	}
	if c.e.Ret = c.number("res"); c.e.Ret == nil {
		c.e.Ret = c.number("fd")
	}
	return event(&c)
}

// call appends a call to its thread's run; what is none is left out.
func (d *liddsReader) call(t *thread, name string, ns int64) error {
	if other, ok := sysdigCalls[name]; ok {
		name = other
	}
	number, ok := trace.CallOn("amd64", name)
	if !ok {
		d.out.Unmapped(name)
		return nil
	}
	return d.f.call(t, number, ns)
}

// liddsCall is the end of a call that is to become an event.
type liddsCall struct {
	d           *liddsReader
	t           *thread
	name        string
	rest, begin []byte
	e           trace.Event
}

// value returns a parameter, of the end of the call or else of its begin. It ends
// where the next one begins.
func (c *liddsCall) value(name string) (string, bool) {
	for _, b := range [][]byte{c.rest, c.begin} {
		if v, ok := sysdigParameter(b, name); ok {
			return v, true
		}
	}
	return "", false
}

func sysdigParameter(b []byte, name string) (string, bool) {
	at := 0
	for {
		i := bytes.Index(b[at:], []byte(name+"="))
		if i < 0 {
			return "", false
		}
		at += i
		if at == 0 || b[at-1] == ' ' {
			break
		}
		at += len(name)
	}
	v := b[at+len(name)+1:]
	end := len(v)
	for i := 0; i < len(v); i++ { // " key="
		if v[i] != ' ' {
			continue
		}
		j := i + 1
		for j < len(v) && (v[j] >= 'a' && v[j] <= 'z' || v[j] == '_' || v[j] >= '0' && v[j] <= '9') {
			j++
		}
		if j > i+1 && j < len(v) && v[j] == '=' {
			end = i
			break
		}
	}
	return strings.TrimRight(string(v[:end]), " "), true
}

// number returns the number that a parameter begins with.
func (c *liddsCall) number(name string) *int64 {
	v, ok := c.value(name)
	if !ok {
		return nil
	}
	end := 0
	for end < len(v) && (v[end] == '-' || v[end] >= '0' && v[end] <= '9') {
		end++
	}
	if n, err := strconv.ParseInt(v[:end], 10, 64); err == nil {
		return &n
	}
	return nil
}

// path returns a path: sysdig prints the full one in parentheses behind one that
// is relative.
func (c *liddsCall) path(name string) string {
	v, ok := c.value(name)
	if !ok || v == "<NA>" {
		return ""
	}
	if i := strings.LastIndexByte(v, '('); i >= 0 && strings.HasSuffix(v, ")") && strings.HasPrefix(v[i+1:], "/") {
		v = v[i+1 : len(v)-1]
	}
	return v
}

// names returns flags that stand in parentheses: flags=65(O_CREAT|O_WRONLY).
func (c *liddsCall) names(name string) *int64 {
	v, _ := c.value(name)
	_, rest, ok := strings.Cut(v, "(")
	if !ok {
		if v == "0" {
			return new(int64(0))
		}
		return nil
	}
	if n, ok := flags(strings.TrimSuffix(rest, ")")); ok {
		return &n
	}
	return nil
}

func (c *liddsCall) octal(name string) *int64 {
	v, _ := c.value(name)
	v, _, _ = strings.Cut(v, "(")
	if n, err := strconv.ParseInt(v, 8, 64); err == nil {
		return &n
	}
	return nil
}

func (c *liddsCall) emit(kind trace.Kind) error {
	c.e.Kind = string(kind)
	c.d.failed = c.d.f.event(c.t, &c.e)
	return c.d.failed
}

// tuple reads 10.0.0.1:5->10.0.0.2:80.
func (c *liddsCall) tuple(name string) (family string, from, to netip.AddrPort, ok bool) {
	v, _ := c.value(name)
	a, b, ok := strings.Cut(v, "->")
	if !ok {
		return "", from, to, false
	}
	from, ok1 := sysdigAddress(a)
	to, ok2 := sysdigAddress(b)
	if !ok1 || !ok2 {
		return "", from, to, false
	}
	if to.Addr().Is4() {
		return "inet", from, to, true
	}
	return "inet6", from, to, true
}

// sysdigAddress reads an address and a port, ::1:53 among them.
func sysdigAddress(s string) (netip.AddrPort, bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return netip.AddrPort{}, false
	}
	ip, err1 := netip.ParseAddr(s[:i])
	port, err2 := strconv.ParseUint(s[i+1:], 10, 16)
	return netip.AddrPortFrom(ip, uint16(port)), err1 == nil && err2 == nil
}

// liddsForks are the calls that end twice, in the parent and in the child.
var liddsForks = map[string]func(*liddsCall) error{
	"clone": (*liddsCall).fork, "clone3": (*liddsCall).fork, "fork": (*liddsCall).fork, "vfork": (*liddsCall).fork,
}

var liddsEvents = map[string]func(*liddsCall) error{
	"open": (*liddsCall).open, "openat": (*liddsCall).open, "creat": (*liddsCall).open,
	"execve":  (*liddsCall).exec,
	"connect": (*liddsCall).connect, "accept": (*liddsCall).accept, "bind": (*liddsCall).bind, "listen": (*liddsCall).listen,
	"unlink": (*liddsCall).unlink, "unlinkat": (*liddsCall).unlink, "rmdir": (*liddsCall).unlink,
	"rename": (*liddsCall).two, "renameat": (*liddsCall).two, "renameat2": (*liddsCall).two,
	"link": (*liddsCall).two, "linkat": (*liddsCall).two, "symlink": (*liddsCall).two, "symlinkat": (*liddsCall).two,
	"chmod": (*liddsCall).chmod, "fchmodat": (*liddsCall).chmod, "setuid": (*liddsCall).setUID, "setgid": (*liddsCall).setGID,
}

func (c *liddsCall) open() error {
	c.e.Path, c.e.Flags, c.e.Mode = c.path("name"), c.names("flags"), c.octal("mode")
	if c.name == "creat" {
		c.e.Flags = new(flagBits["O_CREAT"] | flagBits["O_WRONLY"] | flagBits["O_TRUNC"])
	}
	return c.emit(trace.FileOpen)
}

// exec: sysdig prints argv parted by points or blanks, which cannot be told from
// those inside of an argument: argv is what stands there, in one piece.
func (c *liddsCall) exec() error {
	c.e.Path = c.path("filename")
	exe, _ := c.value("exe")
	args, _ := c.value("args")
	if exe != "" {
		c.e.Argv = []string{exe}
		if args = strings.TrimSuffix(args, "."); args != "" {
			c.e.Argv, c.e.ArgvCut = append(c.e.Argv, args), strings.HasSuffix(args, "...")
		}
	}
	if parent := c.number("ptid"); parent != nil && *parent >= 0 && *parent < 1<<31 {
		c.t.process.row.PPID = int32(*parent)
	}
	if c.e.Ret != nil && *c.e.Ret < 0 {
		return c.emit(trace.Exec)
	}
	c.e.Comm, _ = c.value("comm")
	c.e.Cwd, _ = c.value("cwd")
	c.e.Kind = string(trace.Exec)
	c.d.failed = c.d.f.exec(c.t, &c.e)
	return c.d.failed
}

func (c *liddsCall) fork() error {
	if c.e.Ret == nil || *c.e.Ret != 0 { // the child's end says more
		return nil
	}
	pid, parent := c.number("pid"), c.number("ptid")
	if pid == nil || parent == nil || *parent < 0 || *parent >= 1<<31 {
		return nil
	}
	flags := int64(0)
	if f := c.names("flags"); f != nil {
		flags = *f
	}
	if int32(*pid) != c.t.run.TID {
		flags |= cloneThread
		parent = pid
	}
	t, err := c.d.f.thread(int32(*parent))
	if err == nil {
		t.process.row.ContainerID = c.d.id
		err = c.d.f.fork(t, c.t.run.TID, flags, c.e.TimeNS)
	}
	c.d.failed = err
	return err
}

func (c *liddsCall) connect() error {
	if family, from, to, ok := c.tuple("tuple"); ok {
		c.e.Family, c.e.Addr, c.e.Port = family, to.Addr().String(), new(int64(to.Port()))
		c.e.LocalAddr, c.e.LocalPort = from.Addr().String(), new(int64(from.Port()))
	} else if v, _ := c.value("tuple"); strings.Contains(v, "->") {
		if i := strings.LastIndexByte(v, ' '); i >= 0 {
			c.e.Family, c.e.Addr = "unix", v[i+1:]
		}
	}
	return c.emit(trace.Connect)
}

func (c *liddsCall) accept() error {
	if family, from, to, ok := c.tuple("tuple"); ok {
		c.e.Family, c.e.Addr, c.e.Port = family, from.Addr().String(), new(int64(from.Port()))
		c.e.LocalAddr, c.e.LocalPort = to.Addr().String(), new(int64(to.Port()))
	}
	return c.emit(trace.Accept)
}

func (c *liddsCall) bind() error {
	v, _ := c.value("addr")
	if at, ok := sysdigAddress(v); ok {
		c.e.Family, c.e.LocalAddr, c.e.LocalPort = "inet", at.Addr().String(), new(int64(at.Port()))
		if at.Addr().Is6() {
			c.e.Family = "inet6"
		}
	} else if strings.HasPrefix(v, "/") {
		c.e.Family, c.e.LocalAddr = "unix", v
	}
	return c.emit(trace.Bind)
}

func (c *liddsCall) listen() error { return c.emit(trace.Listen) }

func (c *liddsCall) unlink() error {
	if c.e.Path = c.path("path"); c.e.Path == "" {
		c.e.Path = c.path("name")
	}
	c.e.Flags = new(int64(0))
	switch c.name {
	case "rmdir":
		c.e.Flags = new(flagBits["AT_REMOVEDIR"])
	case "unlinkat":
		c.e.Flags = c.names("flags")
	}
	return c.emit(trace.Unlink)
}

func (c *liddsCall) two() error {
	c.e.Path, c.e.Path2, c.e.Flags = c.path("oldpath"), c.path("newpath"), new(int64(0))
	if strings.HasPrefix(c.name, "rename") {
		return c.emit(trace.Rename)
	}
	if strings.HasPrefix(c.name, "symlink") {
		c.e.Path, c.e.Path2 = c.path("target"), c.path("linkpath")
		if c.e.Path != "" && c.e.Path[0] != '/' && c.e.Path2 != "" {
			c.e.Path = path.Join(path.Dir(c.e.Path2), c.e.Path)
		}
	}
	return c.emit(trace.Link)
}

func (c *liddsCall) chmod() error {
	if c.e.Path = c.path("filename"); c.e.Path == "" {
		c.e.Path = c.path("path")
	}
	c.e.Mode = c.octal("mode")
	return c.emit(trace.Chmod)
}

func (c *liddsCall) setUID() error {
	c.e.Arg = c.number("uid")
	return c.emit(trace.SetUID)
}

func (c *liddsCall) setGID() error {
	c.e.Arg = c.number("gid")
	return c.emit(trace.SetGID)
}

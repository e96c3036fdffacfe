package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

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

package ingest

import (
	"bytes"
	"container/list"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"mayfly/trace"
)

// Auditd reads the logs of Linux's audit daemon: RAW and ENRICHED, with or
// without node= and what syslog puts before a line. The records of an event are
// joined by serial number, interleaved or not. Source: linux/include/uapi/linux/
// audit.h, audit-userspace (lib, auparse).
//
// A log holds the calls that rules select, so that it makes no sequences.
type Auditd struct{}

// Format is "auditd".
func (Auditd) Format() string { return "auditd" }

var (
	auditType = []byte("type=")
	auditMsg  = []byte(" msg=audit(")
)

// Sniff looks for a record among the first lines.
func (Auditd) Sniff(_ string, head []byte) bool {
	for range 5 {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole {
			return false
		}
		if _, err := parseAudit(line); err == nil {
			return true
		}
		head = rest
	}
	return false
}

// auditRecord is one line.
type auditRecord struct {
	node, kind []byte
	ns         int64
	serial     uint64
	fields     []byte
}

// parseAudit parts a line: node=N type=SYSCALL msg=audit(1364481363.243:24287): fields.
func parseAudit(line []byte) (r auditRecord, err error) {
	i := bytes.Index(line, auditType)
	if i < 0 || i > 0 && line[i-1] != ' ' {
		return r, errors.New("no record: want type=… msg=audit(…)")
	}
	if before := line[:i]; len(before) > 0 {
		if j := bytes.LastIndex(before, []byte("node=")); j >= 0 && (j == 0 || before[j-1] == ' ') {
			r.node = bytes.TrimSpace(before[j+len("node="):])
		}
	}
	kind, rest, ok := bytes.Cut(line[i+len(auditType):], auditMsg)
	if !ok || len(kind) == 0 || len(kind) > 64 || bytes.ContainsAny(kind, " =") {
		return r, errors.New("no record: want type=… msg=audit(…)")
	}
	r.kind = kind
	stamp, fields, ok := bytes.Cut(rest, []byte("):"))
	when, serial, ok2 := bytes.Cut(stamp, []byte(":"))
	whole, fraction, ok3 := bytes.Cut(when, []byte("."))
	if !ok || !ok2 || !ok3 {
		return r, fmt.Errorf("time and serial: got %.40q, want seconds.milliseconds:serial", rest[:min(len(rest), 40)])
	}
	sec := decimal(whole)
	n, err := strconv.ParseUint(string(serial), 10, 64)
	if sec < 0 || sec > 1<<33 || len(fraction) == 0 || decimal(fraction) < 0 || err != nil {
		return r, fmt.Errorf("time and serial: got %.40q, want seconds.milliseconds:serial", stamp)
	}
	r.ns, r.serial, r.fields = sec*1e9+nanoseconds(fraction), n, fields
	return r, nil
}

// auditKey is an event: serials begin anew with the machine.
type auditKey struct {
	node   string
	ns     int64
	serial uint64
}

// auditEvent gathers the records of an event.
type auditEvent struct {
	key   auditKey
	at    Position // of its first record
	last  int64    // offset of its last record
	lines []auditLine
	bytes int
	place *list.Element
}

type auditLine struct {
	kind   string
	fields []byte
}

// Bounds of what waits for its end: as ausearch, an event that is two seconds old
// has it.
const (
	auditWaitNS    = 2e9
	maxAuditEvents = 4096
	maxAuditBytes  = 64 << 20
)

// auditReader is the state of one log.
type auditReader struct {
	out     *Sink
	in      *Input
	waiting map[auditKey]*auditEvent
	order   *list.List // of *auditEvent, by begin
	bytes   int
	ended   bool  // an event was seen to end: then those without an end may go on
	done    int64 // offset of the latest record that was emitted
	said    map[string]string
	tables  map[string]*trace.CallTable
	native  map[string]bool // nodes that made 64-bit calls
	failed  error
}

// Read decodes a log.
func (Auditd) Read(ctx context.Context, in *Input, out *Sink) error {
	d := &auditReader{out: out, in: in, waiting: map[auditKey]*auditEvent{}, order: list.New(), done: -1,
		said: map[string]string{}, tables: map[string]*trace.CallTable{}, native: map[string]bool{}}
	text := newLines(in)
	for n := int64(0); ; n++ {
		line, at, err := text.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case errors.Is(err, errLong):
			err = out.Reject(at, line, err)
		case err != nil:
		case text.incomplete:
			text.at.Offset = at.Offset // it may have its end next time
		case n >= in.Limits.Records:
			return fmt.Errorf("more than %d lines", in.Limits.Records)
		case len(bytes.TrimSpace(line)) == 0 || bytes.Equal(line, []byte("----")): // ausearch --raw has none, ausearch has
		default:
			err = d.line(line, at)
		}
		if err != nil {
			return err
		}
	}
	return d.end(text.at.Offset)
}

// line takes one record.
func (d *auditReader) line(line []byte, at Position) error {
	r, err := parseAudit(line)
	if err != nil {
		return d.out.Reject(at, line, err)
	}
	key := auditKey{string(r.node), r.ns, r.serial}
	ev := d.waiting[key]
	if ev == nil {
		if err := d.expire(r.ns); err != nil {
			return err
		}
		ev = &auditEvent{key: key, at: at}
		ev.place = d.order.PushBack(ev)
		d.waiting[key] = ev
	}
	ev.last = at.Offset
	if ev.bytes += len(line); ev.bytes > int(d.in.Limits.LineBytes) {
		d.remove(ev)
		return d.out.Reject(ev.at, line, fmt.Errorf("event of more than %d bytes", d.in.Limits.LineBytes))
	}
	d.bytes += len(line)
	ev.lines = append(ev.lines, auditLine{string(r.kind), bytes.Clone(r.fields)})
	switch ev.lines[len(ev.lines)-1].kind {
	case "EOE", "PROCTITLE":
		d.ended = true
		return d.emit(ev)
	}
	if d.bytes > maxAuditBytes || len(d.waiting) > maxAuditEvents {
		return d.emit(d.order.Front().Value.(*auditEvent))
	}
	return nil
}

// expire emits the events that are old at a time.
func (d *auditReader) expire(ns int64) error {
	for d.order.Len() > 0 {
		ev := d.order.Front().Value.(*auditEvent)
		if ns-ev.key.ns < auditWaitNS {
			return nil
		}
		if err := d.emit(ev); err != nil {
			return err
		}
	}
	return nil
}

// end emits what is left: of the events without an end those that began before the
// last that had one; those after it wait, in a log that ends its events.
func (d *auditReader) end(offset int64) error {
	for d.order.Len() > 0 {
		ev := d.order.Front().Value.(*auditEvent)
		if d.ended && ev.at.Offset > d.done && !auditAlone(ev) {
			offset = ev.at.Offset
			break
		}
		if err := d.emit(ev); err != nil {
			return err
		}
	}
	d.out.Mark(offset)
	return nil
}

// auditAlone tells events of one record: what programs say themselves.
func auditAlone(ev *auditEvent) bool { return len(ev.lines) == 1 && ev.lines[0].kind != "SYSCALL" }

func (d *auditReader) remove(ev *auditEvent) {
	d.order.Remove(ev.place)
	delete(d.waiting, ev.key)
	for _, l := range ev.lines {
		d.bytes -= len(l.fields)
	}
	d.bytes = max(0, d.bytes)
	d.done = max(d.done, ev.last)
}

// emit makes rows of an event.
func (d *auditReader) emit(ev *auditEvent) error {
	d.remove(ev)
	why := d.event(ev)
	if d.failed != nil {
		return d.failed
	}
	if why != nil {
		return d.out.Reject(ev.at, ev.text(), why)
	}
	return nil
}

// text is the begin of the event's first record, for the quarantine.
func (ev *auditEvent) text() []byte {
	return append([]byte("type="+ev.lines[0].kind), ev.lines[0].fields...)
}

// auditField returns the value of a field as it stands: in quotes, as hexadecimal
// digits or plain; nil where there is none.
func auditField(fields []byte, name string) []byte {
	for i := 0; i < len(fields); {
		j := bytes.Index(fields[i:], []byte(name))
		if j < 0 {
			return nil
		}
		j += i
		i = j + len(name)
		if i >= len(fields) || fields[i] != '=' || j > 0 && fields[j-1] != ' ' && fields[j-1] != 0x1d {
			continue
		}
		v := fields[i+1:]
		if len(v) > 0 && v[0] == '"' {
			if end := bytes.IndexByte(v[1:], '"'); end >= 0 {
				return v[:end+2]
			}
		}
		if end := bytes.IndexAny(v, " \x1d"); end >= 0 {
			v = v[:end]
		}
		return v
	}
	return nil
}

// auditText decodes a text that a program chose: in quotes, or hexadecimal where
// it has a quote, a blank or what is not printed; "" for (null) and where there
// is none.
func auditText(fields []byte, name string) string { return auditValue(auditField(fields, name)) }

func auditValue(v []byte) string {
	if len(v) >= 2 && v[0] == '"' {
		return string(v[1 : len(v)-1])
	}
	if string(v) == "(null)" || string(v) == "(none)" || string(v) == "?" {
		return ""
	}
	if text, err := hex.DecodeString(string(v)); err == nil {
		return string(text)
	}
	return string(v)
}

// auditNumber reads a decimal field.
func auditNumber(fields []byte, name string) *int64 {
	if n, err := strconv.ParseInt(string(auditField(fields, name)), 10, 64); err == nil {
		return &n
	}
	return nil
}

// auditHex reads a hexadecimal field, as arguments of calls are.
func auditHex(fields []byte, name string) *int64 {
	if n, err := strconv.ParseUint(string(auditField(fields, name)), 16, 64); err == nil {
		return new(int64(n))
	}
	return nil
}

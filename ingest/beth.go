package ingest

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"mayfly/trace"
)

// BETH reads the process logs of the BETH dataset (Highnam et al., 2021): CSV
// that an old Tracee wrote of honeypots, one call or kernel event a line, with
// the labels sus and evil. Times are seconds since the machine's boot; the boot's
// own time is not said, so that time_ns is boot_ns. A honeypot becomes a
// container (see StandIn): it is what the dataset observes.
type BETH struct{}

// Format is "beth".
func (BETH) Format() string { return "beth" }

var bethColumns = []string{"timestamp", "processId", "parentProcessId", "userId", "processName", "hostName", "eventName",
	"returnValue", "args"}

// Sniff looks at the header.
func (BETH) Sniff(_ string, head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	columns := strings.Split(strings.TrimSpace(string(bytes.TrimPrefix(line, []byte("\ufeff")))), ",")
	for _, want := range bethColumns {
		if !slices.Contains(columns, want) {
			return false
		}
	}
	return true
}

// Read decodes a file.
func (BETH) Read(ctx context.Context, in *Input, out *Sink) error {
	d := &bethReader{out: out, hosts: map[string]*bethHost{}, limits: in.Limits}
	err := readCSV(ctx, in, out, ',', func(header []string) error {
		for i, name := range header {
			header[i] = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		}
		for _, want := range append(slices.Clone(bethColumns), "threadId") {
			d.at = append(d.at, slices.Index(header, want))
		}
		if i := slices.Index(d.at[:len(bethColumns)], -1); i >= 0 {
			return fmt.Errorf("no column %q", bethColumns[i])
		}
		return nil
	}, d.row)
	if d.failed != nil {
		return d.failed
	}
	if err != nil {
		return err
	}
	for _, h := range d.order {
		if err := h.f.close(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// readCSV reads a table of CSV, row by row: a bad row is rejected and reading goes
// on behind it. A line is bounded like any; a text in quotes may have several.
func readCSV(ctx context.Context, in *Input, out *Sink, comma rune, header func([]string) error, row func(fields []string) error) error {
	r := csv.NewReader(&boundedLines{r: in.Reader, max: in.Limits.LineBytes})
	r.Comma, r.ReuseRecord, r.FieldsPerRecord, r.LazyQuotes = comma, true, -1, false
	columns := 0
	for n := int64(0); ; n++ {
		start := r.InputOffset()
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if n > in.Limits.Records {
			return fmt.Errorf("more than %d rows", in.Limits.Records)
		}
		var bad *csv.ParseError
		if err != nil && !errors.As(err, &bad) {
			return err
		}
		var line int
		if bad != nil {
			line, err = bad.StartLine, bad.Err
		} else {
			line, _ = r.FieldPos(0)
		}
		switch {
		case err != nil && n == 0:
			return fmt.Errorf("header: %w", err)
		case n == 0:
			if columns = len(fields); columns > in.Limits.Columns {
				return fmt.Errorf("%d columns, want at most %d", columns, in.Limits.Columns)
			}
			if err := header(slices.Clone(fields)); err != nil {
				return err
			}
			continue
		case err == nil && len(fields) != columns:
			err = fmt.Errorf("%d fields, the header has %d", len(fields), columns)
		case err == nil:
			err = row(fields)
		}
		if err != nil {
			var text bytes.Buffer
			w := csv.NewWriter(&text)
			_ = w.Write(fields) // into memory
			w.Flush()
			pos := Position{Offset: in.Start + start, Line: int64(line)}
			if err := out.Reject(pos, bytes.TrimSuffix(text.Bytes(), []byte("\n")), err); err != nil {
				return err
			}
		}
	}
}

// boundedLines fails where a line is too long for encoding/csv to be given.
type boundedLines struct {
	r    io.Reader
	line int64
	max  int64
}

func (b *boundedLines) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		b.line = int64(n - i - 1)
	} else {
		b.line += int64(n)
	}
	if b.line > b.max {
		return 0, fmt.Errorf("%w: more than %d bytes", errLong, b.max)
	}
	return n, err
}

// bethReader is the state of one file.
type bethReader struct {
	out    *Sink
	limits Limits
	at     []int // of bethColumns, and threadId: -1 where there is none
	hosts  map[string]*bethHost
	order  []*bethHost
	failed error
}

type bethHost struct {
	f  *follower
	id string
}

// row takes one line.
func (d *bethReader) row(fields []string) error {
	get := func(i int) string { return fields[d.at[i]] }
	seconds, err := strconv.ParseFloat(get(0), 64)
	if err != nil || !(seconds >= 0 && seconds < 1e10) {
		return fmt.Errorf("timestamp: got %.40q, want seconds", get(0))
	}
	pid, err := strconv.ParseInt(get(1), 10, 32)
	if err != nil || pid < 0 {
		return fmt.Errorf("processId: got %.40q", get(1))
	}
	tid := pid
	if i := d.at[len(bethColumns)]; i >= 0 {
		if tid, err = strconv.ParseInt(fields[i], 10, 32); err != nil || tid < 0 {
			return fmt.Errorf("threadId: got %.40q", fields[i])
		}
	}
	for _, f := range fields {
		if int64(len(f)) > d.limits.StringBytes {
			return fmt.Errorf("a text of %d bytes, want at most %d", len(f), d.limits.StringBytes)
		}
	}
	ns := int64(math.Round(seconds*1e6)) * 1e3 // six digits are printed
	h, err := d.host(get(5), ns)
	if err != nil {
		d.failed = err
		return err
	}
	t, err := h.f.thread(int32(tid))
	if err != nil {
		d.failed = err
		return err
	}
	row := &t.process.row
	row.PID, row.ContainerID, row.Comm = int32(pid), h.id, strings.Clone(get(4))
	if ppid, err := strconv.ParseInt(get(2), 10, 32); err == nil && ppid >= 0 {
		row.PPID = int32(ppid)
	}
	if uid, err := strconv.ParseInt(get(3), 10, 64); err == nil && uid >= 0 {
		row.UID = &uid
	}
	c := bethCall{d: d, h: h, t: t, args: get(8), e: trace.Event{TimeNS: ns}}
	if ret, err := strconv.ParseInt(get(7), 10, 64); err == nil {
		c.e.Ret = &ret
	}
	return c.take(get(6))
}

func (d *bethReader) host(name string, ns int64) (*bethHost, error) {
	if h, ok := d.hosts[name]; ok {
		return h, nil
	}
	name = strings.Clone(name)
	if err := d.out.Machine(name, Machine{Arch: "amd64"}); err != nil {
		return nil, err
	}
	h := &bethHost{f: newFollower(d.out, name), id: standIn("beth", name)}
	h.f.sinceBoot = true
	d.hosts[name] = h
	d.order = append(d.order, h)
	return h, d.out.Container(name, standInRow(h.id, name, ns))
}

// bethCall is one line that is to become rows.
type bethCall struct {
	d    *bethReader
	h    *bethHost
	t    *thread
	args string
	e    trace.Event
}

// take makes rows of a line. What is no call of x86-64 is a probe in the kernel.
func (c *bethCall) take(name string) error {
	if number, ok := trace.CallOn("amd64", name); ok && number < trace.CompatCall {
		if c.d.failed = c.h.f.call(c.t, number, c.e.TimeNS); c.d.failed != nil {
			return c.d.failed
		}
	}
	event, ok := bethEvents[name]
	if !ok {
		if _, call := trace.CallOn("amd64", name); !call {
			c.d.out.Unmapped(name)
		}
		return nil
	}
	return event(c)
}

// arg returns an argument of Python's print of a list of dictionaries,
// [{'name': 'flags', 'type': 'int', 'value': 'O_RDONLY'}, …], as text; false where
// there is none.
func (c *bethCall) arg(name string) (string, bool) {
	_, rest, ok := strings.Cut(c.args, "{'name': '"+name+"', 'type': '")
	if !ok {
		return "", false
	}
	_, rest, ok = strings.Cut(rest, "', 'value': ")
	if !ok || rest == "" {
		return "", false
	}
	if q := rest[0]; q == '\'' || q == '"' {
		if end := pythonEnd(rest, q); end > 0 {
			return unescape([]byte(rest[1:end])), true
		}
		return "", false
	}
	end := strings.IndexByte(rest, '}')
	if rest[0] == '[' || rest[0] == '{' {
		end = closing(rest)
	}
	if end < 0 {
		return "", false
	}
	return rest[:end], true
}

// pythonEnd returns the place of the quote that ends a text.
func pythonEnd(s string, q byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case q:
			return i
		}
	}
	return -1
}

// closing returns the place behind the bracket that ends what s begins with.
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '\'', '"':
			end := pythonEnd(s[i:], s[i])
			if end < 0 {
				return -1
			}
			i += end
		}
	}
	return -1
}

func (c *bethCall) flags(name string) *int64 {
	if text, ok := c.arg(name); ok {
		if n, ok := flags(text); ok {
			return &n
		}
	}
	return nil
}

func (c *bethCall) path(name string) string {
	text, _ := c.arg(name)
	return text
}

func (c *bethCall) emit(kind trace.Kind) error {
	c.e.Kind = string(kind)
	c.d.failed = c.h.f.event(c.t, &c.e)
	return c.d.failed
}

// pythonList reads ['sh', '-c', "it's"].
func pythonList(text string) (list []string) {
	for i := 0; i < len(text); i++ {
		if q := text[i]; q == '\'' || q == '"' {
			end := pythonEnd(text[i:], q)
			if end < 0 {
				return list
			}
			list = append(list, unescape([]byte(text[i+1:i+end])))
			i += end
		}
	}
	return list
}

// sockaddr reads {'sa_family': 'AF_INET', 'sin_port': '53', 'sin_addr': '10.100.0.2'}.
func (c *bethCall) sockaddr(name string) (family, addr string, port *int64) {
	text, _ := c.arg(name)
	words := pythonList(text)
	value := func(key string) string {
		if i := slices.Index(words, key); i >= 0 && i+1 < len(words) {
			return words[i+1]
		}
		return ""
	}
	family = addressFamilies[value("sa_family")]
	switch family {
	case "unix":
		addr = value("sun_path")
	case "inet", "inet6":
		if addr = value("sin_addr"); addr == "" {
			addr = value("sin6_addr")
		}
		text := value("sin_port")
		if text == "" {
			text = value("sin6_port")
		}
		if n, ok := number(text); ok && n >= 0 && n < 1<<16 {
			port = &n
		}
	}
	return family, addr, port
}

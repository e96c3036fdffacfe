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

// Strace reads what strace prints, with any of -f, -t, -tt, -ttt, -T, -y, -yy,
// -i, -n and to standard error or by -o. Seen with strace 4 to 6.1.
//
// Times are those of -ttt; of -t and -tt the day is not known, and becomes
// 1970-01-01 and the days after it. Without any, times are 0. A time is that of
// the call's begin as strace prints it, plus its duration where -T prints that;
// that of a call that was interrupted by others' is its end. Call numbers are of
// x86-64, for the text names the calls and not the machine; what only the 32-bit
// table has carries CompatCall.
type Strace struct{}

// Format is "strace".
func (Strace) Format() string { return "strace" }

// Sniff looks for calls that have an end among the first lines.
func (Strace) Sniff(_ string, head []byte) bool {
	calls := 0
	for range 20 {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole {
			break
		}
		head = rest
		s := straceLine(line)
		name, _, ok := bytes.Cut(s.body, []byte("("))
		if !ok {
			continue
		}
		if _, known := straceCalls[string(name)]; known && (bytes.Contains(line, []byte(") = ")) ||
			bytes.Contains(line, []byte(")  ")) || bytes.HasSuffix(line, unfinished)) {
			calls++
		}
	}
	return calls > 0
}

var (
	unfinished = []byte("<unfinished ...>")
	detached   = []byte("<detached ...>")
	resumed    = []byte(" resumed>")
)

// straceMachine is whose call numbers the rows have.
const straceMachine = "amd64"

// Read decodes the text.
func (Strace) Read(ctx context.Context, in *Input, out *Sink) error {
	if err := out.Machine(in.Host, Machine{Arch: straceMachine}); err != nil {
		return err
	}
	d := &straceReader{out: out, limits: in.Limits, f: newFollower(out, in.Host), pending: map[int32]pendingCall{},
		sockets: map[socketKey]socket{}}
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
		case text.incomplete && !bytes.HasSuffix(line, []byte(" +++")) && !endsCall(line):
			text.at.Offset = at.Offset // it may have its end next time
		case n >= in.Limits.Records:
			return fmt.Errorf("more than %d lines", in.Limits.Records)
		default:
			if why := d.line(line); why != nil {
				if d.failed != nil {
					return d.failed
				}
				err = out.Reject(at, line, why)
			}
		}
		if err != nil {
			return err
		}
	}
	if err := d.f.close(); err != nil {
		return err
	}
	out.Mark(text.at.Offset)
	return ctx.Err()
}

// straceReader is the state of one file.
type straceReader struct {
	out     *Sink
	limits  Limits
	f       *follower
	pending map[int32]pendingCall // calls that others interrupt on the page
	sockets map[socketKey]socket
	days    int64 // midnights since the first line, of -t
	lastNS  int64
	compat  map[int32]bool // processes in 32-bit mode
	args    [][]byte
	call    straceArguments
	failed  error // of the Sink

	held     []byte         // begin of a line that strace broke to say "Process 7 attached"
	attached map[int32]bool // whom it said that of
	named    bool           // a line said whose it is
}

// pendingCall is the begin of a call that is unfinished.
type pendingCall struct {
	call *straceCall
	text []byte // its arguments so far, of a call that makes an event
}

// line decodes one line. An error says why it is bad; where the Sink fails,
// failed is set, too.
func (d *straceReader) line(line []byte) error {
	if d.held != nil {
		line, d.held = append(d.held, line...), nil
	}
	if bytes.HasSuffix(line, attachedWord) {
		if i := bytes.LastIndex(line, []byte("strace: Process ")); i >= 0 {
			d.attach(line[i+len("strace: Process ") : len(line)-len(attachedWord)])
			if i > 0 {
				d.held = bytes.Clone(line[:i])
			}
			return nil
		}
	}
	s := straceLine(line)
	d.whose(&s)
	b := s.body
	if len(b) == 0 {
		return nil
	}
	switch b[0] {
	case '-':
		if bytes.HasPrefix(b, []byte("--- ")) { // a signal
			return nil
		}
	case '+':
		if bytes.HasPrefix(b, []byte("+++ ")) {
			return d.end(&s)
		}
	case '<':
		if bytes.HasPrefix(b, []byte("<... ")) {
			return d.resume(&s)
		}
	case '>': // a stack, of -k
		return nil
	case '[':
		return d.mode(b)
	case 's', 'P':
		if rest := bytes.TrimPrefix(b, []byte("strace: ")); len(rest) < len(b) || bytes.HasPrefix(b, []byte("Process ")) {
			return d.mode(rest)
		}
	}
	return d.begin(&s)
}

var attachedWord = []byte(" attached")

// begin decodes a line that begins a call, and most often ends it.
func (d *straceReader) begin(s *straceParts) error {
	name, rest, ok := bytes.Cut(s.body, []byte("("))
	if !ok {
		return errors.New("no call, signal or end of a process")
	}
	call, err := callNamed(name)
	if err != nil {
		return err
	}
	if bytes.HasSuffix(rest, unfinished) {
		p := pendingCall{call: call}
		if call.event != nil {
			p.text = bytes.Clone(rest[:len(rest)-len(unfinished)])
		}
		if !bytes.HasSuffix(p.text, []byte(" = ? ")) {
			if len(d.pending) >= maxThreads {
				clear(d.pending)
			}
			d.pending[s.tid] = p
			return nil
		}
		rest = p.text
	}
	if bytes.HasSuffix(rest, detached) { // strace left while the thread was in it
		call, rest = &straceCall{number: call.number, compat: call.compat}, []byte(") = ?")
	}
	return d.ended(s, call, rest)
}

// resume decodes the end of a call that was interrupted by others' lines.
func (d *straceReader) resume(s *straceParts) error {
	i := bytes.Index(s.body, resumed)
	if i < 5 {
		return errors.New("an end of a call without its name")
	}
	rest := s.body[i+len(resumed):]
	p, ok := d.pending[s.tid]
	delete(d.pending, s.tid)
	call, err := callNamed(s.body[5:i])
	if err != nil {
		return err
	}
	if !ok || p.call != call {
		if err := d.ended(s, &straceCall{number: call.number, compat: call.compat}, rest); err != nil || call.event == nil {
			return err
		}
		return errors.New("the end of a call that does not begin in this text: it is in the sequence, without its event")
	}
	if call.event != nil {
		rest = append(p.text, bytes.TrimPrefix(rest, []byte(" "))...)
	}
	return d.ended(s, call, rest)
}

// ended takes a call that is complete: rest is its arguments and its result.
func (d *straceReader) ended(s *straceParts, call *straceCall, rest []byte) error {
	if !endsCall(rest) {
		return errors.New("a call without an end")
	}
	_, met := d.f.threads[s.tid]
	t, err := d.f.thread(s.tid)
	if err != nil {
		return d.fail(err)
	}
	if !met {
		t.process.row.Cwd = d.cwdOfParent()
	}
	number := call.number
	compat := d.compat[t.process.row.PID]
	if compat {
		number = call.compat
	}
	ns := d.when(s) + duration(rest)
	if err := d.f.call(t, number, ns); err != nil {
		return d.fail(err)
	}
	if call.event == nil {
		return nil
	}
	args, result, ok := splitArguments(rest, d.args)
	d.args = args
	if !ok {
		return errors.New("arguments without an end")
	}
	c := &d.call // one for all: it is large
	*c = straceArguments{d: d, t: t, args: args, name: call.name}
	if c.e.TimeNS = ns; compat {
		c.e.Via = trace.ViaCompat
	}
	if !c.result(result) {
		return fmt.Errorf("a result that is no number: %.40q", result)
	}
	for _, a := range args {
		if int64(len(a)) > d.limits.StringBytes {
			return fmt.Errorf("an argument of %d bytes, want at most %d", len(a), d.limits.StringBytes)
		}
	}
	return call.event(c)
}

// cwdOfParent is the working folder of a thread that is met before the call that
// made it has ended: that of the one thread that is in such a call.
func (d *straceReader) cwdOfParent() (cwd string) {
	n := 0
	for tid, p := range d.pending {
		switch p.call.name {
		case "clone", "clone3", "fork", "vfork":
			if t := d.f.threads[tid]; t != nil {
				n, cwd = n+1, t.process.row.Cwd
			}
		}
	}
	if n != 1 {
		return ""
	}
	return cwd
}

// endsCall reports whether a line has the result of a call.
func endsCall(b []byte) bool {
	i := bytes.LastIndexByte(b, '=')
	if i > 0 && b[i-1] == ' ' && i+1 < len(b) && b[i+1] == ' ' {
		return true
	}
	return bytes.Contains(b, []byte(") = ")) || bytes.Contains(b, []byte("  = "))
}

// duration reads what -T puts at the end, <0.000017>.
func duration(b []byte) int64 {
	if len(b) < 10 || b[len(b)-1] != '>' {
		return 0
	}
	i := bytes.LastIndexByte(b, '<')
	if i < 1 || b[i-1] != ' ' {
		return 0
	}
	whole, fraction, ok := bytes.Cut(b[i+1:len(b)-1], []byte("."))
	sec := decimal(whole)
	if !ok || sec < 0 || sec > 1e9 {
		return 0
	}
	return sec*1e9 + nanoseconds(fraction)
}

// end decodes "+++ exited with 0 +++" and its kin.
func (d *straceReader) end(s *straceParts) error {
	words := bytes.Fields(s.body)
	status := int64(0)
	switch {
	case len(words) >= 5 && string(words[1]) == "exited":
		code, err := strconv.ParseUint(string(words[3]), 10, 8)
		if err != nil {
			return fmt.Errorf("exit status: %w", err)
		}
		status = int64(code) << 8
	case len(words) >= 5 && string(words[1]) == "killed":
		number, ok := signalNumber(string(words[3]))
		if !ok {
			return fmt.Errorf("signal %.20q: not known", words[3])
		}
		if status = number; bytes.Contains(s.body, []byte("(core dumped)")) {
			status |= 0x80
		}
	case len(words) >= 7 && string(words[1]) == "superseded":
		pid, err := strconv.ParseInt(string(words[6]), 10, 32)
		if err != nil {
			return fmt.Errorf("thread that ran a program: %w", err)
		}
		return d.supersede(s.tid, int32(pid))
	default:
		return errors.New("no end of a process that is known")
	}
	t, err := d.f.thread(s.tid)
	if err != nil {
		return d.fail(err)
	}
	if p, ok := d.pending[s.tid]; ok { // it ended in a call
		delete(d.pending, s.tid)
		if err := d.f.call(t, p.call.number, d.when(s)); err != nil {
			return d.fail(err)
		}
	}
	return d.fail(d.f.exit(t, status, d.when(s)))
}

// supersede gives the number of a process to the thread of it that runs a new
// program.
func (d *straceReader) supersede(leader, by int32) error {
	if p, ok := d.pending[by]; ok {
		d.pending[leader] = p
		delete(d.pending, by)
	}
	t, err := d.f.thread(leader)
	if err != nil {
		return d.fail(err)
	}
	if other, ok := d.f.threads[by]; ok && by != leader {
		err = d.f.flush(other)
		delete(d.f.threads, by)
		t.process.tasks = 1
	}
	return d.fail(err)
}

func signalNumber(name string) (int64, bool) {
	if n, ok := signals[name]; ok {
		return n, true
	}
	if rest, ok := bytes.CutPrefix([]byte(name), []byte("SIGRT_")); ok {
		n, err := strconv.ParseUint(string(rest), 10, 5)
		return 32 + int64(n), err == nil
	}
	return 0, name == "SIGRTMIN"
}

// fail keeps an error of the Sink.
func (d *straceReader) fail(err error) error {
	if err != nil {
		d.failed = err
	}
	return err
}

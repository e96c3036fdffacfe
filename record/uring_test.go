package record

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"mayfly/bpf"
	"mayfly/trace"
)

// byRing runs childURing in a container and returns a line for each event of
// io_uring, and what the trace says that it cannot see.
func byRing(t *testing.T, without bpf.Missing) (events, child, blind string) {
	t.Helper()
	rec := startRecording(t, func(o *Options) { o.BPF.Without = without })
	id, cgroup := fakeContainer(t)
	dir := t.TempDir()
	out, err := inCgroup(t, cgroup, "uring:"+dir).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.HasPrefix(string(out), "io_uring_setup") {
		t.Skipf("%s", out)
	}
	tr := rec.end()
	var got strings.Builder
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID == id && e.Via == trace.ViaIOUring {
			got.WriteString(strings.ReplaceAll(describe(&e), dir, "DIR") + "\n")
		}
	}
	checkBalance(t, tr, id)
	return got.String(), string(out), strings.Join(tr.Files(trace.Events)[0].Meta.Blind, "\n")
}

// needRings skips a test on a kernel without io_uring's tracepoints.
func needRings(t *testing.T) {
	t.Helper()
	mustRecord(t)
	list, err := bpf.Features()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Name == "io_uring's tracepoints" && !f.OK {
			t.Skip("io_uring's tracepoints: " + f.Detail)
		}
	}
}

// TestURing wants what a program does through io_uring, with results: by itself
// (0), by a worker (1), and by the thread that polls its ring (2).
func TestURing(t *testing.T) {
	needRings(t)
	got, child, blind := byRing(t, bpf.Missing{})
	for i := range 3 {
		for _, want := range []string{
			`open ret=\d+ path=DIR/old# flags=66 mode=384`,
			`open ret=-2 path=DIR/none# flags=0 mode=0`,
			`link ret=0 path=DIR/old# path2=DIR/hard# flags=0`,
			`link ret=0 path=DIR/old path2=DIR/soft# flags=0`,
			`rename ret=0 path=DIR/old# path2=DIR/moved# flags=0`,
			`unlink ret=0 path=DIR/moved# flags=0`,
		} {
			wantOnce(t, got, strings.ReplaceAll(want, "#", fmt.Sprint(i)), 1)
		}
	}
	wantOnce(t, got, `connect ret=-111 family=inet addr=127\.0\.0\.1 port=9 local=\d+\.0\.0\.\d localport=0`, 3)
	wantOnce(t, got, `connect ret=0 family=inet addr=127\.0\.0\.1 port=\d{4,5} local=127\.0\.0\.1 localport=\d{4,5}`, 3)
	wantOnce(t, got, `accept ret=\d+ family=inet addr=127\.0\.0\.1 port=\d{4,5} local=127\.0\.0\.1 localport=\d{4,5}`, 3)
	wantOnce(t, got, `open path=DIR/quiet flags=66 mode=384`, 1) // no result was asked for
	if !strings.Contains(child, "no bind") {
		wantOnce(t, got, `bind ret=0 family=inet local=127\.0\.0\.1 localport=\d{4,5}`, 3)
		wantOnce(t, got, `listen ret=0 family=inet local=127\.0\.0\.1 localport=\d{4,5}`, 3)
	}
	if strings.Contains(blind, "io_uring") {
		t.Errorf("the trace says that it cannot see io_uring: %s", blind)
	}
	if t.Failed() {
		t.Logf("%s\nchild: %s", got, child)
	}
}

// TestURingHooks is the same by security hooks alone: events without results.
func TestURingHooks(t *testing.T) {
	needHooks(t)
	got, child, _ := byRing(t, bpf.Missing{Rings: true})
	for i := range 3 {
		for _, want := range []string{
			`open path=DIR/old# flags=\d+ mode=0`,
			`rename path=DIR/old# path2=DIR/moved# flags=0`,
			`unlink path=DIR/moved# flags=0`,
		} {
			wantLine(t, got, strings.ReplaceAll(want, "#", fmt.Sprint(i)))
		}
	}
	wantLine(t, got, `connect family=inet addr=127\.0\.0\.1 port=9 local=0\.0\.0\.0 localport=0`)
	if t.Failed() {
		t.Logf("%s\nchild: %s", got, child)
	}
}

// TestURingBlind wants a trace without both to say so, and to claim nothing.
func TestURingBlind(t *testing.T) {
	mustRecord(t)
	got, _, blind := byRing(t, bpf.Missing{Hooks: true, Rings: true})
	if got != "" {
		t.Errorf("events of io_uring:\n%s", got)
	}
	for _, want := range []string{"open: none of io_uring's", "connect: none of io_uring's", "io_uring: results of its operations"} {
		if !strings.Contains(blind, want) {
			t.Errorf("blind %q, want %q in it", blind, want)
		}
	}
}

// wantOnce wants n lines, no more and no fewer, that match a pattern whole.
func wantOnce(t *testing.T, got, pattern string, n int) {
	t.Helper()
	if found := len(regexp.MustCompile("(?m)^"+pattern+"$").FindAllString(got, -1)); found != n {
		t.Errorf("%d lines like %s, want %d", found, pattern, n)
	}
}

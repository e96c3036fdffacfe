package profile

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

const (
	begin  = int64(1_780_000_000_000_000_000)
	second = int64(1_000_000_000)
)

func containerID(c int) string { return strings.Repeat(fmt.Sprint(c%10), 64) }

// day writes a recording of three containers of one service: from second 1000*n on.
func day(t *testing.T, dir string, n int64) *trace.Trace {
	t.Helper()
	at := func(s int64, c int, kind trace.Kind, set func(*trace.Event)) trace.Event {
		e := trace.Event{TimeNS: begin + (1000*n+s)*second, Kind: string(kind), ContainerID: containerID(c), CgroupID: uint64(c + 1), PID: 10 + int32(c), TID: 10, PPID: 1, Exe: "/usr/sbin/nginx"}
		set(&e)
		return e
	}
	var events []trace.Event
	var sequences []trace.Sequence
	read, _ := trace.CallNumber("read")
	comms := []string{"nginx", "runc:[2:INIT]", ""} // what a process calls itself hides nothing
	for s := range int64(20) {
		for c := range 3 {
			events = append(events, at(s, c, trace.FileOpen, func(e *trace.Event) { e.Path, e.Flags = fmt.Sprintf("/var/log/%d/%d", n, c), new(int64(1)) }))
			sequences = append(sequences, trace.Sequence{TimeNS: begin + (1000*n+s)*second, SpanNS: 5, ContainerID: containerID(c), PID: 10, TID: 10, Chunk: s, Comm: comms[c], Calls: []uint16{read, read}})
		}
	}
	events = append(events,
		at(20, 1, trace.Fork, func(e *trace.Event) { e.TargetPID = new(int64(77)) }),
		at(21, 1, trace.Exec, func(e *trace.Event) {
			e.PID, e.PPID, e.Path, e.Exe, e.Argv = 77, 11, "/bin/busybox", "/bin/busybox", []string{"sh", "-c", "rm -rf /tmp/x; true"}
		}),
		at(22, 1, trace.Exec, func(e *trace.Event) { e.PID, e.PPID, e.Path, e.Ret = 78, 77, "/bin/none", new(int64(-2)) }),
		at(23, 2, trace.Exec, func(e *trace.Event) { // the parent is of another container: no ancestry
			e.PID, e.PPID, e.Path, e.Argv = 79, 11, "/bin/id", []string{"id", "--level=3", "/tmp/x1234567"}
		}),
		at(24, 2, trace.Mount, func(e *trace.Event) { e.Addr, e.Path, e.Path2 = "tmpfs", "none", "/mnt/12345" }),
	)
	meta := trace.Meta{Host: "h", Arch: "amd64", Kernel: "6.1", BootID: "b", Recorder: "test", Source: "mayfly record", FromNS: begin + 1000*n*second, ToNS: begin + (1000*n+999)*second}
	w, err := trace.NewWriter(dir, meta, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	var containers []trace.Container
	for c := range 3 {
		containers = append(containers, trace.Container{TimeNS: begin, ContainerID: containerID(c), CgroupID: uint64(c + 1), Name: fmt.Sprint("web-", c), Image: "nginx:1.25",
			Labels: []string{"com.docker.compose.project=shop", "com.docker.compose.service=web"}, ReadonlyRoot: new(c == 0), PIDMode: "host"})
	}
	losses := []trace.Loss{
		{FromNS: begin, ToNS: begin + second, ContainerID: containerID(2), Class: trace.LossEvents, Produced: 9, Lost: 4},
		{FromNS: begin + (1000*n+5)*second, ToNS: begin + (1000*n+5)*second + 1, Class: trace.LossGap},
	}
	for _, err := range []error{w.Containers(containers), w.Events(events), w.Sequences(sequences), w.Losses(losses), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestBuild(t *testing.T) {
	p, err := Build(context.Background(), []*trace.Trace{day(t, filepath.Join(t.TempDir(), "monday"), 0)}, BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := p.Workload("nginx#shop/web")
	if w == nil || len(p.Workloads) != 1 {
		t.Fatalf("workloads: %+v", p.Workloads)
	}
	if len(w.Containers) != 3 || w.Containers[1].Name != "web-1" || w.Windows != 60+3+2 || w.Lost != 4 || w.Containers[2].Lost != 4 || w.GapWindows != 3 {
		t.Errorf("workload: %d containers %+v, %d windows, %d lost, %d at gaps", len(w.Containers), w.Containers, w.Windows, w.Lost, w.GapWindows)
	}
	if diff := cmp.Diff([]string{"pid"}, w.Declared.HostNamespaces()); diff != "" || len(w.Declared.ReadOnly) != 2 {
		t.Errorf("declared: %+v", w.Declared)
	}
	want := []string{`argv ["/bin/busybox","sh","-c","<text>"] 1 [1]`, `argv ["/bin/id","--level=<n>","/tmp/x<n>"] 1 [2]`, "call read 120 [0 1 2]", `called ["/bin/busybox","sh"] 1 [1]`,
		"exec /bin/busybox 1 [1]", "exec /bin/id 1 [2]", `mount ["tmpfs","none","/mnt/<n>"] 1 [2]`, `parent ["","/bin/id"] 1 [2]`,
		`parent ["/usr/sbin/nginx","/bin/busybox"] 1 [1]`, "priv mount 1 [2]", "write /var/log/<n>/<n> 60 [0 1 2]"}
	var got []string
	for _, e := range w.Items {
		got = append(got, fmt.Sprint(e.Item, " ", e.Count, " ", e.In))
		if len(e.Traces) != 1 {
			t.Errorf("%s: traces %v", e.Item, e.Traces)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if len(p.Traces) != 1 || p.Traces[0].Name != "monday" || p.Traces[0].BootID != "b" {
		t.Errorf("traces: %+v", p.Traces)
	}
}

// TestBuildParts: the profiles of days, merged, are that of all days, in any order.
func TestBuildParts(t *testing.T) {
	dir := t.TempDir()
	days := []*trace.Trace{day(t, filepath.Join(dir, "a"), 0), day(t, filepath.Join(dir, "b"), 1), day(t, filepath.Join(dir, "c"), 2)}
	build := func(traces ...*trace.Trace) *Profile {
		p, err := Build(context.Background(), traces, BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	whole := encode(t, build(days...))
	if got := encode(t, build(days[2], days[0], days[1])); got != whole {
		t.Errorf("order matters:\n%s", cmp.Diff(whole, got))
	}
	merged, err := Merge(build(days[1]), build(days[2], days[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(t, merged); got != whole {
		t.Errorf("merged (-whole +merged):\n%s", cmp.Diff(whole, got))
	}
	if _, err := Build(context.Background(), []*trace.Trace{days[0], day(t, filepath.Join(dir, "copy"), 0)}, BuildOptions{}); err == nil || !strings.Contains(err.Error(), "given too") {
		t.Errorf("the same recording twice: %v", err)
	}
}

func TestArgvShape(t *testing.T) {
	for _, test := range []struct {
		argv []string
		cut  bool
		want string
	}{
		{nil, false, `["/bin/x"]`},
		{[]string{"/bin/x", "-p", "8080", "--file=/tmp/tmp.aB3dE5", ""}, false, `["/bin/x","-p","<n>","--file=/tmp/tmp.<tmp>",""]`},
		{[]string{"y", "a b", "--e=$(id)", "<redacted>", "k=v"}, true, `["/bin/x","y","<text>","--e=<text>","<redacted>","k=v","…"]`},
		{[]string{"x", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, false, `["/bin/x","<n>","<n>","<n>","<n>","<n>","<n>","<n>","<n>","…"]`},
		{[]string{"x", strings.Repeat("a", 200), "\xff", "10.0.0.1"}, false, `["/bin/x","<text>","<text>","<n>.<n>.<n>.<n>"]`},
	} {
		if got := ArgvShape("/bin/x", test.argv, test.cut); got != test.want {
			t.Errorf("ArgvShape(%q) = %s, want %s", test.argv, got, test.want)
		}
	}
}

func FuzzArgvShape(f *testing.F) {
	f.Add("/bin/sh", "-c", "id\x00")
	f.Add("/tmp/\xff", "--x=1", "<n>")
	f.Fuzz(func(t *testing.T, file, a, b string) {
		shape := ArgvShape(file, []string{a, b}, false)
		parts := ParseList(shape)
		if len(parts) == 0 || len(parts) > maxShapeArgs+3 || len(shape) > MaxValue {
			t.Errorf("ArgvShape(%q, %q, %q) = %s", file, a, b, shape)
		}
		if (Item{Argv, shape}).check() != nil {
			t.Errorf("ArgvShape(%q, %q, %q) = %q, no value", file, a, b, shape)
		}
	})
}

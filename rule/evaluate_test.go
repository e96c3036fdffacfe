package rule

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mayfly/feature"
	"mayfly/profile"
	"mayfly/rule/falco"
	"mayfly/trace"
)

const (
	second = int64(1e9)
	begin  = int64(1_780_000_000_000_000_000)
)

var (
	web   = strings.Repeat("a1", 32)
	other = strings.Repeat("b2", 32)
)

// at makes an event of a container, seconds after begin.
func at(seconds int64, container string, kind trace.Kind, change func(e *trace.Event)) trace.Event {
	zero := int64(0)
	e := trace.Event{TimeNS: begin + seconds*second, BootNS: seconds * second, Kind: string(kind), ContainerID: container,
		CgroupID: 7, PID: 10, TID: 10, StartNS: 1, PPID: 1, Comm: "nginx", Exe: "/usr/sbin/nginx", Ret: &zero}
	change(&e)
	return e
}

func path(p string) func(e *trace.Event) { return func(e *trace.Event) { e.Path = p } }

func open(p string, flags int64) func(e *trace.Event) {
	return func(e *trace.Event) { e.Path, e.Flags = p, &flags }
}

func peer(addr string, port int64) func(e *trace.Event) {
	return func(e *trace.Event) {
		e.Family, e.Addr, e.Port = "inet", addr, &port
		e.LocalAddr, e.LocalPort = addr, &port
	}
}

func unix(path string) func(e *trace.Event) {
	return func(e *trace.Event) { e.Family, e.Addr = "unix", path }
}

// refused is a call that failed.
func refused(change func(e *trace.Event)) func(e *trace.Event) {
	return func(e *trace.Event) {
		change(e)
		e.Ret = new(int64(-111))
	}
}

// writeTrace writes a trace of events and sequences with two containers, of nginx
// and of another image.
func writeTrace(t testing.TB, events []trace.Event, sequences []trace.Sequence) *trace.Trace {
	t.Helper()
	return writeContainers(t, []trace.Container{
		{TimeNS: begin, ContainerID: web, CgroupID: 7, Name: "web", Image: "docker.io/library/nginx:1.25"},
		{TimeNS: begin, ContainerID: other, CgroupID: 8, Name: "other", Image: "redis"}}, events, sequences)
}

func writeContainers(t testing.TB, containers []trace.Container, events []trace.Event, sequences []trace.Sequence) *trace.Trace {
	t.Helper()
	dir := t.TempDir()
	w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Arch: "amd64", Kernel: "6.1", BootID: "b", Recorder: "test", Source: "mayfly record",
		FromNS: begin, ToNS: begin + 10_000*second}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		w.Containers(containers),
		w.Events(events), w.Sequences(sequences), w.Close(),
	} {
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

func calls(seconds int64, container string, names ...string) trace.Sequence {
	s := trace.Sequence{TimeNS: begin + seconds*second, SpanNS: second, ContainerID: container, CgroupID: 7, PID: 10, TID: 10, StartNS: 1, Chunk: seconds}
	for _, name := range names {
		n, _ := trace.CallNumber(name)
		s.Calls = append(s.Calls, n)
	}
	return s
}

func TestTest(t *testing.T) {
	zero, denied := int64(0), int64(-13)
	events := []trace.Event{
		at(0, web, trace.Exec, path("/usr/sbin/nginx")),
		at(1, web, trace.FileOpen, open("/var/log/nginx/access.log", 1)),
		at(2, web, trace.FileOpen, open("/proc/77/oom_score_adj", 2)),
		at(3, web, trace.FileOpen, open("/etc/hosts", 0)),
		at(4, web, trace.Connect, peer("10.0.0.5", 5432)),
		at(5, web, trace.Connect, peer("10.0.0.99", 0)),
		at(6, web, trace.Listen, peer("0.0.0.0", 443)),
		at(7, other, trace.Exec, path("/bin/evil")),
		at(1000, web, trace.FileOpen, open("/opt/new", 1)), // fires on normal time
		at(1999, web, trace.FileOpen, open("/etc/shadow", 0)),
		at(2001, web, trace.Exec, path("/bin/evil")),
		at(2002, web, trace.Exec, func(e *trace.Event) { e.Path, e.ExeOrigin = "/tmp/x", trace.OriginWritten }),
		at(2003, web, trace.FileOpen, open("/etc/shadow", 0)),
		at(2004, web, trace.FileOpen, func(e *trace.Event) { e.Path, e.Flags, e.Ret = "/etc/gshadow", &zero, &denied }),
		at(2005, web, trace.Connect, peer("203.0.113.9", 4444)),
		at(2005, web, trace.Connect, refused(peer("203.0.113.9", 4445))),
		at(2005, web, trace.Connect, refused(peer("10.0.0.5", 4445))),
		at(2005, web, trace.Connect, refused(peer("10.0.0.5", 5432))), // learned
		at(2005, web, trace.Connect, refused(peer("203.0.113.9", 0))), // no connection
		at(2005, web, trace.Connect, unix("/run/docker.sock")),
		at(2005, web, trace.Connect, refused(unix("/var/run/docker.sock"))),
		at(2005, web, trace.Connect, unix("/run/log.sock")),              // learned
		at(2005, web, trace.Connect, refused(unix("/var/run/log.sock"))), // the same
		at(2005, web, trace.Connect, unix("x.sock")),                     // not said: no path from the root
		at(2005, web, trace.Connect, unix("y.sock")),
		at(2006, web, trace.Listen, peer("0.0.0.0", 31337)),
		at(2007, web, trace.Mount, func(e *trace.Event) { e.Ret = &denied }),
		at(2008, web, trace.Mount, func(e *trace.Event) { e.Exe = "/bin/evil" }),
		at(2009, web, trace.SetUID, func(e *trace.Event) { e.Arg = &zero }),
		at(3600, web, trace.Exit, func(*trace.Event) {}),
	}
	sequences := []trace.Sequence{calls(10, web, "read", "openat", "mkdir"), calls(2010, web, "read", "keyctl", "keyctl")}
	set := mustBuild(t, workload("nginx", webItems), nil, Options{})
	labels := []feature.Label{
		{Container: "web", FromNS: begin + 2000*second, ToNS: begin + 2100*second, Attack: "all of it"},
		{Container: web[:12], FromNS: begin + 2050*second, ToNS: begin + 2200*second, Attack: "quiet"},
		{Container: "other", FromNS: begin, ToNS: begin + 100*second, Attack: "no rules"},
	}
	got, err := Test(context.Background(), []*Set{set}, []*trace.Trace{writeTrace(t, events, sequences)}, labels, 0)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Test(context.Background(), []*Set{set}, []*trace.Trace{writeTrace(t, events, sequences)}, labels, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if hours := 2800.0 / 3600; after.Rules[0].NormalHours != hours {
		t.Errorf("with an aftermath of 10 minutes: %v normal hours, want %v", after.Rules[0].NormalHours, hours)
	}
	type line struct {
		Fires, Normal int64
		Attacks       string
	}
	lines := map[Kind]line{}
	for _, r := range got.Rules {
		lines[r.Kind] = line{r.Fires, r.Normal, strings.Join(r.Attacks, " ")}
		if hours := 3400.0 / 3600; r.NormalHours != hours || r.PerHour != float64(r.Normal)/hours {
			t.Errorf("%s: %v per hour in %v hours, want %v hours", r.Rule, r.PerHour, r.NormalHours, hours)
		}
	}
	want := map[Kind]line{
		Program: {2, 0, "all of it"}, Files: {3, 2, "all of it"}, Network: {6, 0, "all of it"}, Takeover: {3, 0, "all of it"}, Calls: {3, 1, "all of it"},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	wantAttacks := []Attack{
		{Attack: "all of it", Container: "web", FromNS: labels[0].FromNS, ToNS: labels[0].ToNS, Recorded: true, Caught: true, AfterNS: second,
			Rules: []string{"calls", "file", "network", "program", "takeover"}},
		{Attack: "quiet", Container: web[:12], FromNS: labels[1].FromNS, ToNS: labels[1].ToNS, Recorded: true, Rules: []string{}},
		{Attack: "no rules", Container: "other", FromNS: labels[2].FromNS, ToNS: labels[2].ToNS, Rules: []string{}},
	}
	if diff := cmp.Diff(wantAttacks, got.Attacks); diff != "" {
		t.Errorf("attacks (-want +got):\n%s", diff)
	}
	wantRefused := []Refused{
		{Workload: "nginx", ContainerID: web, Call: "keyctl", Count: 2, FirstNS: begin + 2010*second + second/3},
		{Workload: "nginx", ContainerID: web, Call: "mkdir", Count: 1, Normal: 1, FirstNS: begin + 10*second + 2*second/3},
	}
	for i := range got.Refused { // to the microsecond
		got.Refused[i].FirstNS = got.Refused[i].FirstNS / 1000 * 1000
		wantRefused[i].FirstNS = wantRefused[i].FirstNS / 1000 * 1000
	}
	if diff := cmp.Diff(wantRefused, got.Refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if got.Events != int64(len(events)) || got.Sequences != 2 || got.Unscoped != 1 {
		t.Errorf("read %d events, %d sequences, %d containers without rules", got.Events, got.Sequences, got.Unscoped)
	}
	i := slices.IndexFunc(got.Rules, func(r Result) bool { return r.Kind == Files })
	if diff := cmp.Diff([]Example{{TimeNS: begin + 1000*second, ContainerID: web, Text: "write /opt/new", Exe: "/usr/sbin/nginx",
		File: "events/host=h/date=2026-05-28/events-1780000000000000000-0.parquet", Row: 8}}, got.Rules[i].Examples[:1]); diff != "" {
		t.Errorf("examples (-want +got):\n%s", diff)
	}
}

// TestFoundFires has a rule from findings catch its items again.
func TestFoundFires(t *testing.T) {
	set := mustBuild(t, workload("nginx", webItems), []profile.Item{
		{Kind: profile.Read, Value: "/data/<n>/key"}, {Kind: profile.Read, Value: "/etc/hostname"}, {Kind: profile.Write, Value: "/var/log/nginx/x"}}, Options{})
	tr := writeTrace(t, []trace.Event{
		at(1, web, trace.FileOpen, open("/data/17/key", 0)), at(2, web, trace.FileOpen, open("/data/17/other", 0)),
		at(3, web, trace.FileOpen, open("/etc/hostname", 0)), at(4, web, trace.FileOpen, open("/var/log/nginx/x", 1))}, nil)
	got, err := Test(context.Background(), []*Set{set}, []*trace.Trace{tr}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got.Rules {
		if want := map[Kind]int64{Takeover: 2, Files: 1}[r.Kind]; r.Fires != want {
			t.Errorf("%s fired %d times, want %d: %+v", r.Kind, r.Fires, want, r.Examples)
		}
	}
}

// BenchmarkTrial runs 104 rules (26 workloads) over events in memory.
func BenchmarkTrial(b *testing.B) {
	var sets []*Set
	sets = append(sets, mustBuild(b, workload("nginx", webItems), nil, Options{}))
	for _, name := range strings.Fields("a b c d e f g h i j k l m n o p q r s t u v w x y") {
		sets = append(sets, mustBuild(b, workload(name, webItems), nil, Options{}))
	}
	var events []trace.Event
	for i := range int64(20_000) {
		events = append(events, at(i, web, trace.FileOpen, open("/var/log/nginx/deep/er/access.log", 1)),
			at(i, web, trace.FileOpen, open("/etc/nginx/nginx.conf", 0)), at(i, web, trace.Connect, peer("10.0.0.5", 5432)),
			at(i, web, trace.Exec, path("/usr/bin/dash")), at(i, web, trace.Exit, func(*trace.Event) {}))
	}
	tr := writeTrace(b, events, nil)
	var rows []trace.Row
	for rec, err := range tr.Scan(context.Background(), trace.Events, trace.ScanOptions{}) {
		if err != nil {
			b.Fatal(err)
		}
		rec.Retain()
		view, err := trace.ViewEvents(rec)
		if err != nil {
			b.Fatal(err)
		}
		for i := range view.Len() {
			rows = append(rows, trace.Row{TimeNS: view.TimeNS(i), Event: view, Index: i, File: &tr.Files(trace.Events)[0]})
		}
	}
	known, _ := tr.Containers(context.Background())
	var sources []falco.Source
	for _, s := range sets {
		content, err := s.Falco()
		if err != nil {
			b.Fatal(err)
		}
		sources = append(sources, falco.Source{Name: s.Workload, Content: content})
	}
	program, err := compileRules(sources)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	begin := processorTime()
	for b.Loop() {
		trial := newTrial(program, nil, nil, TestOptions{})
		trial.known = known
		for i := range rows {
			trial.event(&rows[i])
		}
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/(processorTime()-begin).Seconds(), "events/cpu-s")
}

// BenchmarkTestFiles is rules test as a whole, decoding included: a file of 114
// rules over the events of the demo's recording, eight times one after the other.
func BenchmarkTestFiles(b *testing.B) {
	content, err := os.ReadFile(filepath.Join("falco", "testdata", "constructs.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	head, rules, _ := strings.Cut(string(content), "\n- rule:")
	text := head
	for i := range 6 {
		text += strings.NewReplacer("- rule: ", fmt.Sprintf("- rule: %d ", i), "/etc/", fmt.Sprintf("/etc%d/", i)).Replace("\n- rule:" + rules)
	}
	ctx := context.Background()
	demo, err := trace.Open(filepath.Join("..", "datasets", "demo", "trace"))
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Arch: "amd64", Kernel: "6.1", BootID: "b", Recorder: "test", Source: "mayfly record"}, trace.DefaultWriterOptions())
	if err != nil {
		b.Fatal(err)
	}
	for turn := range int64(8) {
		for rec, err := range demo.Scan(ctx, trace.Events, trace.ScanOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			events, err := trace.Rows[trace.Event](rec)
			if err != nil {
				b.Fatal(err)
			}
			for i := range events {
				events[i].TimeNS += turn * 300 * second
				events[i].BootNS += turn * 300 * second
			}
			if err := w.Events(events); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	tr, err := trace.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	events, begin := int64(0), processorTime()
	for b.Loop() {
		report, err := TestFiles(ctx, []File{{"rules.yaml", []byte(text)}}, []*trace.Trace{tr}, nil, TestOptions{})
		if err != nil {
			b.Fatal(err)
		}
		events += report.Events
	}
	b.ReportMetric(float64(events)/(processorTime()-begin).Seconds(), "events/cpu-s")
}

// processorTime is what the process has used: other work on the machine does not
// count.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

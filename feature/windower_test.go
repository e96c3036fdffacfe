package feature

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

var update = flag.Bool("update", false, "write the golden files anew")

const t0 = int64(1_700_000_000e9)

var (
	idA = strings.Repeat("a1", 32)
	idB = strings.Repeat("b2", 32)
)

// call is the number of a system call by name, as amd64 has it.
func call(t testing.TB, name string) uint16 {
	t.Helper()
	c, ok := trace.CallNumber(name)
	if !ok {
		t.Fatalf("no call %q", name)
	}
	return c
}

func calls(t testing.TB, names string) (all []uint16) {
	t.Helper()
	for name := range strings.FieldsSeq(names) {
		all = append(all, call(t, name))
	}
	return all
}

func seq(id string, ms, spanMS float64, tid int32, chunk int64, calls []uint16) trace.Sequence {
	return trace.Sequence{TimeNS: t0 + int64(ms*1e6), SpanNS: int64(spanMS * 1e6), ContainerID: id, PID: 10, TID: tid,
		StartNS: 5, Chunk: chunk, Calls: calls}
}

func event(id string, ms float64, kind trace.Kind, set func(*trace.Event)) trace.Event {
	e := trace.Event{TimeNS: t0 + int64(ms*1e6), Kind: string(kind), ContainerID: id, PID: 10, TID: 10, StartNS: 5, Ret: new(int64(0))}
	if set != nil {
		set(&e)
	}
	return e
}

// writeTrace writes rows as a trace of several files, one per batch.
func writeTrace(t testing.TB, batches ...func(*trace.Writer) error) *trace.Trace {
	t.Helper()
	dir := t.TempDir()
	w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Arch: "amd64", Source: "test"}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches {
		if err := batch(w); err != nil {
			t.Fatal(err)
		}
		if err := w.Seal(false); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// window is a Window as tests compare it.
type window struct {
	Start     float64 // s since t0
	Container string
	Counters  map[string]uint32
	Calls     map[string]uint32 `json:",omitempty"`
	Trigrams  map[string]uint32 `json:",omitempty"`
	Items     map[string]uint32 `json:",omitempty"`
}

func plain(w *Window) window {
	out := window{Start: float64(w.StartNS-t0) / 1e9, Container: w.ContainerID[:min(4, len(w.ContainerID))],
		Counters: map[string]uint32{}, Calls: map[string]uint32{}, Trigrams: map[string]uint32{}, Items: map[string]uint32{}}
	for c, n := range w.Counters {
		if n > 0 {
			out.Counters[Counters[c].Name] = n
		}
	}
	for i, c := range w.Calls {
		out.Calls[trace.CallName(c)] = w.CallCounts[i]
	}
	for i, x := range w.Trigrams {
		a, b, c := TrigramCalls(x)
		out.Trigrams[trace.CallName(a)+" "+trace.CallName(b)+" "+trace.CallName(c)] = w.TrigramCounts[i]
	}
	for i, item := range w.Items {
		out.Items[item] = w.ItemCounts[i]
	}
	return out
}

func windowsOf(t testing.TB, tr *trace.Trace, opts WindowerOptions, losses ...trace.Loss) ([]window, WindowerReport) {
	t.Helper()
	var all []window
	b := NewBuilder()
	defer b.Release()
	w, err := NewWindower(opts, func(w *Window) error {
		all = append(all, plain(w))
		b.Append(w)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range losses {
		w.AddLoss("h", &losses[i])
	}
	for row, err := range trace.Merge(context.Background(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rec := b.Record()
	defer rec.Release()
	if _, err := View(rec); err != nil {
		t.Errorf("the windower's own windows: %v", err)
	}
	return all, w.Report()
}

// handMade is a small trace with something of everything.
func handMade(t testing.TB) ([]trace.Event, []trace.Sequence, []trace.Loss) {
	num := func(n int64) *int64 { return &n }
	path := func(p string, flags, ret int64) func(*trace.Event) {
		return func(e *trace.Event) { e.Path, e.Flags, e.Ret = p, num(flags), num(ret) }
	}
	arg := func(n int64) func(*trace.Event) { return func(e *trace.Event) { e.Arg = num(n) } }
	events := []trace.Event{
		event(idA, 10, trace.FileOpen, path("/proc/4711/maps", 0, 3)),
		event(idA, 11, trace.FileOpen, path("/var/log/app.log", 0x441, 4)),
		event(idA, 12, trace.FileOpen, path("/nowhere", 0, -2)),
		event(idA, 13, trace.Exec, func(e *trace.Event) { e.Path, e.ExeOrigin = "/tmp/x", trace.OriginWritten }),
		event(idA, 14, trace.Exec, func(e *trace.Event) { e.Path, e.Ret = "/bin/nope", num(-2) }),
		event(idA, 15, trace.Fork, func(e *trace.Event) { e.Flags = num(0x1200011) }),
		event(idA, 16, trace.Fork, func(e *trace.Event) { e.Flags = num(0x3d0f00) }),
		event(idA, 17, trace.Connect, func(e *trace.Event) {
			e.Family, e.Addr, e.Port, e.Ret = "inet", "10.0.0.9", num(4444), num(-115)
		}),
		event(idA, 18, trace.Connect, func(e *trace.Event) {
			e.Family, e.Addr, e.Port, e.Ret = "inet", "10.0.0.9", num(4445), num(-111)
		}),
		event(idA, 19, trace.Accept, func(e *trace.Event) { e.Family, e.Ret = "inet", num(-11) }),
		event(idA, 20, trace.Exit, arg(9)),
		event(idA, 21, trace.Exit, arg(1<<8)),
		event(idA, 22, trace.Unshare, func(e *trace.Event) { e.Flags = num(0x20000) }),
		event(idB, 900, trace.SetUID, arg(0)),
		event("", 901, trace.Exec, func(e *trace.Event) { e.Path = "/bin/ls" }),
		event(idA, 1500, trace.Listen, func(e *trace.Event) { e.Family, e.LocalAddr, e.LocalPort = "inet", "0.0.0.0", num(8080) }),
		event(idB, 7100, trace.Mount, nil),
	}
	sequences := []trace.Sequence{
		seq(idA, 0, 500, 10, 0, calls(t, "read write close")),
		seq(idA, 600, 100, 10, 1, calls(t, "openat read")),
		seq(idA, 650, 700, 11, 0, calls(t, "futex futex futex futex futex futex futex")), // over the border
		seq(idA, 2100, 100, 10, 5, calls(t, "read write close")),                         // after a loss
	}
	losses := []trace.Loss{{FromNS: t0 + 5e8, ToNS: t0 + 25e8, ContainerID: idA, Class: trace.LossSequences, Produced: 100, Lost: 10}}
	return events, sequences, losses
}

func TestWindowsGolden(t *testing.T) {
	events, sequences, losses := handMade(t)
	tr := writeTrace(t, func(w *trace.Writer) error { return w.Events(events) },
		func(w *trace.Writer) error { return w.Sequences(sequences) })
	got, report := windowsOf(t, tr, WindowerOptions{}, losses...)
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", " ")
	if err := enc.Encode(struct {
		Windows []window
		Report  WindowerReport
	}{got, report}); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "windows.json")
	if *update {
		if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("windows of the hand-made trace (-want +got):\n%s", diff)
	}
}

// However the rows are cut into files, the windows are the same.
func TestWindowsOfAnySplit(t *testing.T) {
	events, sequences, losses := handMade(t)
	whole, _ := windowsOf(t, writeTrace(t, func(w *trace.Writer) error { return w.Events(events) },
		func(w *trace.Writer) error { return w.Sequences(sequences) }), WindowerOptions{}, losses...)
	for _, size := range []int{1, 2, 3, 7} {
		var batches []func(*trace.Writer) error
		for part := range slices.Chunk(events, size) {
			batches = append(batches, func(w *trace.Writer) error { return w.Events(part) })
		}
		for part := range slices.Chunk(sequences, size) {
			batches = append(batches, func(w *trace.Writer) error { return w.Sequences(part) })
		}
		got, _ := windowsOf(t, writeTrace(t, batches...), WindowerOptions{}, losses...)
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("%d rows a file (-one file +split):\n%s", size, diff)
		}
	}
}

func TestWindowBorders(t *testing.T) {
	read := func(n int) []uint16 { return slices.Repeat(calls(t, "read"), n) }
	for _, tt := range []struct {
		name  string
		opts  WindowerOptions
		rows  []trace.Sequence
		want  string // start:calls(trigrams) …
		late  int64
		full  int64
		early int64
	}{
		{"evenly over three windows", WindowerOptions{}, []trace.Sequence{seq(idA, 500, 2000, 1, 0, read(20))}, "0:5(3) 1:10(10) 2:5(5)", 0, 0, 0},
		{"the first call at the border", WindowerOptions{}, []trace.Sequence{seq(idA, 1000, 0, 1, 0, read(3))}, "1:3(1)", 0, 0, 0},
		{"a call per second", WindowerOptions{}, []trace.Sequence{seq(idA, 0, 3000, 1, 0, read(3))}, "0:1(0) 1:1(0) 2:1(1)", 0, 0, 0},
		{"negative span", WindowerOptions{}, []trace.Sequence{seq(idA, 100, -5, 1, 0, read(3))}, "0:3(1)", 0, 0, 0},
		{"no calls", WindowerOptions{}, []trace.Sequence{seq(idA, 100, 5, 1, 0, nil)}, "", 0, 0, 0},
		{"chunks that follow", WindowerOptions{}, []trace.Sequence{seq(idA, 0, 1, 1, 0, read(2)), seq(idA, 5, 1, 1, 1, read(2))}, "0:4(2)", 0, 0, 0},
		{"a lost chunk", WindowerOptions{}, []trace.Sequence{seq(idA, 0, 1, 1, 0, read(2)), seq(idA, 5, 1, 1, 2, read(2))}, "0:4(0)", 0, 0, 0},
		{"another thread", WindowerOptions{}, []trace.Sequence{seq(idA, 0, 1, 1, 0, read(2)), seq(idA, 5, 1, 2, 1, read(2))}, "0:4(0)", 0, 0, 0},
		{"a pid used again", WindowerOptions{}, []trace.Sequence{seq(idA, 0, 1, 1, 0, read(2)),
			func() trace.Sequence { s := seq(idA, 5, 1, 1, 1, read(2)); s.StartNS = 6; return s }()}, "0:4(0)", 0, 0, 0},
		{"forgotten threads", WindowerOptions{MaxThreads: 2}, []trace.Sequence{seq(idA, 0, 1, 1, 0, read(2)), seq(idA, 1, 1, 2, 0, read(2)),
			seq(idA, 2, 1, 3, 0, read(2)), seq(idA, 5, 1, 1, 1, read(2))}, "0:8(0)", 0, 0, 0},
		{"a container that vanishes", WindowerOptions{LatenessNS: -1}, []trace.Sequence{seq(idA, 0, 1, 1, 0, read(3)), seq(idB, 9000, 1, 2, 0, read(4))},
			"0:3(1) 9:4(2)", 0, 0, 0},
		{"no room for a second window", WindowerOptions{MaxOpen: 1}, []trace.Sequence{seq(idA, 0, 1, 1, 0, read(3)), seq(idB, 1, 1, 2, 0, read(4))},
			"0:3(1)", 0, 1, 0},
		{"room by closing early", WindowerOptions{MaxOpen: 1}, []trace.Sequence{seq(idA, 0, 1, 1, 0, read(3)), seq(idA, 1100, 1, 1, 1, read(4))},
			"0:3(1) 1:4(4)", 0, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := writeTrace(t, func(w *trace.Writer) error { return w.Sequences(tt.rows) })
			all, report := windowsOf(t, tr, tt.opts)
			var got []string
			for _, w := range all {
				n := uint32(0)
				for _, c := range w.Trigrams {
					n += c
				}
				got = append(got, fmt.Sprintf("%g:%d(%d)", w.Start, w.Counters["n_calls"], n))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
			if report.LateRows != tt.late || report.FullRows != tt.full || report.EarlyClose != tt.early {
				t.Errorf("report: got %+v, want %d late, %d full, %d closed early", report, tt.late, tt.full, tt.early)
			}
		})
	}
}

func TestLateRows(t *testing.T) {
	var windows int
	w, err := NewWindower(WindowerOptions{LatenessNS: 2e9}, func(*Window) error { windows++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	add := func(ms float64) {
		tr := writeTrace(t, func(w *trace.Writer) error {
			return w.Events([]trace.Event{event(idA, ms, trace.Listen, nil)})
		})
		for row, err := range trace.Merge(context.Background(), tr) {
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Add(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, step := range []struct {
		ms            float64
		windows, late int
	}{
		{500, 0, 0},
		{2900, 0, 0},
		{600, 0, 0},  // disorder within the lateness
		{3000, 1, 0}, // the first window ends 2 s earlier
		{700, 1, 1},  // too late now
		{1000, 1, 1}, // the second window is open
		{9999, 4, 1},
	} {
		if add(step.ms); windows != step.windows || w.Report().LateRows != int64(step.late) {
			t.Errorf("after the row at %g ms: got %d windows, %d late, want %d, %d", step.ms, windows, w.Report().LateRows, step.windows, step.late)
		}
	}
}

func TestWindowerOptions(t *testing.T) {
	for _, opts := range []WindowerOptions{{WidthNS: 10}, {WidthNS: 1e15}, {LatenessNS: 1e15}, {MaxOpen: -1}} {
		if _, err := NewWindower(opts, nil); err == nil {
			t.Errorf("%+v: got no error", opts)
		}
	}
}

// A run of calls that claims to span days costs no more than its calls.
func TestHostileSpan(t *testing.T) {
	const n = 50_000
	row := seq(idA, 0, n*1e3, 1, 0, slices.Repeat(calls(t, "read"), n))
	beyond := seq(idB, 1, 0, 1, 0, calls(t, "read read"))
	beyond.SpanNS = 1<<63 - 1
	windows, report := 0, WindowerReport{}
	w, err := NewWindower(WindowerOptions{MaxOpen: 64}, func(*Window) error { windows++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	tr := writeTrace(t, func(w *trace.Writer) error { return w.Sequences([]trace.Sequence{row, beyond}) })
	for row, err := range trace.Merge(context.Background(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(row); err != nil {
			t.Fatal(err)
		}
		if w.open > 64 || len(w.buckets) > 64 {
			t.Errorf("got %d open windows in %d buckets, want at most 64", w.open, len(w.buckets))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if report = w.Report(); windows != n+1 || report.EarlyClose == 0 || report.LateRows != 1 {
		t.Errorf("got %d windows, %+v, want %d windows, some closed early, one row late in part", windows, report, n+1)
	}
}

func TestItemBound(t *testing.T) {
	var rows []trace.Event
	for i := range 20 {
		rows = append(rows, event(idA, float64(i), trace.Exec, func(e *trace.Event) { e.Path = fmt.Sprintf("/bin/%c", 'a'+i) }))
	}
	got, _ := windowsOf(t, writeTrace(t, func(w *trace.Writer) error { return w.Events(rows) }), WindowerOptions{MaxItems: 8})
	if len(got) != 1 || len(got[0].Items) != 8 || got[0].Counters["n_items_overflow"] != 20 {
		t.Errorf("got %+v, want one window with 8 items; 12 programs, and who began 8, left out", got)
	}
}

package ingest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mayfly/feature"
	"mayfly/trace"
)

const t0 = int64(1_700_000_000e9)

var id = strings.Repeat("0a", 32)

// writeTrace makes a trace of n seconds: ten sequences and ten events in each,
// of one container, and a few rows of the host.
func writeTrace(t testing.TB, dir, host string, from, n int) {
	t.Helper()
	w, err := trace.NewWriter(dir, trace.Meta{Host: host, Arch: "amd64", Source: "test"}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	var events []trace.Event
	var sequences []trace.Sequence
	for i := from * 10; i < (from+n)*10; i++ {
		at := t0 + int64(i)*1e8
		owner := id
		if i%25 == 0 {
			owner = ""
		}
		events = append(events, trace.Event{TimeNS: at, Kind: string(trace.FileOpen), ContainerID: owner, PID: 7, TID: 7,
			Path: fmt.Sprintf("/data/%d", i%5), Ret: new(int64(3)), Flags: new(int64(0))})
		sequences = append(sequences, trace.Sequence{TimeNS: at, SpanNS: 5e7, ContainerID: id, PID: 7, TID: 7, Chunk: int64(i),
			Calls: []uint16{0, 1, 3, 257}})
	}
	for _, err := range []error{w.Events(events), w.Sequences(sequences),
		w.Containers([]trace.Container{{TimeNS: t0, ContainerID: id, Name: "web-1", Image: "registry.example/shop:1.2"}}),
		w.Losses([]trace.Loss{{FromNS: t0, ToNS: t0 + 1e9, ContainerID: id, Class: trace.LossEvents, Produced: 50, Lost: 5}}), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	writeTrace(t, a, "h1", 0, 10)
	writeTrace(t, b, "h2", 5, 10)
	out := filepath.Join(dir, "f.parquet")
	report, err := Run(context.Background(), []string{a, b}, Options{Output: out, Creator: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if report.Windows != 20 || report.Containers != 2 || report.Rows != 400 || report.HostRows != 8 || report.Lost != 10 || report.Files != 4 || report.LateRows != 0 {
		t.Errorf("report: got %+v, want 20 windows of 2 containers from 400 rows, 8 of the host, 10 lost", report)
	}
	f, err := feature.OpenFile(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Rows != 20 || len(f.Provenance.Inputs) != 4 || f.Provenance.WidthNS != 1e9 || f.Provenance.Creator != "test" {
		t.Errorf("file: got %d rows, %+v", f.Rows, f.Provenance)
	}
	for rec, err := range f.Windows(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		v, err := feature.View(rec)
		if err != nil {
			t.Fatal(err)
		}
		var w feature.Window
		v.At(0, &w)
		if w.Workload != "registry.example/shop" || w.ContainerName != "web-1" || w.Host != "h1" || w.Missing != 0 ||
			w.Counters[feature.NLost] != 5 || w.Counters[feature.NCalls] != 40 {
			t.Errorf("first window: got %+v", w)
		}
	}
}

// The same traces give the same bytes, with one thread and with two.
func TestRunIsDeterministic(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	writeTrace(t, a, "h1", 0, 20)
	writeTrace(t, b, "h2", 5, 20)
	var want []byte
	for i, threads := range []int{1, 2} {
		before := runtime.GOMAXPROCS(threads)
		out := filepath.Join(dir, fmt.Sprint(i))
		_, err := Run(context.Background(), []string{a, b}, Options{Output: out, HostToo: true})
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%d threads: %d bytes that differ from those of 1 thread (%d)", threads, len(got), len(want))
		}
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	good, empty, cut, text := filepath.Join(dir, "good"), filepath.Join(dir, "empty"), filepath.Join(dir, "cut"), filepath.Join(dir, "text")
	writeTrace(t, good, "h", 0, 50)
	writeTrace(t, empty, "h", 0, 0)
	writeTrace(t, cut, "h2", 0, 50)
	damage(t, cut)
	if err := os.WriteFile(text, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "f.parquet")
	for _, tt := range []struct {
		paths []string
		opts  Options
		want  string
	}{
		{[]string{filepath.Join(dir, "none")}, Options{Output: out}, "none: no such file"},
		{[]string{good, text}, Options{Output: out}, text + ": "},
		{[]string{good, cut}, Options{Output: out}, "sequences-"},
		{[]string{good, empty}, Options{Output: out}, "empty"},
		{[]string{good, good}, Options{Output: out}, "holds the same rows as"},
		{[]string{dir}, Options{Output: out}, "not a trace"},
		{[]string{good}, Options{Output: dir}, "is a directory"},
		{[]string{good}, Options{Output: filepath.Join(dir, "no", "f")}, "no such file"},
		{[]string{good}, Options{Output: out, WidthNS: 5}, "width: got 5 ns"},
		{[]string{text, cut}, Options{Output: out, SkipBad: true}, "none of 2 inputs can be used"},
	} {
		_, err := Run(context.Background(), tt.paths, tt.opts)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: got error %v, want one line with %q", tt.paths, err, tt.want)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*f.parquet*")); len(left) > 0 {
			t.Errorf("%v: left behind: %v", tt.paths, left)
		}
	}
	report, err := Run(context.Background(), []string{good, cut, text}, Options{Output: out, SkipBad: true})
	if err != nil || len(report.Bad) != 2 || report.Traces != 1 {
		t.Errorf("with SkipBad: got %+v, %v, want one trace used and two left out", report, err)
	}
}

// damage overwrites the middle of a file of sequences; its footer stays.
func damage(t *testing.T, dir string) {
	t.Helper()
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := tr.Files(trace.Sequences)[0].Path
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(content[40:], bytes.Repeat([]byte{0xff}, 400))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	writeTrace(b, filepath.Join(dir, "t"), "h", 0, 2000)
	rows := int64(0)
	for b.Loop() {
		r, err := Run(context.Background(), []string{filepath.Join(dir, "t")}, Options{Output: filepath.Join(dir, "f")})
		if err != nil {
			b.Fatal(err)
		}
		rows += r.Rows
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

package ingest

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mayfly/trace"
)

// BenchmarkRunDense makes windows of two million events of twenty busy containers,
// and reports events by second of processor time and the peak of memory; beside it the
// reading of the same file, by the trace's reader and by DuckDB's read_parquet, and
// DuckDB's count of what a window has most of.
func BenchmarkRunDense(b *testing.B) {
	const events, perSecond = 2_000_000, 10_000
	dir := b.TempDir()
	w, err := trace.NewWriter(filepath.Join(dir, "t"), trace.Meta{Host: "h", Arch: "amd64", Source: "test"}, trace.DefaultWriterOptions())
	if err != nil {
		b.Fatal(err)
	}
	three, zero := int64(3), int64(0)
	for i := 0; i < events; i += 1000 {
		rows := make([]trace.Event, 1000)
		for k := range rows {
			n := i + k
			rows[k] = trace.Event{TimeNS: t0 + int64(n)*(1e9/perSecond), Kind: string(trace.FileOpen), ContainerID: fmt.Sprintf("%064x", n%20),
				PID: int32(n % 200), TID: int32(n % 200), Exe: "/usr/bin/app", Path: fmt.Sprintf("/data/%d", n%300), Ret: &three, Flags: &zero}
		}
		if err := w.Events(rows); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, "t")
	report := func(b *testing.B, used time.Duration) {
		b.ReportMetric(float64(events)*float64(b.N)/used.Seconds(), "events/cpu-s")
	}
	b.Run("windows", func(b *testing.B) {
		before := processorTime()
		for b.Loop() {
			if _, err := Run(context.Background(), []string{path}, Options{Output: filepath.Join(dir, "f")}); err != nil {
				b.Fatal(err)
			}
		}
		report(b, processorTime()-before)
		var used syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
		b.ReportMetric(float64(used.Maxrss)/1024, "peak-MiB")
	})
	b.Run("read", func(b *testing.B) {
		t, err := trace.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		before := processorTime()
		for b.Loop() {
			for rec, err := range t.Scan(context.Background(), trace.Events, trace.ScanOptions{}) {
				if err != nil {
					b.Fatal(err)
				}
				rec.Release()
			}
		}
		report(b, processorTime()-before)
	})
	for name, question := range map[string]string{
		"duckdb-read": "SELECT sum(hash(COLUMNS(*))) FROM events",
		"duckdb-windows": `SELECT count(*), sum(n) FROM (SELECT container_id, date_trunc('second', time_ns), count(*) AS n,
			count(*) FILTER (ret < 0), count(DISTINCT pid), count(DISTINCT tid), histogram(path) FROM events GROUP BY 1, 2)`,
	} {
		b.Run(name, func(b *testing.B) {
			ask := duckDB(b)
			var used time.Duration
			for b.Loop() {
				used += ask(question, path)
			}
			report(b, used)
		})
	}
}

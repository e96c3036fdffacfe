package ingest

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"mayfly/trace"
)

// BenchmarkRunDense makes windows of two million events of twenty busy containers,
// and reports events by second of processor time and the peak of memory.
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
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for b.Loop() {
		if _, err := Run(context.Background(), []string{filepath.Join(dir, "t")}, Options{Output: filepath.Join(dir, "f")}); err != nil {
			b.Fatal(err)
		}
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := float64(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano()) / 1e9
	b.ReportMetric(float64(events)*float64(b.N)/cpu, "events/cpu-s")
	b.ReportMetric(float64(after.Maxrss)/1024, "peak-MiB")
}

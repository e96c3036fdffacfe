//go:build unix

package forest

import (
	"fmt"
	"syscall"
	"testing"
)

// The tables of the benchmarks. testdata/bench_sklearn.py makes tables of the
// same distribution; BENCHMARKS.md has the figures of both.
const (
	benchFeatures   = 64
	benchScoreRows  = 100_000
	benchRandomRows = 20_000
)

// spent starts the clock of a benchmark's processor time, user and system, of all
// threads; the function that it returns reports it. On a machine that others use
// too, it says more than the wall clock.
func spent(b *testing.B, rows int) (report func()) {
	now := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	begin := now()
	return func() {
		perOp := float64(now()-begin) / float64(b.N)
		b.ReportMetric(perOp, "cpu-ns/op")
		if rows > 0 {
			b.ReportMetric(float64(rows)/perOp*1e3, "cpu-Mrows/s")
		}
	}
}

func BenchmarkFitIsolation(b *testing.B) {
	x := noise(1, benchFeatures, benchScoreRows, 0, 0)
	report := spent(b, 0)
	for b.Loop() {
		opts := DefaultIsolationOptions()
		opts.Threads = 1
		fitIsolation(b, x, opts)
	}
	report()
}

func BenchmarkScoreIsolation(b *testing.B) {
	for _, c := range []struct {
		missing float64
		box     bool
	}{{0, false}, {0.01, false}, {0, true}} {
		x := noise(1, benchFeatures, benchScoreRows, c.missing, 0)
		opts := DefaultIsolationOptions()
		opts.Box = c.box
		f := fitIsolation(b, x, opts)
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("missing=%v/box=%v/threads=%d", c.missing, c.box, threads), func(b *testing.B) {
				out := make([]float32, benchScoreRows)
				report := spent(b, benchScoreRows)
				for b.Loop() {
					_ = f.Score(x, out, threads)
				}
				report()
			})
		}
	}
}

func BenchmarkFitRandom(b *testing.B) {
	x, y := attacks(1, benchFeatures, benchRandomRows)
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			report := spent(b, 0)
			for b.Loop() {
				opts := DefaultRandomOptions()
				opts.Threads = threads
				fitRandom(b, x, y, opts)
			}
			report()
		})
	}
}

func BenchmarkScoreRandom(b *testing.B) {
	x, y := attacks(1, benchFeatures, benchRandomRows)
	f := fitRandom(b, x, y, DefaultRandomOptions())
	fresh, truth := attacks(2, benchFeatures, benchRandomRows)
	out := make([]float32, benchRandomRows)
	report := spent(b, benchRandomRows)
	for b.Loop() {
		_ = f.Score(fresh, out, 1)
	}
	report()
	b.ReportMetric(area(out, truth), "AUROC")
}

func BenchmarkContributions(b *testing.B) {
	x, y := attacks(1, benchFeatures, benchRandomRows)
	out := make([]float64, benchFeatures)
	row := rowOf(x, 7)
	iso := fitIsolation(b, x, DefaultIsolationOptions())
	rnd := fitRandom(b, x, y, DefaultRandomOptions())
	rows, many := make([]int, 64), make([][]float64, 64)
	for k := range rows {
		rows[k], many[k] = k*100, make([]float64, benchFeatures)
	}
	for _, c := range []struct {
		name string
		work func()
	}{
		{"isolation", func() { _, _ = iso.Contributions(row, out) }},
		{"isolation of 64 rows", func() { _, _ = iso.Explain(x, rows, many, 1) }},
		{"random", func() { _, _ = rnd.Contributions(row, out) }},
		{"random of 64 rows", func() { _, _ = rnd.Explain(x, rows, many, 1) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			report := spent(b, 0)
			for b.Loop() {
				c.work()
			}
			report()
		})
	}
}

package main

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var benchBytes = flag.Int64("fleet-bytes", 64<<20, "bytes of the trace that BenchmarkOverhead measures with")

// BenchmarkOverhead runs ingest, train and replay on one machine and on Prism in turns,
// over the trace of a synthetic fleet: seconds of the clock and of all processors, and
// how many times those of mayfly Beam takes.
//
//	go test -run '^$' -bench Overhead -benchtime 3x -fleet-bytes 1073741824 -timeout 1h
func BenchmarkOverhead(b *testing.B) {
	needEngine(b)
	dir := b.TempDir()
	must(b, dir, "fleet", "-o", "fleet", "-bytes", strconv.FormatInt(*benchBytes, 10), "-containers", "24", "-minutes", "60", "-copies", "4")
	must(b, dir, "mayfly", "ingest", "fleet", "-o", "features.parquet", "--trusted")
	must(b, dir, "mayfly", "train", "features.parquet", "-o", "fleet.mayfly")
	for _, step := range []struct {
		name  string
		args  []string
		local []string
	}{
		{"ingest", []string{"ingest", "fleet", "-o", "out.parquet"}, []string{"--trusted"}},
		{"train", []string{"train", "features.parquet", "-o", "out.mayfly"}, nil},
		{"replay", []string{"replay", "fleet.mayfly", "fleet", "-o", "out.jsonl"}, nil},
	} {
		b.Run(step.name, func(b *testing.B) {
			var clock, busy [2]float64
			for b.Loop() {
				for i, run := range []func(){
					func() { must(b, dir, "mayfly", append(step.args[:len(step.args):len(step.args)], step.local...)...) },
					func() { must(b, dir, "mayfly-beam", onPrism(b, step.args[:len(step.args):len(step.args)]...)...) },
				} {
					begin, before := time.Now(), processorSeconds(b)
					run()
					clock[i] += time.Since(begin).Seconds()
					busy[i] += processorSeconds(b) - before
				}
			}
			n := float64(b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(clock[0]/n, "s-mayfly")
			b.ReportMetric(clock[1]/n, "s-beam")
			b.ReportMetric(clock[1]/clock[0], "times-clock")
			b.ReportMetric(busy[0]/n, "cpu-s-mayfly")
			b.ReportMetric(busy[1]/n, "cpu-s-beam")
			b.ReportMetric(busy[1]/busy[0], "times-cpu")
		})
	}
}

// processorSeconds is what all processes of the tests have used so far, those that
// have ended too.
func processorSeconds(b *testing.B) float64 {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	ticks := int64(0)
	for _, name := range all {
		line, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended meanwhile, and its parent has its time
		}
		_, rest, _ := strings.Cut(string(line), ") ") // after the name, which may hold spaces
		fields := strings.Fields(rest)
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return float64(ticks) / 100 // USER_HZ
}

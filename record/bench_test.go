package record

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"mayfly/bpf"
	"mayfly/trace"
)

// BenchmarkCall measures one getppid of a program with nothing attached, with one
// empty program at sys_exit (the floor of what eBPF allows), with one at sys_enter,
// and while containers are recorded: in a container, on the host in a cgroup as a
// service has it, and on the host in the root cgroup.
//
// All of it alternates, b.N rounds (-benchtime 20x). The figures are medians of
// the thread's processor time in ns/call, and "cost": what recording adds to a
// call in units of what an empty program adds.
func BenchmarkCall(b *testing.B) {
	mustRecord(b)
	_, dir := fakeContainer(b)
	service := filepath.Join(cgroupRoot(b), "test.slice")
	for _, dir := range []string{service, filepath.Join(service, "test.service")} {
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			b.Fatal(err)
		}
		b.Cleanup(func() { removeCgroup(dir) })
	}
	places := []string{"container", "service", "root"}
	callers := map[string]*caller{"container": startCaller(b, dir),
		"service": startCaller(b, filepath.Join(service, "test.service")), "root": startCaller(b, "")}
	ns := map[string][]float64{}
	measure := func(what string) {
		for _, place := range places {
			ns[what+" "+place] = append(ns[what+" "+place], callers[place].calls(b, "getppid", 200_000))
		}
	}
	rounds := max(b.N, 3)
	for range rounds {
		measure("nothing")
		for _, tracepoint := range []string{"sys_enter", "sys_exit"} {
			detach := emptyProgram(b, tracepoint)
			measure(tracepoint)
			detach()
		}
		rec := startRecording(b, nil)
		measure("recorded")
		rec.end()
		if len(rec.summary.Lost) > 0 {
			b.Logf("lost %v of %v", rec.summary.Lost, rec.summary.Produced)
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, place := range places {
		median := func(what string) float64 {
			slices.Sort(ns[what+" "+place])
			return ns[what+" "+place][rounds/2]
		}
		nothing := median("nothing")
		for _, what := range []string{"sys_enter", "sys_exit", "recorded"} {
			b.Logf("%-9s %-9s %6.1f ns/call, %+6.1f", place, what, median(what), median(what)-nothing)
		}
		b.ReportMetric(median("recorded"), place+"-ns/call")
		b.ReportMetric((median("recorded")-nothing)/(median("sys_exit")-nothing), place+"-cost")
	}
}

// BenchmarkEvent measures an open and its close in a container, as BenchmarkCall
// does a call: the open is an event, with a path.
func BenchmarkEvent(b *testing.B) {
	mustRecord(b)
	_, dir := fakeContainer(b)
	c := startCaller(b, dir)
	var nothing, empty, recorded []float64
	measure := func(to *[]float64) { *to = append(*to, c.calls(b, "open", 20_000)) }
	rounds := max(b.N, 3)
	for range rounds {
		measure(&nothing)
		detach := emptyProgram(b, "sys_exit")
		measure(&empty)
		detach()
		rec := startRecording(b, nil)
		measure(&recorded)
		rec.end()
		if len(rec.summary.Lost) > 0 {
			b.Logf("lost %v of %v", rec.summary.Lost, rec.summary.Produced)
		}
	}
	median := func(ns []float64) float64 {
		slices.Sort(ns)
		return ns[rounds/2]
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(nothing), "untraced-ns")
	b.ReportMetric(median(empty)-median(nothing), "empty-adds-ns")
	b.ReportMetric(median(recorded)-median(nothing), "recording-adds-ns")
}

// caller is a program that makes calls when it is asked to.
type caller struct {
	stdin  io.WriteCloser
	stdout *bufio.Scanner
}

// startCaller starts one in a cgroup, or where this program is.
func startCaller(b *testing.B, dir string) *caller {
	b.Helper()
	cmd := inCgroup(b, cmp.Or(dir, cgroupRoot(b)), "bench")
	if dir == "" {
		cmd.SysProcAttr = nil
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	return &caller{stdin: stdin, stdout: bufio.NewScanner(stdout)}
}

// calls has it make n calls and returns ns per call.
func (c *caller) calls(b *testing.B, what string, n int) float64 {
	b.Helper()
	if _, err := fmt.Fprintln(c.stdin, what, n); err != nil || !c.stdout.Scan() {
		b.Fatal("child: ", err, c.stdout.Err())
	}
	ns, err := strconv.ParseFloat(c.stdout.Text(), 64)
	if err != nil {
		b.Fatal(err)
	}
	return ns
}

func emptyProgram(b *testing.B, tracepoint string) (detach func()) {
	b.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp,
		AttachTo: tracepoint, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
	if err != nil {
		b.Fatal(err)
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: program})
	if err != nil {
		b.Fatal(err)
	}
	return func() { l.Close(); program.Close() }
}

// BenchmarkDecode measures the way of one record to its row.
func BenchmarkDecode(b *testing.B) {
	record := addSection(headBytes(bpf.MayflyEvent{Cgroup: 7, Pid: 1 << 30, Kind: uint16(bpf.Open), Call: 257, Comm: [16]int8{'s', 'h'}}), sectionFile, 0, "passwd\x00etc\x00")
	c, raw := testConverter(), rawEvent{}
	var rows []trace.Event
	b.ReportAllocs()
	for b.Loop() {
		if err := raw.decode(record); err != nil {
			b.Fatal(err)
		}
		if len(rows) == batchRows {
			rows = rows[:0]
		}
		rows = append(rows, trace.Event{})
		c.event(&raw, &rows[len(rows)-1])
	}
}

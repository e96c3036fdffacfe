package record

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"mayfly/bpf"
	"mayfly/trace"
)

// BenchmarkCall measures one getppid of a program
//
//   - untraced;
//   - with an empty program at sys_enter, the floor of what eBPF allows, and with
//     one at sys_exit too;
//   - in a container that is recorded;
//   - on the host, while containers are recorded.
//
// The figures are ns/call; read them with benchstat over several runs.
func BenchmarkCall(b *testing.B) {
	mustRecord(b)
	b.Run("untraced", func(b *testing.B) { benchCalls(b, true) })
	b.Run("empty-enter", func(b *testing.B) {
		emptyProgram(b, "sys_enter")
		benchCalls(b, true)
	})
	b.Run("empty-enter-exit", func(b *testing.B) {
		emptyProgram(b, "sys_enter")
		emptyProgram(b, "sys_exit")
		benchCalls(b, true)
	})
	b.Run("recorded", func(b *testing.B) {
		rec := startRecording(b, nil)
		benchCalls(b, true)
		rec.end()
		if len(rec.summary.Lost) > 0 {
			b.Logf("lost %v of %v", rec.summary.Lost, rec.summary.Produced)
		}
	})
	b.Run("host", func(b *testing.B) {
		rec := startRecording(b, nil)
		benchCalls(b, false)
		rec.end()
	})
}

// benchCalls has a child make calls, in a container or not, and takes its time.
func benchCalls(b *testing.B, inContainer bool) {
	b.Helper()
	_, dir := fakeContainer(b)
	cmd := inCgroup(b, dir, "bench:"+strconv.Itoa(max(b.N, 1000)))
	if !inContainer {
		cmd.SysProcAttr = nil
	}
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	ns, err := strconv.ParseFloat(string(bytes.TrimSpace(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ns, "ns/call")
}

func emptyProgram(b *testing.B, tracepoint string) {
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
	b.Cleanup(func() { l.Close(); program.Close() })
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

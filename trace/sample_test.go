package trace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// startNS is the time that the samples begin at: 2024-03-01 10:00 UTC.
const startNS = 1709287200_000000000

func testMeta(host string) Meta {
	return Meta{Host: host, Arch: "amd64", Kernel: "6.1.0-18-amd64", BootID: "b2c1f8a4-0000-4000-8000-000000000001",
		Recorder: "mayfly test", ClockOffsetNS: startNS - 5_000_000_000, Source: "mayfly record"}
}

func ptr[T any](v T) *T { return &v }

// sampleEvents returns n events like those of a busy container: the same few
// hundred paths, argv on exec only, time in order up to some microseconds.
func sampleEvents(n int, seed uint64) []Event {
	r := rand.New(rand.NewPCG(seed, 1))
	rows := make([]Event, n)
	now := int64(startNS)
	for i := range rows {
		now += int64(r.ExpFloat64() * 100_000)
		e := Event{
			TimeNS: now - int64(r.IntN(2))*int64(r.IntN(20_000)), ContainerID: containerID(r.IntN(4)),
			CgroupID: uint64(5000 + r.IntN(4)), PID: int32(4000 + r.IntN(40)), PPID: 4000,
			UID: ptr(int64(33)), GID: ptr(int64(33)), Comm: "nginx", Exe: "/usr/sbin/nginx", Ret: ptr(int64(0)),
		}
		e.BootNS, e.TID, e.StartNS = e.TimeNS-startNS+5_000_000_000, e.PID, int64(e.PID)*1_000_000
		switch k := r.IntN(20); {
		case k == 0:
			e.Kind, e.Path, e.Exe, e.Comm = string(Exec), "/bin/sh", "/bin/sh", "sh"
			e.Argv, e.Cwd, e.ExeOrigin = []string{"sh", "-c", fmt.Sprintf("echo %d", r.IntN(1000))}, "/", OriginImage
		case k < 4:
			e.Kind, e.Family, e.Addr = string(Accept), "inet", fmt.Sprintf("10.0.0.%d", r.IntN(250))
			e.Port, e.LocalAddr, e.LocalPort = ptr(int64(30000+r.IntN(20000))), "10.1.0.2", ptr(int64(80))
		case k < 5:
			e.Kind, e.TargetPID, e.Flags = string(Fork), ptr(int64(4000+r.IntN(40))), ptr(int64(0x1200011))
		default:
			e.Kind, e.Path = string(FileOpen), fmt.Sprintf("/var/www/html/%d/index.html", r.IntN(400))
			e.Flags, e.Mode, e.Ret = ptr(int64(0x8000)), ptr(int64(0)), ptr(int64(r.IntN(30)-2))
		}
		rows[i] = e
	}
	return rows
}

func containerID(i int) string { return strings.Repeat(fmt.Sprintf("%04x", 0xa1b0+i), 16) }

// sampleSequences returns n runs of calls: threads in loops of few calls, with
// another call now and then.
func sampleSequences(n int, seed uint64) []Sequence {
	r := rand.New(rand.NewPCG(seed, 2))
	loops := [][]uint16{{232, 0, 1, 3}, {232, 45, 20, 257, 5, 40, 3, 232}, {202, 202, 39}, {0, 1, 0, 1, 7}, {228, 230}}
	rows := make([]Sequence, n)
	chunks := map[int32]int64{}
	now := int64(startNS)
	for i := range rows {
		now += int64(r.ExpFloat64() * 1_000_000)
		tid := int32(4000 + r.IntN(40))
		loop := loops[int(tid)%len(loops)]
		calls := make([]uint16, 20+r.IntN(108))
		for j := range calls {
			if calls[j] = loop[j%len(loop)]; r.IntN(12) == 0 {
				calls[j] = uint16(r.IntN(330))
			}
		}
		rows[i] = Sequence{TimeNS: now, BootNS: now - startNS + 5_000_000_000, SpanNS: int64(r.IntN(1_000_000)),
			ContainerID: containerID(int(tid) % 4), CgroupID: uint64(5000 + tid%4), PID: tid &^ 3, TID: tid,
			StartNS: int64(tid) * 1_000_000, Comm: "nginx", Chunk: chunks[tid], Calls: calls}
		chunks[tid]++
	}
	return rows
}

// writeTrace writes the rows into dir and closes it.
func writeTrace(t testing.TB, dir, host string, events []Event, sequences []Sequence) {
	t.Helper()
	w, err := NewWriter(dir, testMeta(host), WriterOptions{GroupRows: 5000})
	if err != nil {
		t.Fatal(err)
	}
	for err := range map[error]bool{w.Events(events): true, w.Sequences(sequences): true, w.Close(): true} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// scanRows reads a whole table back.
func scanRows[T Event | Sequence | Process | Container | Loss](t testing.TB, tr *Trace, table Table, batch int) []T {
	t.Helper()
	var all []T
	for rec, err := range tr.Scan(context.Background(), table, ScanOptions{BatchRows: batch}) {
		if err != nil {
			t.Fatal(err)
		}
		rows, err := Rows[T](rec)
		if err != nil {
			t.Fatal(err)
		}
		rec.Release()
		all = append(all, rows...)
	}
	return all
}

package feature

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"mayfly/trace"
)

// benchRows is a trace like that of a busy service: per 8 sequences of a hundred
// calls one opened file.
func benchRows(b *testing.B, n int) *trace.Trace {
	r := rand.New(rand.NewPCG(3, 4))
	loop := calls(b, "epoll_wait accept4 recvfrom openat fstat read sendto close close")
	var events []trace.Event
	var sequences []trace.Sequence
	for i := range n {
		ms := float64(i) * 10
		if i%8 == 0 {
			events = append(events, event(idA, ms, trace.FileOpen, func(e *trace.Event) {
				e.Path, e.Flags = fmt.Sprintf("/var/www/%d.html", r.IntN(500)), new(int64(0))
			}))
		}
		run := make([]uint16, 100)
		at := r.IntN(len(loop))
		for j := range run {
			run[j] = loop[(at+j)%len(loop)]
		}
		sequences = append(sequences, seq([]string{idA, idB}[i%2], ms, 40, int32(i%16), int64(i/16), run))
	}
	return writeTrace(b, func(w *trace.Writer) error { return w.Events(events) },
		func(w *trace.Writer) error { return w.Sequences(sequences) })
}

func BenchmarkWindower(b *testing.B) {
	tr := benchRows(b, 20000)
	b.ReportAllocs()
	rows := int64(0)
	for b.Loop() {
		w, err := NewWindower(WindowerOptions{}, func(*Window) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		for row, err := range trace.Merge(context.Background(), tr) {
			if err != nil {
				b.Fatal(err)
			}
			if err := w.Add(row); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		rows += w.Report().Rows
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkLearn(b *testing.B) {
	rec := record(b, benchWindows(4096))
	for b.Loop() {
		if _, err := Learn(context.Background(), records(rec), LearnOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(4096*float64(b.N)/b.Elapsed().Seconds(), "windows/s")
}

func BenchmarkEncode(b *testing.B) {
	rec := record(b, benchWindows(4096))
	s, err := Learn(context.Background(), records(rec), LearnOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		out, err := s.NewEncoder().Encode(rec)
		if err != nil {
			b.Fatal(err)
		}
		out.Release()
	}
	b.ReportMetric(4096*float64(b.N)/b.Elapsed().Seconds(), "windows/s")
}

// benchWindows have 40 calls, 200 trigrams and 20 items each.
func benchWindows(n int) []Window {
	r := rand.New(rand.NewPCG(5, 6))
	all := make([]Window, n)
	for i := range all {
		w := &all[i]
		*w = Window{ContainerID: fmt.Sprint("c", i%8), Workload: "web", StartNS: int64(i/8) * 1e9, WidthNS: 1e9}
		for c := range 40 {
			w.Calls, w.CallCounts = append(w.Calls, trace.Call(c*5)), append(w.CallCounts, uint32(1+r.IntN(50)))
		}
		for t := range 200 {
			w.Trigrams, w.TrigramCounts = append(w.Trigrams, uint32(t*7919)), append(w.TrigramCounts, uint32(1+r.IntN(9)))
		}
		for k := range 20 {
			w.Items, w.ItemCounts = append(w.Items, fmt.Sprintf("read /var/lib/app/file-%02d", k)), append(w.ItemCounts, 1)
		}
	}
	return all
}

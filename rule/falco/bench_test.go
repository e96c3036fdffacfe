package falco

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mayfly/trace"
)

// hundred are 114 rules: the constructs that people use, six times, with another
// name and other values each time.
func hundred(b *testing.B) string {
	content, err := os.ReadFile(filepath.Join("testdata", "constructs.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	head, rules, _ := strings.Cut(string(content), "\n- rule:")
	var out strings.Builder
	out.WriteString(head)
	for i := range 6 {
		out.WriteString(strings.NewReplacer("- rule: ", fmt.Sprintf("- rule: %d ", i), "/etc/", fmt.Sprintf("/etc%d/", i), "/var/", fmt.Sprintf("/var%d/", i),
			"443", fmt.Sprint(443+i), "cron", fmt.Sprintf("cron%d", i), "S_ISUID", fmt.Sprintf("S_ISUID%d", i)).Replace("\n- rule:" + rules))
	}
	return out.String()
}

// demoRows are the events of the demo's recording.
func demoRows(b *testing.B) (rows []trace.Row, containers map[string]trace.Container, tr *trace.Trace) {
	tr, err := trace.Open(filepath.Join("..", "..", "datasets", "demo", "trace"))
	if err != nil {
		b.Fatal(err)
	}
	if containers, err = tr.Containers(context.Background()); err != nil {
		b.Fatal(err)
	}
	files := tr.Files(trace.Events)
	for f := range files {
		n := int64(0)
		for rec, err := range tr.Scan(context.Background(), trace.Events, trace.ScanOptions{Files: files[f : f+1]}) {
			if err != nil {
				b.Fatal(err)
			}
			view, err := trace.ViewEvents(rec)
			if err != nil {
				b.Fatal(err)
			}
			for i := range view.Len() {
				rows = append(rows, trace.Row{TimeNS: view.TimeNS(i), Event: view, Index: i, File: &files[f], FileRow: n})
				n++
			}
		}
	}
	return rows, containers, tr
}

// BenchmarkRules runs a file of 114 rules over real events in memory.
func BenchmarkRules(b *testing.B) {
	p := compile(b, hundred(b))
	rows, containers, tr := demoRows(b)
	b.ReportAllocs()
	hits, begin := 0, processorTime()
	for b.Loop() {
		w := NewWatch(p)
		if err := w.Running(context.Background(), tr); err != nil {
			b.Fatal(err)
		}
		scopes := map[string]*Scope{}
		for i := range rows {
			id := rows[i].Event.ContainerID(rows[i].Index)
			s := scopes[id]
			if s == nil {
				c := containers[id]
				s = w.Scope(&c)
				scopes[id] = s
			}
			hits += len(w.Row(&rows[i], s))
		}
	}
	b.ReportMetric(float64(len(rows)*b.N)/(processorTime()-begin).Seconds(), "events/cpu-s")
	b.ReportMetric(float64(hits)/float64(len(rows)*b.N), "hits/event")
	b.ReportMetric(float64(len(p.Rules)), "rules")
}

// processorTime is what the process has used: other work on the machine does not
// count.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCompile is what 114 rules cost before the first event.
func BenchmarkCompile(b *testing.B) {
	text := hundred(b)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		compile(b, text)
	}
}

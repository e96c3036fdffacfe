package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mayfly/trace"
)

// noRows is a rowTaker that drops all rows: for the decoder alone.
type noRows struct{}

func (noRows) event(origin, *trace.Event) error         { return nil }
func (noRows) sequence(origin, *trace.Sequence) error   { return nil }
func (noRows) process(origin, *trace.Process) error     { return nil }
func (noRows) container(origin, *trace.Container) error { return nil }
func (noRows) loss(origin, *trace.Loss) error           { return nil }

// tetragonLines is the samples as Tetragon writes them, one on each line, over and
// over again.
func tetragonLines(b testing.TB, size int) []byte {
	sampleFile(b, "fixtures/SOURCE.txt")
	files, _ := filepath.Glob("../../shared/datasets/fixtures/tetragon/*.json")
	var once, all bytes.Buffer
	for _, file := range files {
		dec := json.NewDecoder(bytes.NewReader(sampleFile(b, "fixtures/tetragon/"+filepath.Base(file))))
		for {
			var raw json.RawMessage
			if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			if err := json.Compact(&once, raw); err != nil {
				b.Fatal(err)
			}
			once.WriteByte('\n')
		}
	}
	for all.Len() < size {
		all.Write(once.Bytes())
	}
	return all.Bytes()
}

// benchSource measures a source without what writes its rows. encoding/json, which
// is what a user would take, is measured beside it, into structs of the same fields.
func benchSource[T any](b *testing.B, src Source, content []byte) {
	b.Run("rows", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		b.ReportAllocs()
		before := processorTime()
		defer func() {
			b.ReportMetric(float64(b.N)*float64(len(content))/1e6/(processorTime()-before).Seconds(), "MB/cpu-s")
		}()
		for b.Loop() {
			in := &Input{Name: "bench", Reader: bytes.NewReader(content), Limits: DefaultLimits()}
			sink := &Sink{rows: noRows{}, quarantine: newQuarantine(), format: src.Format(), limits: in.Limits, machines: map[string]Machine{}}
			if err := src.Read(context.Background(), in, sink); err != nil || sink.count.Rejected > 0 {
				b.Fatal(err, sink.count.Rejected)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		before := processorTime()
		defer func() {
			b.ReportMetric(float64(b.N)*float64(len(content))/1e6/(processorTime()-before).Seconds(), "MB/cpu-s")
		}()
		for b.Loop() {
			for line := range bytes.Lines(content) {
				var v T
				if err := json.Unmarshal(line, &v); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("duckdb", func(b *testing.B) { // read_json, its schema by what it finds
		ask := duckDB(b)
		path := filepath.Join(b.TempDir(), "lines.jsonl")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			b.Fatal(err)
		}
		var used time.Duration
		for b.Loop() {
			used += ask("SELECT count(*), sum(hash(findings)) FROM findings", path)
		}
		b.ReportMetric(float64(b.N)*float64(len(content))/1e6/used.Seconds(), "MB/cpu-s")
	})
	b.Run("trace", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			in := &Input{Name: "bench", Reader: bytes.NewReader(content), Limits: DefaultLimits()}
			st := newStage(b.TempDir(), "bench", 100)
			sink := &Sink{rows: st, quarantine: newQuarantine(), format: src.Format(), limits: in.Limits, machines: map[string]Machine{}}
			if err := errors.Join(src.Read(context.Background(), in, sink), st.close()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// processorTime is what this process has used: on a shared machine the wall clock
// says little.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkTetragon(b *testing.B) {
	type process struct {
		ExecID    string `json:"exec_id"`
		ParentID  string `json:"parent_exec_id"`
		PID       int32
		UID       int64
		CWD       string
		Binary    string
		Arguments string
		Flags     string
		StartTime string `json:"start_time"`
		Docker    string
		Pod       struct {
			Namespace, Name, Workload string
			Labels                    map[string]string `json:"pod_labels"`
			Container                 struct {
				ID, Name  string
				Image     struct{ ID, Name string }
				StartTime string `json:"start_time"`
			}
		}
	}
	type event struct {
		Process process
		Parent  struct {
			ExecID string
			PID    int32
		}
		FunctionName string `json:"function_name"`
		Args         []map[string]json.RawMessage
		Signal       string
		Status       int64
		SourceIP     string `json:"source_ip"`
		IP           string
	}
	type line struct {
		Exec    *event `json:"process_exec"`
		Exit    *event `json:"process_exit"`
		Kprobe  *event `json:"process_kprobe"`
		Connect *event `json:"process_connect"`
		Listen  *event `json:"process_listen"`
		Node    string `json:"node_name"`
		Time    string
	}
	benchSource[line](b, Tetragon{}, tetragonLines(b, 32<<20))
}

// repeated is those lines of a sample that a source has no fault to find with, over
// and over again.
func repeated(b *testing.B, src Source, path string, size int) []byte {
	b.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var once, all bytes.Buffer
	for line := range bytes.Lines(content) {
		if bytes.Contains(line, []byte(`\ud`)) { // DuckDB ends at half a surrogate pair
			continue
		}
		in := &Input{Name: "line", Reader: bytes.NewReader(line), Limits: DefaultLimits()}
		sink := &Sink{rows: noRows{}, quarantine: newQuarantine(), format: src.Format(), limits: in.Limits, machines: map[string]Machine{}}
		if err := src.Read(context.Background(), in, sink); err == nil && sink.count.Rejected == 0 && sink.count.Rows > 0 {
			once.Write(line)
		}
	}
	for all.Len() < size {
		all.Write(once.Bytes())
	}
	return all.Bytes()
}

func BenchmarkFalco(b *testing.B) {
	type line struct {
		Hostname string
		Rule     string
		Source   string
		Time     string
		Fields   map[string]any `json:"output_fields"`
	}
	benchSource[line](b, Falco{}, repeated(b, Falco{}, "testdata/falco/alerts.jsonl", 32<<20))
}

func BenchmarkTracee(b *testing.B) {
	type line struct {
		Timestamp       json.RawMessage
		ThreadStartTime int64
		ProcessorID     int64  `json:"processorId"`
		CgroupID        int64  `json:"cgroupId"`
		HostProcessID   int32  `json:"hostProcessId"`
		HostThreadID    int32  `json:"hostThreadId"`
		HostParentID    int32  `json:"hostParentProcessId"`
		UserID          int64  `json:"userId"`
		ProcessName     string `json:"processName"`
		ContainerID     string `json:"containerId"`
		ContainerName   string `json:"containerName"`
		ContainerImage  string `json:"containerImage"`
		PodName         string `json:"podName"`
		EventName       string `json:"eventName"`
		ReturnValue     int64  `json:"returnValue"`
		Args            []struct {
			Name  string
			Value any
		}
	}
	benchSource[line](b, Tracee{}, repeated(b, Tracee{}, "testdata/tracee/events.jsonl", 32<<20))
}

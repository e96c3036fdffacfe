package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"testing"

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
		for b.Loop() {
			for line := range bytes.Lines(content) {
				var v T
				if err := json.Unmarshal(line, &v); err != nil {
					b.Fatal(err)
				}
			}
		}
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

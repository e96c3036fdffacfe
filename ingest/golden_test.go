package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

var update = flag.Bool("update", false, "write the goldens anew")

// textRows is a rowTaker that writes every row as a line: the host, the table, and
// the columns that are not null and not 0.
type textRows struct {
	bytes.Buffer
	n int
}

func (r *textRows) event(o origin, e *trace.Event) error { return addText(r, o, trace.Events, e) }
func (r *textRows) sequence(o origin, s *trace.Sequence) error {
	return addText(r, o, trace.Sequences, s)
}
func (r *textRows) process(o origin, p *trace.Process) error {
	return addText(r, o, trace.Processes, p)
}
func (r *textRows) container(o origin, c *trace.Container) error {
	return addText(r, o, trace.Containers, c)
}
func (r *textRows) loss(o origin, l *trace.Loss) error { return addText(r, o, trace.Losses, l) }

func addText[T row](r *textRows, o origin, table trace.Table, row *T) error {
	fmt.Fprintf(r, "%s %s", table, o.host)
	if o.machine != (Machine{}) {
		fmt.Fprintf(r, " %+v", o.machine)
	}
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		if field.IsZero() {
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("parquet"), ",")
		text, err := json.Marshal(field.Interface())
		if err != nil {
			return err
		}
		fmt.Fprintf(r, " %s=%s", name, text)
	}
	r.n++
	r.WriteByte('\n')
	return nil
}

// readAll reads content with a source, as ingest would, and returns the rows as
// text, what was counted and the quarantine.
func readAll(src Source, in Input, content []byte) (rows string, report FileReport, rejected string, err error) {
	in.Reader, in.Limits = bytes.NewReader(content), in.Limits.orDefaults()
	if _, ok := src.(RandomAccess); ok {
		in.File, in.Size = bytes.NewReader(content), int64(len(content))
	}
	out := &textRows{}
	sink := &Sink{rows: out, quarantine: newQuarantine(), format: src.Format(), name: in.Name, limits: in.Limits,
		machines: map[string]Machine{}}
	err = src.Read(context.Background(), &in, sink)
	sink.count.Waiting = 0
	if sink.marked {
		sink.count.Waiting = int64(len(content)) - sink.mark
	}
	return out.String(), sink.report(), sink.quarantine.lines.String(), err
}

// golden compares the rows of a file, what was counted of it and what was
// rejected with testdata/<golden>, and writes that with -update.
func golden(t *testing.T, src Source, in Input, content []byte, golden string) {
	t.Helper()
	rows, report, rejected, err := readAll(src, in, content)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s\nrows %d, rejected %d, waiting %d bytes, unmapped %v\n%s", rows, report.Rows, report.Rejected,
		report.Waiting, report.Unmapped, rejected)
	path := filepath.Join("testdata", golden)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// fuzzSource is the body of a fuzz target of a source: whatever the bytes are, it
// ends without a panic, no row has a text longer than the limit, and what it
// marked lies inside of the input.
func fuzzSource(t *testing.T, src Source, content []byte) {
	limits := Limits{LineBytes: 1 << 16, StringBytes: 1 << 12, Records: 1 << 16}
	_, report, _, err := readAll(src, Input{Name: "fuzz", Limits: limits}, content)
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("error of more than one line: %q", err)
	}
	if report.Waiting < 0 || report.Waiting > int64(len(content)) {
		t.Errorf("marked outside of the input: %d bytes wait of %d", report.Waiting, len(content))
	}
}

// sampleFile returns a file of ../shared/datasets, or skips.
func sampleFile(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../shared/datasets", name))
	if err != nil {
		if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
			t.Fatal(err)
		}
		t.Skipf("the sample is not beside the repository: %v", err)
	}
	return content
}

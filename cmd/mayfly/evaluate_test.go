package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/detector"
	"mayfly/evaluate"
	"mayfly/feature"
	"mayfly/trace"
)

// evaluateFixture writes a detector that learned from three web servers, windows
// of a fourth in which a shell runs, and the labels that say when.
func evaluateFixture(t *testing.T) (detectorPath, featuresPath, labelsPath string) {
	t.Helper()
	dir := t.TempDir()
	detectorPath, featuresPath, labelsPath = filepath.Join(dir, "web.mayfly"), filepath.Join(dir, "features.parquet"), filepath.Join(dir, "labels.csv")
	random := rand.New(rand.NewPCG(1, 2))
	out, err := feature.CreateFile(featuresPath)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		c := i % 4
		w := feature.Window{
			Host: "host", ContainerID: fmt.Sprintf("%064x", c+1), ContainerName: fmt.Sprintf("web-%d", c+1), Workload: "web",
			StartNS: int64(i/4) * 1e9, WidthNS: 1e9,
			Calls: []trace.Call{0, 1}, CallCounts: []uint32{uint32(20 + random.IntN(9)), uint32(10 + random.IntN(9))},
		}
		if c == 3 && i/4 >= 50 && i/4 < 53 {
			w.Calls, w.CallCounts = []trace.Call{0, 1, 56, 59, 61}, []uint32{20, 10, 3, 2, 2}
			w.Items, w.ItemCounts = []string{"exec /bin/sh"}, []uint32{1}
		}
		if err := out.Append(&w); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(&feature.Provenance{WidthNS: 1e9}); err != nil {
		t.Fatal(err)
	}
	in, err := feature.OpenFile(featuresPath)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	opts := detector.DefaultOptions()
	opts.Budget, opts.Forest.NEstimators = detector.Budget{FalsePositiveRate: 0.01}, 20
	d, err := detector.Fit(t.Context(), detector.Training{Windows: func(ctx context.Context) iter.Seq2[arrow.Record, error] {
		return feature.Filter(in.Windows(ctx), func(w *feature.Window) bool { return w.ContainerName != "web-4" })
	}}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Save(detectorPath); err != nil {
		t.Fatal(err)
	}
	labels := "container,from,to,attack\nweb-4,1970-01-01T00:00:50Z,1970-01-01T00:00:52.9Z,a shell\n"
	if err := os.WriteFile(labelsPath, []byte(labels), 0o644); err != nil {
		t.Fatal(err)
	}
	return detectorPath, featuresPath, labelsPath
}

func TestEvaluateCommand(t *testing.T) {
	detectorPath, featuresPath, labelsPath := evaluateFixture(t)
	dir := filepath.Join(t.TempDir(), "report")
	var stdout, stderr bytes.Buffer
	args := []string{"evaluate", detectorPath, featuresPath, "--labels", labelsPath, "-o", dir, "--aftermath", "10s"}
	if status := run(t.Context(), args, nil, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("status %d\n%s%s", status, stderr.String(), stdout.String())
	}
	for _, want := range []string{"attacks found", "1 of 1", "a shell", "300 learned from (left out)", "10 of aftermath (left out)"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("table lacks %q:\n%s", want, stdout.String())
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report evaluate.Report
	if err := json.Unmarshal(raw, &report); err != nil || report.Found != 1 || report.Windows.Normal != 87 {
		t.Errorf("report.json: got %d found, %d normal windows, %v", report.Found, report.Windows.Normal, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || !bytes.Contains(page, []byte("a shell")) {
		t.Errorf("report.html: %d bytes, %v", len(page), err)
	}

	// JSON on stdout is what the file holds, at any number of threads.
	stdout.Reset()
	if status := run(t.Context(), append(args, "--format", "json", "--threads", "1"), nil, &stdout, &stderr); status != 0 || !bytes.Equal(stdout.Bytes(), raw) {
		t.Errorf("--format json: status %d, %d bytes, want the %d of report.json\n%s", status, stdout.Len(), len(raw), stderr.String())
	}
}

func TestEvaluateCommandWithoutLabels(t *testing.T) {
	detectorPath, featuresPath, _ := evaluateFixture(t)
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"evaluate", detectorPath, featuresPath}, nil, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d\n%s", status, stderr.String())
	}
	if !strings.Contains(stdout.String(), "note: no labels: every window is taken as normal") {
		t.Errorf("table: got\n%s", stdout.String())
	}
}

package object_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/object"
)

// mayfly builds both programs side by side.
func mayfly(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range []struct{ in, what string }{{"..", "./cmd/mayfly"}, {".", "./mayfly-object"}} {
		build := exec.Command("go", "build", "-o", dir, p.what)
		build.Dir = p.in
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v: %s", p.what, err, text)
		}
	}
	return filepath.Join(dir, "mayfly")
}

// falcoAlerts is n alerts of Falco, from number from on.
func falcoAlerts(from, n int) []byte {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, `{"hostname":"node-1","output":"o","priority":"Notice","rule":"R","source":"syscall","time":"2026-01-01T00:00:%02d.%09dZ",`+
			`"output_fields":{"container.id":"0a0a0a0a0a0a","container.name":"web","evt.type":"openat","fd.name":"/data/%d","proc.pid":7,"proc.name":"cat"}}`+"\n",
			i/1000%60, i, i)
	}
	return []byte(b.String())
}

// The whole way: alerts in a bucket become a trace, once; the trace, put into the
// bucket, becomes features.
func TestIngest(t *testing.T) {
	server := startServer(t)
	program := mayfly(t)
	credentials(t)
	s := object.NewStore()
	defer func() { _ = s.Close() }()
	work := t.TempDir()
	run := func(status int, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = work
		text, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != status {
			t.Errorf("mayfly %s: got status %d (%v), want %d: %s", strings.Join(args, " "), got, err, status, text)
		}
		return string(text)
	}
	expect := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("got %q, want %q", text, want)
		}
	}
	put(t, s, server.url("falco/1.json"), falcoAlerts(0, 500))
	put(t, s, server.url("falco/2.json"), falcoAlerts(500, 500))
	expect(run(0, "ingest", server.url("falco/"), "--trace", "t", "-o", "a.parquet"), "took 1002 rows from 2 files\n") // and the container, by file
	expect(run(0, "ingest", server.url("falco/"), "--trace", "t"), "took 0 rows from 0 files, 2 were taken before")
	put(t, s, server.url("falco/2.json"), falcoAlerts(500, 700))
	expect(run(0, "ingest", server.url("falco"), "--trace", "t", "-o", "b.parquet"), "took 201 rows from 1 files, 1 were taken before")

	err := filepath.WalkDir(filepath.Join(work, "t"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil {
			rel, _ := filepath.Rel(work, path)
			put(t, s, server.url(strings.ReplaceAll(rel, "=", "%3D")), content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	run(0, "ingest", server.url("t"), "-o", "c.parquet")
	b, err := os.ReadFile(filepath.Join(work, "b.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := os.ReadFile(filepath.Join(work, "c.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != string(c) {
		t.Error("features of the trace in the bucket are others than those of the trace here")
	}

	// What goes wrong is one line each, and the others come.
	expect(run(1, "ingest", "s3://nowhere/a"+server.query, "--trace", "u"), "mayfly: s3://nowhere/a"+server.query+": no such bucket\n")
	expect(run(3, "ingest", "s3://nowhere/a"+server.query, server.url("falco/1.json"), "--skip-bad", "--trace", "u"), "no such bucket\n")
	server.cut.Store(100)
	if text := run(1, "ingest", server.url("falco/1.json"), "--trace", "v"); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "mayfly: s3://logs/falco/1.json") {
		t.Errorf("a network that is cut: got %q, want one line", text)
	}
	server.cut.Store(0)
	expect(run(0, "ingest", server.url("falco/"), "--trace", "v"), "rows from 2 files")
}

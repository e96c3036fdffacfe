package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fleet is a folder with the traces of two days and what mayfly makes of them on one
// machine.
var fleet = sync.OnceValue(func() string { return filepath.Join(os.Getenv(insideEnv), "fleet.d") })

func needFleet(t *testing.T) string {
	t.Helper()
	needEngine(t)
	dir := fleet()
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return dir
	} else if err != nil {
		t.Fatal(err)
	}
	must(t, dir, "fleet", "-o", "monday", "-hosts", "5", "-containers", "4", "-minutes", "2", "-rotate", "1")
	must(t, dir, "fleet", "-o", "tuesday", "-hosts", "4", "-containers", "4", "-minutes", "2", "-seed", "2", "-attacked", "2")
	must(t, dir, "mayfly", "ingest", "monday", "-o", "features.parquet")
	must(t, dir, "mayfly", "ingest", "monday", "tuesday", "-o", "both.parquet", "--width", "2s", "--lateness", "0s", "--host-too")
	must(t, dir, "mayfly", "train", "features.parquet", "-o", "all.mayfly", "--seed", "7")
	must(t, dir, "mayfly", "train", "features.parquet", "-o", "some.mayfly", "--seed", "7", "--max-workload-windows", "100", "--fpr", "0.01")
	must(t, dir, "mayfly", "replay", "all.mayfly", "tuesday", "-o", "findings.jsonl")
	must(t, dir, "mayfly", "replay", "some.mayfly", "tuesday", "-o", "findings.sarif", "--format", "sarif")
	if n := bytes.Count(content(t, dir, "findings.jsonl"), []byte("\n")); n < 2 {
		t.Fatalf("%d findings: two hosts are attacked", n)
	}
	if bytes.Equal(content(t, dir, "all.mayfly"), content(t, dir, "some.mayfly")) {
		t.Fatal("a sample of the windows gives the detector of all")
	}
	return dir
}

func content(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// same compares what is at a place with a file of the fleet.
func same(t *testing.T, place, dir, want string) {
	t.Helper()
	err := withInput(t.Context(), place, func(path string) error {
		got, err := os.ReadFile(path)
		if err == nil && !bytes.Equal(got, content(t, dir, want)) {
			err = errors.New("is not, byte for byte, what mayfly makes on one machine: " + want)
		}
		return err
	})
	if err != nil {
		t.Errorf("%s: %v", place, err)
	}
}

// TestSameBytes is the promise: each pipeline's output is that of the command on one
// machine, over paths.
func TestSameBytes(t *testing.T) {
	dir, out := needFleet(t), t.TempDir()
	at := func(name string) string { return filepath.Join(out, name) }
	o := must(t, dir, "mayfly-beam", onPrism(t, "ingest", "monday", "-o", at("features.parquet"))...)
	if !strings.Contains(o.stderr, "of 5 hosts") {
		t.Errorf("says %q, want the number of hosts", o.stderr)
	}
	same(t, at("features.parquet"), dir, "features.parquet")
	must(t, dir, "mayfly-beam", onPrism(t, "ingest", "monday", "file://"+filepath.Join(dir, "tuesday"), "-o", at("both.parquet"), "--width", "2s", "--lateness", "0s", "--host-too")...)
	same(t, at("both.parquet"), dir, "both.parquet")
	must(t, dir, "mayfly-beam", onPrism(t, "train", "features.parquet", "-o", at("all.mayfly"), "--seed", "7")...)
	same(t, at("all.mayfly"), dir, "all.mayfly")
	must(t, dir, "mayfly-beam", onPrism(t, "train", "features.parquet", "-o", at("some.mayfly"), "--seed", "7", "--max-workload-windows", "100", "--fpr", "0.01")...)
	same(t, at("some.mayfly"), dir, "some.mayfly")
	o = execute(t, dir, "mayfly-beam", onPrism(t, "replay", "all.mayfly", "tuesday", "-o", at("findings.jsonl"), "--exit-code", "17")...)
	if o.status != 17 {
		t.Errorf("exit status %d, want 17: %s", o.status, o.stderr)
	}
	same(t, at("findings.jsonl"), dir, "findings.jsonl")
	o = must(t, dir, "mayfly-beam", onPrism(t, "replay", "some.mayfly", "tuesday", "--format", "sarif", "--staging", out)...)
	if o.stdout != string(content(t, dir, "findings.sarif")) {
		t.Error("SARIF on stdout is not what mayfly makes on one machine")
	}
	onlyThere(t, out, "features.parquet", "both.parquet", "all.mayfly", "some.mayfly", "findings.jsonl")
}

// onlyThere checks that nothing is left in a folder but what was asked for.
func onlyThere(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, name := range names {
		want[name] = true
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("%s is left in %s", e.Name(), dir)
		}
	}
}

// TestObjects is the same over an S3 server: traces, features, detector and findings
// are objects, and so is what passes between the workers.
func TestObjects(t *testing.T) {
	dir := needFleet(t)
	for _, day := range []string{"monday", "tuesday"} {
		upload(t, filepath.Join(dir, day), day)
	}
	staged := []string{"--staging", s3("staging/")}
	must(t, dir, "mayfly-beam", onPrism(t, append(staged, "ingest", s3("monday/"), "-o", s3("out/features.parquet"))...)...)
	same(t, s3("out/features.parquet"), dir, "features.parquet")
	must(t, dir, "mayfly-beam", onPrism(t, append(staged, "train", s3("out/features.parquet"), "-o", s3("out/some.mayfly"), "--seed", "7", "--max-workload-windows", "100", "--fpr", "0.01")...)...)
	same(t, s3("out/some.mayfly"), dir, "some.mayfly")
	must(t, dir, "mayfly-beam", onPrism(t, append(staged, "replay", s3("out/some.mayfly"), s3("tuesday"), "--format", "sarif", "-o", s3("out/findings.sarif"))...)...)
	same(t, s3("out/findings.sarif"), dir, "findings.sarif")
	for info, err := range objects.List(t.Context(), s3("staging/")) {
		if err == nil {
			t.Errorf("%s is left", info.URL)
		}
	}
	o := execute(t, dir, "mayfly-beam", onPrism(t, append(staged, "ingest", s3("nothing/"), "-o", s3("out/none.parquet"))...)...)
	if o.status != 1 || !strings.Contains(o.stderr, "no such object, and none below it") {
		t.Errorf("a trace that is not there: exit status %d: %s", o.status, o.stderr)
	}
}

func upload(t *testing.T, dir, key string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return send(t.Context(), path, s3(key+"/"+filepath.ToSlash(rel)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamaged wants one line that names the file and the cause, and nothing half done.
func TestDamaged(t *testing.T) {
	dir, work := needFleet(t), t.TempDir()
	if err := os.CopyFS(filepath.Join(work, "trace"), os.DirFS(filepath.Join(dir, "monday"))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(work, "trace/events/host=*/*/*.parquet"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	whole, err := os.ReadFile(files[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[2], whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	o := execute(t, work, "mayfly-beam", onPrism(t, "ingest", "trace", "-o", filepath.Join(work, "features.parquet"))...)
	if o.status != 1 || !strings.HasPrefix(o.stderr, "mayfly-beam: "+files[2]+": truncated Parquet") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("exit status %d, says %q", o.status, o.stderr)
	}
	upload(t, filepath.Join(work, "trace"), "damaged")
	o = execute(t, work, "mayfly-beam", onPrism(t, "ingest", s3("damaged"), "-o", filepath.Join(work, "features.parquet"))...)
	rel, _ := filepath.Rel(filepath.Join(work, "trace"), files[2])
	if o.status != 1 || !strings.HasPrefix(o.stderr, "mayfly-beam: s3://logs/damaged/"+filepath.ToSlash(rel)+": truncated Parquet") {
		t.Errorf("exit status %d, says %q", o.status, o.stderr)
	}
	local := execute(t, work, "mayfly", "replay", filepath.Join(dir, "all.mayfly"), "trace", "-o", "local.jsonl")
	o = execute(t, work, "mayfly-beam", onPrism(t, "replay", filepath.Join(dir, "all.mayfly"), "trace", "-o", "findings.jsonl")...)
	if o.status != 3 || local.status != 3 || !strings.Contains(o.stderr, "left out: "+files[2]) {
		t.Errorf("exit status %d, want that of mayfly, %d, and 3: %s", o.status, local.status, o.stderr)
	}
	same(t, filepath.Join(work, "findings.jsonl"), work, "local.jsonl")
	onlyThere(t, work, "trace", "local.jsonl", "findings.jsonl")
	all, err := filepath.Glob(filepath.Join(work, "trace/*/host=*/*/*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
	}
	local = execute(t, work, "mayfly", "replay", filepath.Join(dir, "all.mayfly"), "trace", "-o", "no.jsonl")
	o = execute(t, work, "mayfly-beam", onPrism(t, "replay", filepath.Join(dir, "all.mayfly"), "trace", "-o", "no.jsonl")...)
	if o.status != 1 || local.status != 1 || !strings.HasPrefix(o.stderr, "mayfly-beam: none of ") {
		t.Errorf("no file can be read: exit status %d, want that of mayfly, %d, and 1: %s", o.status, local.status, o.stderr)
	}
	onlyThere(t, work, "trace", "local.jsonl", "findings.jsonl")
}

// TestKilledWorker kills the worker in the middle: on Prism that is the end of the job.
// Nothing half-written is left, and the next run is as if nothing had been.
func TestKilledWorker(t *testing.T) {
	dir, work := needFleet(t), t.TempDir()
	output := filepath.Join(work, "features.parquet")
	killed, before := make(chan int, 1), workerPID()
	go func() {
		for range 3000 {
			parts, _ := filepath.Glob(filepath.Join(work, ".mayfly-beam-*", "part-*"))
			if pid := workerPID(); pid > before && len(parts) > 0 {
				if process, err := os.FindProcess(pid); err == nil && process.Kill() == nil {
					killed <- pid
					return
				}
			}
			time.Sleep(5 * time.Millisecond)
		}
		killed <- 0
	}()
	o := execute(t, dir, "mayfly-beam", onPrism(t, "ingest", "monday", "-o", output)...)
	if <-killed == 0 {
		t.Fatal("no worker was at work")
	}
	if o.status != 1 || !strings.Contains(o.stderr, "mayfly-beam: ingest: the job mayfly-ingest-") {
		t.Errorf("exit status %d, says %q", o.status, o.stderr)
	}
	onlyThere(t, work)
	must(t, dir, "mayfly-beam", onPrism(t, "ingest", "monday", "-o", output)...)
	same(t, output, dir, "features.parquet")
}

// workerPID finds the process of the youngest worker, or 0: those of earlier jobs may
// not have ended yet.
func workerPID() (youngest int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		line, err := os.ReadFile(name)
		if err == nil && bytes.Contains(line, []byte("\x00--worker=true\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			youngest = max(youngest, pid)
		}
	}
	return youngest
}

// TestInProcess is what a first try does: no endpoint, Prism in this process.
func TestInProcess(t *testing.T) {
	dir, out := needFleet(t), t.TempDir()
	must(t, dir, "mayfly-beam", "ingest", "monday", "-o", filepath.Join(out, "features.parquet"))
	same(t, filepath.Join(out, "features.parquet"), dir, "features.parquet")
}

// TestWrongUse wants exit status 2, mayfly's words, and no job.
func TestWrongUse(t *testing.T) {
	dir := programs(t)
	for _, c := range []struct{ want, line string }{
		{"requires at least 1 arg", "ingest -o x.parquet"},
		{`required flag(s) "output" not set`, "ingest trace"},
		{"ingest: --width: got 1µs, want 1ms to 24h", "ingest trace -o x.parquet --width 1us"},
		{"train: --fpr: want more than 0", "train x.parquet -o x.mayfly --fpr 0"},
		{"replay: --since \"soon\"", "replay x.mayfly trace -o x.jsonl --since soon"},
		{"--staging: want a folder", "train x.parquet -o s3://bucket/x.mayfly"},
		{"unknown flag: --state", "replay x.mayfly trace --state x"},
	} {
		args := strings.Fields(c.line)
		beam := execute(t, dir, "mayfly-beam", args...)
		if beam.status != 2 || !strings.Contains(beam.stderr, c.want) {
			t.Errorf("%s: exit status %d: %s", c.line, beam.status, beam.stderr)
		}
	}
}

package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/trace"
)

// The test's own program stands in for mayfly where another process is wanted.
const childEnv = "MAYFLY_INGEST_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "checks":
		if err := ServeChecks(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "objects":
		if err := serveObjects(os.Getenv(storeEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "convert":
		if err := convertChild(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func testChecker(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = []string{childEnv + "=checks"}
	return cmd
}

// glutton writes a small file of a trace whose one record is 480 MiB in memory.
func glutton(t *testing.T, dir string) string {
	t.Helper()
	w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Arch: "amd64", Source: "test"}, trace.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := "/" + strings.Repeat("g", 60<<10)
	for i := range 16 {
		rows := make([]trace.Event, 512)
		for k := range rows {
			rows[k] = trace.Event{TimeNS: t0 + int64(i*512+k), Kind: string(trace.FileOpen), ContainerID: id, Path: path}
		}
		if err := w.Events(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "events", "*", "*", "*.parquet"))
	if len(files) != 1 {
		t.Fatalf("got files %v, want one", files)
	}
	return files[0]
}

// A file that kills its reader costs that file: the next is read, and this
// process lives.
func TestCheckSurvives(t *testing.T) {
	dir := t.TempDir()
	bad := glutton(t, filepath.Join(dir, "bad"))
	writeTrace(t, filepath.Join(dir, "good"), "h", 0, 20)
	out := filepath.Join(dir, "f.parquet")
	opts := Options{Output: out, SkipBad: true, Checker: testChecker, Limits: Limits{Memory: 256 << 20}}
	report, err := Run(context.Background(), []string{bad, filepath.Join(dir, "good"), filepath.Join(dir, "bad")}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if report.Traces != 1 || len(report.Bad) != 2 || !errors.Is(report.Bad[0].Err, errDied) || !errors.Is(report.Bad[1].Err, errDied) {
		t.Errorf("got %d traces, bad %v, want one trace and twice a reader that died", report.Traces, report.Bad)
	}
	for _, b := range report.Bad {
		if !strings.Contains(b.Err.Error(), bad) || strings.Contains(b.Err.Error(), "\n") {
			t.Errorf("got %q, want one line that names %s", b.Err, bad)
		}
	}
}

// A file is not blamed for what those before it did to the process that reads them.
func TestCheckBlamesNoneForOthers(t *testing.T) {
	answersOnce := func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, "sh", "-c", `read -r ask && echo '{"Kind":"trace"}' && read -r ask && exit 2`)
	}
	c := &checker{begin: answersOnce, limits: DefaultLimits()}
	defer c.end()
	for i := range 3 {
		if kind, err := c.check(t.Context(), fmt.Sprint(i)); kind != parquetTrace || err != nil {
			t.Errorf("file %d: got %q, %v, want the answer of a process of its own", i, kind, err)
		}
	}
}

// Files that are damaged at random places end with an error of one line, or are
// sound; the checker is there for the next.
func TestCheckDamaged(t *testing.T) {
	dir := t.TempDir()
	writeTrace(t, filepath.Join(dir, "t"), "h", 0, 20)
	files, _ := filepath.Glob(filepath.Join(dir, "t", "events", "*", "*", "*.parquet"))
	sound, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{begin: testChecker, limits: DefaultLimits()}
	defer c.end()
	if kind, err := c.check(context.Background(), files[0]); kind != parquetTrace || err != nil {
		t.Fatalf("sound: got %q, %v", kind, err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for i := range 200 {
		b := bytes.Clone(sound)
		for range 1 + r.IntN(8) {
			b[4+r.IntN(len(b)-8)] = byte(r.Uint32())
		}
		path := write(t, filepath.Join(dir, fmt.Sprint(i)), b)
		_, err := c.check(context.Background(), path)
		if errors.Is(err, errDied) || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want another end", path, err)
		}
		if err != nil {
			refused++
		}
	}
	if refused < 50 {
		t.Errorf("%d of 200 damaged files were refused, want most", refused)
	}
}

// The process that reads cannot write files.
func TestCheckConfined(t *testing.T) {
	var l Limits
	l = l.orDefaults()
	if os.Getenv(childEnv) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=TestCheckConfined$")
		cmd.Env = []string{childEnv + "=confined", "TMPDIR=" + t.TempDir()}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	if err := confine(&l); err != nil {
		t.Fatal(err)
	}
	err := os.WriteFile(filepath.Join(os.Getenv("TMPDIR"), "x"), []byte("x"), 0o600)
	if err == nil {
		t.Error("a file was written")
	}
}

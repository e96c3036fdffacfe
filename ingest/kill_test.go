package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// convertChild is Convert of args[1:] into args[0], in many small batches.
func convertChild(args []string) error {
	_, err := Convert(context.Background(), args[1:], ConvertOptions{Trace: args[0], Sources: []Source{lineSource{}}, batchBytes: 20 << 10})
	return err
}

// killInputs makes files of all sorts that overlap in time, with some bad lines.
func killInputs(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	for i := range 24 {
		content := append(linesFile(fmt.Sprint("h", i%3), i*37, 300), "bad line\n"...)
		path := filepath.Join(dir, fmt.Sprintf("%02d.log", i))
		switch i % 4 {
		case 1:
			for name, packed := range packings(t, "x", content) {
				if name == "x.tar.gz" {
					content, path = packed, path+".tar.gz"
				}
			}
		case 2:
			content = content[:len(content)-20] // the last line waits
		}
		paths = append(paths, write(t, path, content))
	}
	return paths
}

// Killed at any time, again and again, and done once more, the trace has the same
// bytes as when nothing had happened.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	paths := killInputs(t, filepath.Join(dir, "in"))
	whole := filepath.Join(dir, "whole")
	run := func(into string, kill time.Duration) (killed bool) {
		cmd := exec.Command(os.Args[0], append([]string{into}, paths...)...)
		cmd.Env = []string{childEnv + "=convert"}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if kill > 0 {
			clock := time.AfterFunc(kill, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
			defer clock.Stop()
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && !exit.Exited() {
			return true
		}
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	began := time.Now()
	run(whole, 0)
	took := time.Since(began)
	want := tree(t, whole)
	if len(want) < 20 {
		t.Fatalf("got %d files, want many batches", len(want))
	}
	r := rand.New(rand.NewPCG(7, uint64(began.UnixNano())))
	kills := 0
	for trial := range 3 {
		into := filepath.Join(dir, fmt.Sprint(trial))
		for range 20 {
			if !run(into, time.Duration(r.Int64N(int64(took)))+time.Millisecond) {
				break
			}
			kills++
		}
		run(into, 0)
		run(into, 0) // and adds nothing
		sameTree(t, want, tree(t, into))
	}
	t.Logf("killed %d times; the whole takes %v", kills, took)
	if kills == 0 {
		t.Error("no process was killed in time")
	}
}

// Each step of a commit may be the last one before a power cut.
func TestRecover(t *testing.T) {
	dir := t.TempDir()
	a := write(t, filepath.Join(dir, "a"), linesFile("h", 0, 50))
	whole := filepath.Join(dir, "whole")
	convert(t, whole, ConvertOptions{}, a)
	want := tree(t, whole)

	// The plan is there, and nothing of it is done.
	cut := filepath.Join(dir, "cut")
	stopped := errors.New("power cut")
	_, err := Convert(context.Background(), []string{a}, ConvertOptions{Trace: cut, Sources: []Source{lineSource{}},
		cut: func() error { return stopped }})
	if !errors.Is(err, stopped) {
		t.Fatalf("got %v, want it stopped", err)
	}
	// One of its files has its name, and the ledger a line that was cut.
	p := filepath.Join(cut, workFolder)
	if _, err := os.Stat(filepath.Join(p, planName)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(cut, LedgerName), []byte(`{"batch":1,"num`))
	if c := convert(t, cut, ConvertOptions{}, a); c.Known != 1 || c.Taken != 0 {
		t.Errorf("got %+v, want the file known", c)
	}
	sameTree(t, want, tree(t, cut))
}

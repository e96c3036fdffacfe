package main

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mayfly/datasets/demo"
)

var (
	replayKills  = flag.Int("replay-kills", 5, "how often TestReplayKilled kills a replay")
	replayStarts = flag.Int("replay-starts", 12, "how many replays TestReplayOverlapping starts")
)

// program is this test binary as mayfly: see TestMain.
func program(args ...string) *exec.Cmd {
	return &exec.Cmd{Path: os.Args[0], Args: append([]string{"mayfly"}, args...)}
}

// demoDetector writes the demo's recording and a detector of it into a folder.
func demoDetector(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := demo.Write(dir); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, args := range [][]string{
		{"ingest", in("trace"), "-o", in("f.parquet")},
		{"train", in("f.parquet"), "-o", in("d.mayfly"), "--labels", in("labels.csv"), "--split", "container", "--holdout", "0.5", "--fpr", "0.01"},
		{"replay", in("d.mayfly"), in("trace"), "-o", in("whole")},
	} {
		if out, err := program(args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// TestReplayKilled kills replays at random times of their run. What stands in the
// output after the next one that is let be is what an undisturbed run writes.
func TestReplayKilled(t *testing.T) {
	dir := demoDetector(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	want, err := os.ReadFile(in("whole"))
	if err != nil || len(want) == 0 {
		t.Fatalf("%d bytes, %v", len(want), err)
	}
	args := []string{"replay", in("d.mayfly"), in("trace"), "-o", in("out"), "--state", in("state")}
	begin := time.Now()
	if out, err := program(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	takes := time.Since(begin)
	rng := rand.New(rand.NewPCG(1, 2))
	finished := 0
	for i := range *replayKills {
		if i%3 == 0 { // up to three runs in a row are killed over one state
			for _, name := range []string{"out", "state"} {
				if err := os.Remove(in(name)); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
		}
		cmd := program(args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.Int64N(int64(takes))))
		_ = cmd.Process.Kill() // it may have ended
		if cmd.Wait() == nil {
			finished++
		}
		if i%3 != 2 && i != *replayKills-1 {
			continue
		}
		if out, err := program(args...).CombinedOutput(); err != nil {
			t.Fatalf("after kill %d: %v\n%s", i, err, out)
		}
		if got, err := os.ReadFile(in("out")); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("after kill %d: %d bytes (%v), want the %d of an undisturbed run", i, len(got), err, len(want))
		}
	}
	t.Logf("%d kills, %d of them too late", *replayKills, finished)
}

// TestReplayOverlapping starts replays over each other, as a cron job that takes too
// long does. One scores each file; the others are busy or find nothing to do.
func TestReplayOverlapping(t *testing.T) {
	dir := demoDetector(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"replay", in("d.mayfly"), in("trace"), "-o", in("out"), "--state", in("state")}
	var group sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	slots := make(chan struct{}, 16)
	for range *replayStarts {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			cmd := program(args...)
			out, err := cmd.CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			status := cmd.ProcessState.ExitCode()
			statuses[status]++
			if status != 0 && status != statusBusy {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	group.Wait()
	got, err := os.ReadFile(in("out"))
	want, _ := os.ReadFile(in("whole"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes (%v), want the %d of one run", len(got), err, len(want))
	}
	if statuses[0] == 0 {
		t.Errorf("statuses %v, want one run that did the work", statuses)
	}
	t.Logf("statuses: %v", statuses)
}

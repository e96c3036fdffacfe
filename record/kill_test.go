package record

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"mayfly/trace"
)

// TestKilled kills a recorder at its work: all that it had acknowledged is sealed
// by the next one, with a gap that begins at its last acknowledgement.
func TestKilled(t *testing.T) {
	mustRecord(t)
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$")
	cmd.Env = append(os.Environ(), killedDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	said := bufio.NewScanner(out)
	acknowledged(t, said, 0) // it records
	const programs = 20
	id, cgroup := fakeContainer(t)
	program := func() {
		if err := inCgroup(t, cgroup, "exit:3").Run(); err == nil {
			t.Fatal("the program ended with status 0, want 3")
		}
	}
	for range programs {
		program()
	}
	// A row that was made while the rings were read is in the batch after: one more
	// program, and what was before it must be there.
	acknowledged(t, said, time.Now().UnixNano())
	program()
	at := acknowledged(t, said, time.Now().UnixNano())
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for said.Scan() { // to the end of what it said
	}
	killed := time.Now().UnixNano()
	if _, err := trace.Open(dir); err == nil {
		t.Fatal("files were sealed before their time: this shows nothing")
	}
	checkSalvaged(t, dir, id, programs, at, killed)
}

// acknowledged waits until the recorder says that rows are on disk up to a time
// after the given one, and returns it.
func acknowledged(t *testing.T, said *bufio.Scanner, after int64) (ns int64) {
	t.Helper()
	for said.Scan() {
		if n, _ := fmt.Sscanf(said.Text(), "acknowledged %d", &ns); n == 1 && ns > after {
			return ns
		}
	}
	t.Fatal("the recorder ended by itself")
	return 0
}

// checkSalvaged begins a recording after the killed one, as a recorder does, and
// wants each program of the container, and the gap.
func checkSalvaged(t *testing.T, dir, id string, programs int, acknowledged, killed int64) {
	t.Helper()
	next, left, err := trace.OpenRecording(dir, trace.Meta{Host: "test"}, trace.RecordingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(next.Begin(), next.Close()); err != nil {
		t.Fatal(err)
	}
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]int{}
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID == id {
			events[e.Kind]++
		}
	}
	if execs, exits := events[string(trace.Exec)], events[string(trace.Exit)]; execs < programs || execs > programs+1 || exits < programs {
		t.Errorf("got %d execs, %d exits, want %d of each or one more; salvaged %+v", execs, exits, programs, left)
	}
	if len(rowsOf[trace.Sequence](t, tr, trace.Sequences)) == 0 {
		t.Errorf("no sequences; salvaged %+v", left)
	}
	checkBalance(t, tr, id) // what it had counted died with it, what it wrote is counted
	gaps := 0
	for _, l := range rowsOf[trace.Loss](t, tr, trace.Losses) {
		if l.Class != trace.LossGap {
			continue
		}
		gaps++
		if l.FromNS < acknowledged || l.FromNS > killed || l.ToNS < killed {
			t.Errorf("gap from %d to %d, want from the last acknowledgement, %d or later, to after the kill, %d", l.FromNS, l.ToNS, acknowledged, killed)
		}
	}
	if gaps != 1 {
		t.Errorf("got %d gaps, want 1", gaps)
	}
}

const killedDir = "MAYFLY_TEST_KILLED_DIR"

// TestKilledChild is the recorder that TestKilled kills.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		return // TestKilled runs it
	}
	opts := DefaultOptions()
	opts.Dir, opts.Host, opts.Rotate, opts.NoRuntime = dir, "test", time.Hour, true
	opts.Watch = func(s Status) {
		if !s.OnDisk.IsZero() {
			fmt.Println("acknowledged", s.OnDisk.UnixNano())
		}
	}
	if _, err := Run(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
}

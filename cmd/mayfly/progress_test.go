package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Where nobody reads as it is written, nothing of a bar is written.
func TestProgressIsSilentOffTerminals(t *testing.T) {
	var b bytes.Buffer
	ctx := context.Background()
	got, done := withProgress(ctx, &b, "test", 100, 1)
	done()
	planned, plan, done := withPlannedProgress(ctx, &b, "test")
	done()
	step, done := stepProgress(ctx, &b, "steps")
	done()
	input, read, planRows, done := withInputProgress(ctx, &b, "files", 5)
	done()
	waiting(ctx, &b, "query")()
	if got != ctx || planned != ctx || input != ctx || read != nil || planRows != nil || plan != nil || step != nil || b.Len() != 0 {
		t.Errorf("wrote %q", b.String())
	}
}

// On a terminal a bar says how far it is; where a run begins anew, so does its bar.
func TestProgressOnTerminals(t *testing.T) {
	defer func(after time.Duration) { progressAfter = after }(progressAfter)
	progressAfter = 0
	step := drawn(t, func(w *os.File) {
		step, done := stepProgress(t.Context(), w, "splits")
		step(1, 4)
		step(2, 4)
		time.Sleep(400 * time.Millisecond) // more than a picture's time
		done()
	})
	if !strings.Contains(step, "mayfly: 2 of 4 splits [") || !strings.Contains(step, " left") {
		t.Errorf("steps: %q", step)
	}
	input := drawn(t, func(w *os.File) {
		_, read, planned, done := withInputProgress(t.Context(), w, "ingest", 4<<20)
		read(1 << 20)
		time.Sleep(400 * time.Millisecond)
		planned(1_000)
		read(5 << 20) // counts no more
		time.Sleep(400 * time.Millisecond)
		done()
	})
	if !strings.Contains(input, "mayfly: ingest [") || !strings.Contains(input, "25 %") || !strings.Contains(input, "MiB/s") || !strings.Contains(input, "rows/s") {
		t.Errorf("files, then rows: %q", input)
	}
	if got := drawn(t, func(w *os.File) {
		done := waiting(t.Context(), w, "query")
		time.Sleep(400 * time.Millisecond)
		done()
	}); !strings.Contains(got, "mayfly: query") {
		t.Errorf("waiting: %q", got)
	}
	planned := drawn(t, func(w *os.File) {
		_, planned, done := withPlannedProgress(t.Context(), w, "replay")
		planned(10)
		planned(1_000)
		time.Sleep(400 * time.Millisecond)
		done()
	})
	if !strings.Contains(planned, "mayfly: replay [") || !strings.Contains(planned, "rows/s") {
		t.Errorf("rows: %q", planned)
	}
}

// drawn is what draw writes to a terminal 100 columns wide.
func drawn(t *testing.T, draw func(*os.File)) string {
	t.Helper()
	main, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	defer main.Close()
	if err := unix.IoctlSetPointerInt(int(main.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(main.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	if err := unix.IoctlSetWinsize(int(main.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		all, _ := io.ReadAll(main) // ends in an error when the other side is closed
		read <- string(all)
	}()
	draw(terminal)
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	return <-read
}

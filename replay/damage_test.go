package replay

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mayfly/feature"
	"mayfly/trace"
)

func TestRunLeavesADamagedFileOut(t *testing.T) {
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "trace")
	recorded(t, dir, 2, 3, 40, -1, 10)
	tr := open(t, dir)
	victim := tr.Files(trace.Sequences)[1]
	content, err := os.ReadFile(victim.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 { // the first pages; the footer stays
		content[4+i] ^= 0xff
	}
	if err := os.WriteFile(victim.Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), d, []*trace.Trace{tr}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rejected) != 1 || !strings.Contains(report.Rejected[0].Error(), victim.Path) {
		t.Errorf("rejected %v, want %s", report.Rejected, victim.Path)
	}
	if report.Windows < 80 {
		t.Errorf("scored %d windows, want those of the sound files", report.Windows)
	}
}

// TestRunAfterARestart has a recorder that stops and starts again at once.
func TestRunAfterARestart(t *testing.T) {
	d := trained(t)
	work := t.TempDir()
	opts := Options{StatePath: filepath.Join(work, "state"), OutputPath: filepath.Join(work, "findings")}
	dir := filepath.Join(work, "trace")
	recorded(t, dir, 2, 2, 30, 29, 100) // the attack lies in the last second, its calls at the end
	first, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Arch: "amd64", BootID: "b", Source: feature.RecorderSource}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	event := trace.Event{TimeNS: beginNS + 40*s, Kind: string(trace.FileOpen), ContainerID: strings.Repeat("0", 63) + "2", CgroupID: 1,
		PID: 100, TID: 100, Comm: "web", Path: "/srv/index", Flags: new(int64(0)), Ret: new(int64(5))}
	if err := errors.Join(w.Events([]trace.Event{event}), w.Close()); err != nil {
		t.Fatal(err)
	}
	second, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if first.Windows != 60 || second.Windows != 1 {
		t.Errorf("scored %d windows, then %d, want 60 and the one after the restart", first.Windows, second.Windows)
	}
	lines, err := os.ReadFile(opts.OutputPath)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, f := range findings(t, lines) {
		if ids[f.Mayfly.ID] {
			t.Errorf("finding %s is written twice", f.Mayfly.ID)
		}
		ids[f.Mayfly.ID] = true
	}
}

// TestRunLeavesADamagedSmallTableOut has a file of losses that cannot be read.
func TestRunLeavesADamagedSmallTableOut(t *testing.T) {
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "trace")
	recorded(t, dir, 2, 3, 40, -1, 10)
	for _, table := range []trace.Table{trace.Losses, trace.Containers} {
		tr := open(t, dir)
		victim := tr.Files(table)[0]
		content, err := os.ReadFile(victim.Path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 64 {
			content[4+i] ^= 0xff
		}
		if err := os.WriteFile(victim.Path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rejected) != 2 || report.Windows != 86 {
		t.Errorf("rejected %v and scored %d windows, want 2 files and 86 windows", report.Rejected, report.Windows)
	}
}

func TestRunWithStateLeavesTheFutureOut(t *testing.T) {
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "trace")
	recorded(t, dir, 2, 1, 5, -1, 10)
	w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Arch: "amd64", Source: feature.RecorderSource}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	future := time.Now().AddDate(40, 0, 0).UnixNano()
	if err := errors.Join(w.Sequences([]trace.Sequence{{TimeNS: future, ContainerID: strings.Repeat("0", 64), Calls: []uint16{1}}}), w.Seal(false)); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "state")
	report, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, Options{StatePath: state})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rejected) != 1 || report.Windows != 5 {
		t.Errorf("rejected %v, scored %d windows; want the file of the future left out and 5 windows", report.Rejected, report.Windows)
	}
}

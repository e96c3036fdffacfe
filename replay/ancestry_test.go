package replay

import (
	"fmt"
	"path/filepath"
	"testing"

	"mayfly/trace"
)

// TestFamily follows a server whose worker starts a shell that starts a program,
// and asks with horizons that know more and less of it.
func TestFamily(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "trace")
	w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Arch: "amd64", BootID: "b"}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	row := func(at int64, kind trace.Kind, pid, ppid int32, exe string) trace.Event {
		return trace.Event{TimeNS: at, BootNS: at, Kind: string(kind), PID: pid, TID: pid, PPID: ppid, Exe: exe, Path: "/x", Ret: new(int64(0))}
	}
	fork := row(30, trace.Fork, 10, 1, "/bin/web")
	fork.TargetPID = new(int64(20))
	shell := row(40, trace.Exec, 20, 10, "/bin/sh")
	shell.Path, shell.Argv = "/bin/sh", []string{"sh", "-c", "x"}
	failed := row(50, trace.Exec, 20, 10, "/bin/sh")
	failed.Path, failed.Argv, failed.Ret = "/none", []string{"none"}, new(int64(-2))
	events := []trace.Event{
		row(10, trace.FileOpen, 1, 0, "/sbin/init"),
		row(20, trace.FileOpen, 10, 1, "/bin/web"),
		fork, shell, failed,
		row(60, trace.FileOpen, 20, 10, "/bin/sh"),
	}
	if err := w.Events(events); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for horizon, want := range map[int64]string{
		0:  `20/10 /bin/sh ["sh" "-c" "x"]; 10/1 /bin/web []; 1/0 /sbin/init []; `,
		15: `20/10 /bin/sh ["sh" "-c" "x"]; 10/1 /bin/web []; `,
		35: `20/10 /bin/sh ["sh" "-c" "x"]; `,
		45: `20/10 /bin/sh []; `,
		70: ``,
	} {
		people, got := newFamily(), ""
		for row, err := range trace.MergeFiles(t.Context(), open(t, dir).Files(trace.Events)) {
			if err != nil {
				t.Fatal(err)
			}
			people.see(&row, 0)
			if row.TimeNS == 60 {
				for _, p := range people.up(&row, horizon) {
					got += fmt.Sprintf("%d/%d %s %q; ", p.PID, p.PPID, p.Exe, p.Argv)
				}
			}
		}
		if got != want {
			t.Errorf("since %d: got %s, want %s", horizon, got, want)
		}
	}
}

// TestFamilyForgets wants what lies beyond every horizon to go, and nothing else.
func TestFamilyForgets(t *testing.T) {
	f := newFamily()
	for pid := range int32(100_000) {
		f.of(hostPID{"h", pid}, int64(pid)-1000).atNS = int64(pid)
	}
	if len(f.known) > 1<<15 {
		t.Errorf("got %d processes, want no more than %d", len(f.known), 1<<15)
	}
	for pid := int32(99_000); pid < 100_000; pid++ {
		if f.known[hostPID{"h", pid}] == nil {
			t.Fatalf("process %d, within the horizon, is forgotten", pid)
		}
	}
}

package replay

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mayfly/detector"
	"mayfly/sink"
	"mayfly/trace"
)

// TestRunKeepsFindingsOfOthers has a state that does not know the output: that of
// a detector trained anew, or one that was lost.
func TestRunKeepsFindingsOfOthers(t *testing.T) {
	d := trained(t)
	dir, work := filepath.Join(t.TempDir(), "trace"), t.TempDir()
	recorded(t, dir, 2, 3, 40, 17, 10)
	opts := Options{StatePath: filepath.Join(work, "state"), OutputPath: filepath.Join(work, "findings")}
	const before = `{"rule":"of last week"}` + "\n"
	if err := os.WriteFile(opts.OutputPath, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(opts.OutputPath)
	if err != nil || report.Findings == 0 || !bytes.HasPrefix(got, []byte(before)) || int64(bytes.Count(got, []byte("\n"))) != report.Findings+1 {
		t.Errorf("got %q (%v), want the line that was there and %d findings", got, err, report.Findings)
	}

	// The state that such a run begins with cuts off what the run left when killed.
	s, err := readState(opts.StatePath, "another")
	if err != nil {
		t.Fatal(err)
	}
	s.Output[opts.OutputPath] = int64(len(before))
	if s.Detector, err = d.SHA256(); err != nil {
		t.Fatal(err)
	}
	if err := s.write(opts.StatePath); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, opts); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(opts.OutputPath); !bytes.Equal(again, got) {
		t.Errorf("after a run that was killed: got %q, want %q", again, got)
	}
}

// inOwnProcess runs a test again in a process of its own, and says whether this
// is that one: for limits that hold for a whole process.
func inOwnProcess(t *testing.T) bool {
	t.Helper()
	const mark = "MAYFLY_TEST_OWN_PROCESS"
	if os.Getenv(mark) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), mark+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// TestAppendLeavesNothingOnAFullDisk lets files grow to ten bytes only.
func TestAppendLeavesNothingOnAFullDisk(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	dir := t.TempDir()
	fresh, old := filepath.Join(dir, "fresh"), filepath.Join(dir, "old")
	if err := os.WriteFile(old, []byte("12345\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	encoder, err := sink.NewEncoder(sink.NDJSON, "")
	if err != nil {
		t.Fatal(err)
	}
	lines := spool{encoder: encoder}
	if err := lines.add(&detector.Finding{Output: "more than ten bytes"}); err != nil {
		t.Fatal(err)
	}
	defer lines.close()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10, Max: limit.Max}); err != nil {
		t.Skipf("cannot limit the size of files: %v", err)
	}
	_, errFresh := lines.appendAt(fresh, 0)
	_, errOld := lines.appendAt(old, 6)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if errFresh == nil || errOld == nil {
		t.Errorf("got errors %v and %v, want two", errFresh, errOld)
	}
	if _, err := os.Lstat(fresh); err == nil {
		t.Error("a file that was not there before is left behind")
	}
	if got, err := os.ReadFile(old); err != nil || string(got) != "12345\n" {
		t.Errorf("got %q (%v), want the file as it was", got, err)
	}
}

func TestRunRefusesAStateThatIsInUse(t *testing.T) {
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "trace")
	recorded(t, dir, 2, 1, 5, -1, 10)
	path := filepath.Join(t.TempDir(), "state")
	unlock, err := lockState(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, Options{StatePath: path}); err == nil || !strings.Contains(err.Error(), "another replay") {
		t.Errorf("got error %v, want one that names the other replay", err)
	}
	unlock()
	if _, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, Options{StatePath: path}); err != nil {
		t.Errorf("after the lock is gone: %v", err)
	}
}

func TestStateRefuses(t *testing.T) {
	for _, tc := range []struct{ content, want string }{
		{"hello", "not a state file"},
		{`{"version":9}`, "version 9"},
		{`{"version":1,"detector":"sha"}`, "not a state file of replay: no detector, hosts and output in it"},
		{`{"version":1,"detector":"sha","hosts":{}}`, "not a state file"},
		{`{"version":1,"detector":"another","output":{}}`, "not a state file"},
		{`{"format":"mayfly profile","version":1,"workloads":[]}`, "not a state file"}, // it was taken for another detector's, and written over
		{`{"version":1,"detector":"sha","hosts":{"h":null},"output":{}}`, `host "h"`},
		{`{"version":1,"detector":"sha","hosts":{},"output":{"o":-1}}`, `output "o": -1 bytes`},
		{`{"version":2,"detector":"sha","hosts":{"h":{"files":{},"containers":{"c":{"open":{"of":{"Alarms":1}}}}}},"output":{}}`, `container "c": episode: 0 notes of 1 alarms`},
		{`{"version":2,"detector":"sha","hosts":{"h":{"files":{},"containers":{"c":{"open":{"part":-1}}}}},"output":{}}`, "in part -1"},
	} {
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readState(path, "sha"); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got error %v, want one with %q", tc.content, err, tc.want)
		}
	}
}

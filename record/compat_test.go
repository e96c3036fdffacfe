//go:build amd64

package record

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mayfly/trace"
)

// TestCompat has a program make calls of the 32-bit table, and run a 32-bit program,
// and wants their events and places in the sequence.
func TestCompat(t *testing.T) {
	narrow := filepath.Join(t.TempDir(), "narrow")
	if err := os.WriteFile(narrow, narrowProgram(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(narrow).Run(); errors.Is(err, syscall.ENOEXEC) {
		t.Skip("32-bit calls: this kernel, or what it runs on, has none")
	}
	rec := startRecording(t, nil)
	id, cgroup := fakeContainer(t)
	dir := t.TempDir()
	var status *exec.ExitError
	if out, err := inCgroup(t, cgroup, "compat:"+dir).Output(); !errors.As(err, &status) || status.ExitCode() != 9 {
		t.Fatalf("got %v, want exit status 9\n%s", err, out)
	}
	tr := rec.end()
	var got strings.Builder
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID == id {
			got.WriteString(strings.ReplaceAll(e.Via+" "+describe(&e), dir, "DIR") + "\n")
		}
	}
	for _, want := range []string{
		`compat open ret=\d+ path=DIR/made flags=66 mode=384`,
		`compat chmod ret=0 path=DIR/made mode=416`,
		`compat chown ret=0 path=DIR/made mode=2 arg=1`,
		`compat rename ret=0 path=DIR/made path2=DIR/moved flags=0`,
		`compat unlink ret=0 path=DIR/moved flags=0`,
		`compat unlink ret=-2 path=\S+/none flags=0`,
		`compat connect ret=-111 family=inet addr=127\.0\.0\.1 port=9 local=\S+ localport=\d+`,
		` exec ret=0 path=DIR/narrow argv=\["DIR/narrow"\] .*`,
		` exit arg=2304`,
	} {
		wantLine(t, got.String(), want)
	}
	if t.Failed() {
		t.Log(got.String())
	}
	const c = trace.CompatCall
	for _, calls := range callsOf(t, tr, id) {
		if i := slices.Index(calls, 295|c); i >= 0 {
			calls = slices.DeleteFunc(calls, func(n uint16) bool { return n&c == 0 })
			// The program's own, from execve on: getpid and exit.
			want := []uint16{295 | c, 15 | c, 207 | c, 38 | c, 10 | c, 10 | c, 102 | c, 102 | c, 20 | c}
			tail := []uint16{20 | c, 1 | c}
			if len(calls) < len(want)+2 || !slices.Equal(calls[:len(want)], want) || !slices.Equal(calls[len(calls)-2:], tail) {
				t.Errorf("calls %d, want %d … %d", calls, want, tail)
			}
			return
		}
	}
	t.Error("no thread with openat of the 32-bit table")
}

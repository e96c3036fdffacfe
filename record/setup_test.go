package record

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// setupCalls are calls that a runtime makes in a container, and that the programs
// of these tests do not.
var setupCalls = []uint16{unix.SYS_PIVOT_ROOT, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_SETHOSTNAME, unix.SYS_UNSHARE,
	unix.SYS_SETNS, unix.SYS_CAPSET, unix.SYS_SECCOMP, unix.SYS_KEYCTL}

// setupRows returns what a trace has of a runtime's work, by container.
func setupRows(t *testing.T, tr *trace.Trace) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	add := func(id, format string, args ...any) {
		if id != "" {
			found[id] = append(found[id], fmt.Sprintf(format, args...))
		}
	}
	for _, s := range rowsOf[trace.Sequence](t, tr, trace.Sequences) {
		if i := slices.IndexFunc(s.Calls, func(c uint16) bool { return slices.Contains(setupCalls, c) }); i >= 0 {
			add(s.ContainerID, "%s: %d calls, one is %d", s.Comm, len(s.Calls), s.Calls[i])
		}
	}
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if strings.HasPrefix(e.Comm, "runc") || slices.Contains([]string{"capset", "mount", "umount"}, e.Kind) || strings.HasSuffix(e.Path, "/exec.fifo") {
			add(e.ContainerID, "%s (%s): %s", e.Comm, e.Exe, describe(&e))
		}
	}
	return found
}

// bundles is where runc finds what it runs.
type bundles struct{ runc, dir string }

func newBundles(t *testing.T) *bundles {
	t.Helper()
	runc, err := exec.LookPath("runc")
	if err != nil {
		dockertest.Cannot(t, "runc: not installed")
	}
	b := &bundles{runc, t.TempDir()}
	writeRoot(t, filepath.Join(b.dir, "root"))
	t.Cleanup(func() { // runc removes each container's cgroups, but not what they stood in
		parents, _ := filepath.Glob("/sys/fs/cgroup/*/mayfly-test")
		for _, dir := range append(parents, "/sys/fs/cgroup/mayfly-test") {
			_ = os.Remove(dir)
		}
	})
	return b
}

// command is runc with arguments that end in a bundle and an id. What it starts keeps
// its output.
func (b *bundles) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(b.runc, append([]string{"--root", filepath.Join(b.dir, "state")}, args...)...)
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

func (b *bundles) run(t *testing.T, args ...string) {
	t.Helper()
	if err := b.command(t, args...).Run(); err != nil {
		t.Fatalf("runc %q: %v", args, err)
	}
}

// create has runc prepare a container, which waits to be started. It shares the
// host's pids, so that what loses its parent in there gets one outside.
func (b *bundles) create(t *testing.T, script string) (id string) {
	t.Helper()
	id = randomID()
	bundle := filepath.Join(b.dir, id)
	if err := writeBundle(b.dir, bundle, id, script, "mount", "ipc", "uts", "network"); err != nil {
		t.Fatal(err)
	}
	b.run(t, "create", "--bundle", bundle, id)
	t.Cleanup(func() { _ = b.command(t, "delete", "--force", id).Run() })
	return id
}

// TestSetupBefore begins to record when runc has prepared a container and not yet
// run its program, and wants nothing of runc's work and all of the program's. The
// runtime's and what the program leaves behind look alike: forked, and the parent is
// outside.
func TestSetupBefore(t *testing.T) {
	b := newBundles(t)
	id := b.create(t, "cat /etc/passwd")
	rec := startRecording(t, nil)
	b.run(t, "start", id)
	time.Sleep(time.Second)
	tr := rec.end()
	if rows := setupRows(t, tr)[id]; rows != nil {
		t.Errorf("runc's work is recorded as the container's:\n%s", strings.Join(rows, "\n"))
	}
	execs, reads := 0, 0
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		switch {
		case e.ContainerID != id:
		case e.Kind == string(trace.Exec):
			execs++
		case e.Path == "/etc/passwd" && e.Comm == "cat":
			reads++
		}
	}
	if execs != 2 || reads != 1 {
		t.Errorf("got %d execs and %d reads by the program, want 2 and 1", execs, reads)
	}
}

// TestSetupBusy runs containers on a busy machine, by runc and, with some execs into
// them, by Docker, and begins to record among them.
func TestSetupBusy(t *testing.T) {
	b := newBundles(t)
	d := dockertest.StartDaemon(t)
	image := d.BusyboxImage(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(do func() error) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := do(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		busy := exec.Command("/bin/sh", "-c", "while :; do :; done")
		if err := busy.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = busy.Process.Kill(); _ = busy.Wait() })
	}
	for worker := range 3 {
		bundle := filepath.Join(b.dir, fmt.Sprint("bundle", worker))
		loop(func() error { return runShort(b.runc, b.dir, bundle, randomID()) })
	}
	c := d.Run(t, image, "sleep", "1000")
	loop(func() error {
		_, err := d.Try("run", "--rm", "--network", "none", image, "cat", "/etc/passwd")
		return err
	})
	loop(func() error {
		_, err := d.Try("exec", c.ID, "cat", "/etc/passwd")
		return err
	})
	containers := 0
	for range 2 {
		time.Sleep(time.Second)
		rec := startRecording(t, nil)
		time.Sleep(2 * time.Second)
		tr := rec.end()
		containers += len(rowsOf[trace.Container](t, tr, trace.Containers))
		for id, rows := range setupRows(t, tr) {
			t.Errorf("container %s: the runtime's work is recorded as its own:\n%s", id, strings.Join(rows[:min(len(rows), 20)], "\n"))
		}
	}
	close(stop)
	wg.Wait()
	t.Logf("%d containers", containers)
}

// TestNotSetup has a program do all that makes a runtime's process look like one: it
// is forked, never execs, has taken runc's name, and its parent is outside. It began
// in the container, so all of it is recorded, whether it did so before the recording
// or after.
func TestNotSetup(t *testing.T) {
	const attack = `attack() { echo -n "runc:[2:INIT]" >/proc/self/comm; while :; do read -r line </etc/passwd; usleep 10000; done; }
(attack & ); while ! read -r line </tmp/go; do sleep 0.1; done; (attack & ); sleep 1000`
	b := newBundles(t)
	id := b.create(t, attack)
	b.run(t, "start", id)
	time.Sleep(time.Second)
	rec := startRecording(t, nil)
	b.run(t, "exec", id, "sh", "-c", "echo go >/tmp/go")
	time.Sleep(2 * time.Second)
	tr := rec.end()
	reads := map[int32]int{}
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID == id && e.Comm == "runc:[2:INIT]" && e.Path == "/etc/passwd" {
			reads[e.PID]++
		}
	}
	if len(reads) != 2 {
		t.Errorf("reads by process: %v; want those of two", reads)
	}
}

// TestMovedAway has a program of one container go into the cgroup of another, of a
// container in it, and of none, and wants it to stay who it is until it runs a
// program with mounts of its own in the other's.
func TestMovedAway(t *testing.T) {
	rec := startRecording(t, nil)
	outer, dir := fakeContainer(t)
	inner := randomID()
	nested := mkCgroups(t, dir, "docker", inner)
	host := mkCgroups(t, cgroupRoot(t), "mayfly-"+outer[:8])
	program := mkCgroups(t, dir, "init")
	out, err := inCgroup(t, program, strings.Join([]string{"away", nested, host}, ":")).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tr := rec.end()
	marks := map[string]string{}
	for _, s := range rowsOf[trace.Sequence](t, tr, trace.Sequences) {
		for _, c := range s.Calls {
			switch c {
			case unix.SYS_GETSID:
				marks["in the other"] = s.ContainerID
			case unix.SYS_GETPGID:
				marks["in none"] = s.ContainerID
			}
		}
	}
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.Kind == string(trace.Exit) && *e.Arg != 0 {
			marks["exit "+strconv.Itoa(int(*e.Arg>>8))] = e.ContainerID
		}
	}
	for mark, want := range map[string]string{"in the other": outer, "in none": outer, "exit 3": outer, "exit 4": inner, "exit 5": outer} {
		if marks[mark] != want {
			t.Errorf("%s: container %q, want %q (outer %s, inner %s)", mark, marks[mark], want, outer, inner)
		}
	}
	checkBalance(t, tr, outer)
	checkBalance(t, tr, inner)
}

// childAway goes into the cgroup of another container and makes a mark there, runs a
// program among its own mounts and one among new ones, and does the first in the
// cgroup of no container.
func childAway(arg string) error {
	other, none, _ := strings.Cut(arg, ":")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in := func(dir string, mark func(), programs ...*exec.Cmd) error {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return err
		}
		mark()
		for _, cmd := range programs {
			if err := cmd.Run(); cmd.ProcessState == nil {
				return err
			}
		}
		return nil
	}
	program := func(status int, mounts uintptr) *exec.Cmd {
		cmd := exec.Command(self, "-test.run=none")
		cmd.Env = append(os.Environ(), fmt.Sprint(childEnv, "=exit:", status))
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: mounts}
		return cmd
	}
	if err := in(other, func() { _, _ = unix.Getsid(0) }, program(3, 0), program(4, unix.CLONE_NEWNS)); err != nil {
		return err
	}
	return in(none, func() { _, _ = unix.Getpgid(0) }, program(5, unix.CLONE_NEWNS))
}

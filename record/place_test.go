package record

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// mkCgroups makes cgroups below each other and returns the innermost.
func mkCgroups(t *testing.T, root string, names ...string) string {
	t.Helper()
	dir := root
	for _, name := range names {
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		made := dir
		t.Cleanup(func() { removeCgroup(made) })
	}
	return dir
}

// recordIn runs a program in a cgroup and returns the rows of its container, and
// how many programs it ran by the events.
func recordIn(t *testing.T, id string, run func()) (row trace.Container, execs int) {
	t.Helper()
	rec := startRecording(t, nil)
	run()
	tr := rec.end()
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID == id && e.Kind == string(trace.Exec) {
			execs++
		}
	}
	for _, c := range rowsOf[trace.Container](t, tr, trace.Containers) {
		if c.ContainerID == id {
			row = c
		}
	}
	return row, execs
}

// TestNested runs a program in cgroups as kind makes them, and wants it to be the
// inner container's, which knows its pod and the outer container.
func TestNested(t *testing.T) {
	inner, outer := randomID(), randomID()
	uid := "c44b5a09-14d0-4b2a-9b1c-0d9a2f6c0f7e"
	dir := mkCgroups(t, cgroupRoot(t), "mayfly-docker-"+outer+".scope", "kubelet", "kubepods", "burstable", "pod"+uid, inner, "init.scope")
	c, execs := recordIn(t, inner, func() {
		if err := inCgroup(t, dir, "exit:0").Run(); err != nil {
			t.Fatal(err)
		}
	})
	path := "/mayfly-docker-" + outer + ".scope/kubelet/kubepods/burstable/pod" + uid + "/" + inner
	if execs != 1 || c.PodUID != uid || !slices.Equal(c.NestedIn, []string{outer}) || c.CgroupPath != path || c.Facts != trace.FactsUnknown {
		t.Errorf("got %d execs, pod uid %q, nested in %q, path %q, facts %q; want 1, %q, [%q], %q, unknown",
			execs, c.PodUID, c.NestedIn, c.CgroupPath, c.Facts, uid, outer, path)
	}
}

// TestLayouts runs a program in cgroups as CRI-O and podman make them, and wants it to
// be whose it is there.
func TestLayouts(t *testing.T) {
	const uid = "c44b5a09_14d0_4b2a_9b1c_0d9a2f6c0f7e"
	rec := startRecording(t, nil)
	status, want := 10, map[int64]string{}
	run := func(id string, names ...string) {
		t.Helper()
		names[0] = "mayfly-" + randomID()[:8] + "-" + names[0]
		status++
		_ = inCgroup(t, mkCgroups(t, cgroupRoot(t), names...), fmt.Sprint("exit:", status)).Run()
		want[int64(status)<<8] = id
	}
	slice := "kubepods-burstable-pod" + uid + ".slice"
	a, b, c, d, pod := randomID(), randomID(), randomID(), randomID(), randomID()
	run(a, slice, "crio-"+a+".scope")
	run(b, slice, "crio-"+b+".scope", "container") // crun's own below it
	run("", slice, "crio-conmon-"+a+".scope")
	run(c, "kubepods", "besteffort", "pod"+uid, "crio-"+c)
	run(d, "machine.slice", "machine-libpod_pod_"+pod+".slice", "libpod-"+d+".scope")
	run("", "machine.slice", "machine-libpod_pod_"+pod+".slice", "libpod-conmon-"+d+".scope")
	run("", "user.slice", "user-libpod_pod_"+pod+".slice")
	run("", "x", "libpod_pod_"+pod, "conmon")
	tr := rec.end()
	got := map[int64]string{}
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.Kind == string(trace.Exit) {
			got[*e.Arg] = e.ContainerID
		}
	}
	for status, id := range want {
		if got[status] != id {
			t.Errorf("exit %d: container %q, want %q", status>>8, got[status], id)
		}
	}
}

// TestHybrid runs a program that is in a container's cgroup of the v1 hierarchies
// alone, while the default hierarchy has it in a service's, as Docker's cgroupfs
// driver does on a hybrid host.
func TestHybrid(t *testing.T) {
	const pids = "/sys/fs/cgroup/pids"
	if _, err := os.Stat(filepath.Join(pids, "cgroup.procs")); err != nil {
		dockertest.Cannot(t, "no v1 hierarchy of the pids controller")
	}
	id := randomID()
	service := mkCgroups(t, cgroupRoot(t), "mayfly-"+id[:8]+".service")
	dir := mkCgroups(t, pids, "mayfly-"+id[:8], id)
	c, execs := recordIn(t, id, func() {
		cmd := inCgroup(t, service, "moved:"+filepath.Join(dir, "cgroup.procs"))
		if out, err := cmd.Output(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
	if execs != 1 || c.CgroupPath != "/mayfly-"+id[:8]+"/"+id {
		t.Errorf("got %d execs, path %q; want 1, %q", execs, c.CgroupPath, "/mayfly-"+id[:8]+"/"+id)
	}
}

// TestHybridNumbers removes a cgroup of another v1 hierarchy that has the number of a
// container's in the pids controller's: each hierarchy numbers its own. The container
// goes on, and so does what is recorded of it.
func TestHybridNumbers(t *testing.T) {
	const pids, other = "/sys/fs/cgroup/pids", "/sys/fs/cgroup/freezer"
	for _, dir := range []string{pids, other} {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
			dockertest.Cannot(t, "no v1 hierarchies of the pids controller and the freezer")
		}
	}
	service := mkCgroups(t, cgroupRoot(t), "mayfly-"+randomID()[:8]+".service")
	id, dir, twin := twins(t, pids, other)
	c, execs := recordIn(t, id, func() {
		run := func() {
			if out, err := inCgroup(t, service, "moved:"+filepath.Join(dir, "cgroup.procs")).Output(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		run()
		if err := os.Remove(twin); err != nil {
			t.Fatal(err)
		}
		run()
	})
	if execs != 2 || c.FinishedNS != nil {
		t.Errorf("got %d execs, finished %v; want 2, and a container that goes on", execs, c.FinishedNS)
	}
}

// twins makes a container's cgroup in one hierarchy, and a cgroup in another that has
// the same number.
func twins(t *testing.T, root, other string) (id, dir, twin string) {
	t.Helper()
	number := func(dir string) uint64 {
		var stat unix.Stat_t
		if err := unix.Stat(dir, &stat); err != nil {
			t.Fatal(err)
		}
		return stat.Ino
	}
	next := func(root string) (dir string, n uint64) {
		dir = filepath.Join(root, randomID())
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir, number(dir)
	}
	// A new cgroup takes some numbers for its files, in each hierarchy not as many: so
	// there are many to meet.
	dirs := map[uint64]string{}
	t.Cleanup(func() {
		for _, dir := range dirs {
			removeCgroup(dir)
		}
	})
	first, from := next(other)
	removeCgroup(first)
	var last uint64
	for len(dirs) < 64 {
		if dir, last = next(root); last > from {
			dirs[last] = dir
		} else {
			removeCgroup(dir)
		}
	}
	for from < last {
		twin, from = next(other)
		if dir, ok := dirs[from]; ok {
			t.Cleanup(func() { removeCgroup(twin) })
			return filepath.Base(dir), dir, twin
		}
		removeCgroup(twin)
	}
	dockertest.Cannot(t, "no two cgroups of one number came about")
	return "", "", ""
}

// childMoved joins a cgroup and runs a program there.
func childMoved(procs string) error {
	if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return unix.Exec(self, []string{self, "-test.run=none"}, []string{childEnv + "=exit:0"})
}

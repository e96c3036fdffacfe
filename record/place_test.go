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

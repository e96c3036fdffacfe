package record

import (
	"testing"
	"time"

	"mayfly/bpf"
	"mayfly/record/dockertest"
	"mayfly/trace"
)

// producedOf is what the kernel counts of a cgroup's records.
func producedOf(t *testing.T, p *bpf.Probes, cgroup uint64) (n uint64) {
	t.Helper()
	for class := range uint32(bpf.Classes) {
		var perCPU []bpf.MayflyCount
		if p.Counts.Lookup(bpf.MayflyCountKey{Cgroup: cgroup, Class: class}, &perCPU) == nil {
			for _, count := range perCPU {
				n += count.Produced
			}
		}
	}
	return n
}

// TestDeselect records one of three of Docker's containers, and wants nothing of
// the others but their count, and the kernel not to go on recording them.
func TestDeselect(t *testing.T) {
	mustRecord(t)
	d := dockertest.StartDaemon(t)
	image := d.BusyboxImage(t)
	s, err := ParseSelection([]string{"image=docker.io/mayfly-test/*", "label=app=web", "!name=*-canary"})
	if err != nil {
		t.Fatal(err)
	}
	run := func(name string, labels ...string) *dockertest.Container {
		return d.RunWith(t, append([]string{"--network", "none", "--name", name + "-" + randomID()[:8] + map[bool]string{true: "-canary"}[name == "canary"]}, labels...),
			image, "sh", "-c", "cat /etc/passwd; sleep 600")
	}
	before := run("before") // known by the time of its first record
	rec := startRecording(t, func(o *Options) { o.NoRuntime, o.Runtimes, o.Select = false, dockerSource(d), s })
	time.Sleep(500 * time.Millisecond) // for the stream of events
	web, canary, other := run("web", "--label", "app=web"), run("canary", "--label", "app=web"), run("other", "--label", "app=db")
	unwantedOnes := []*dockertest.Container{before, canary, other}
	for _, c := range unwantedOnes {
		c.Exec(t, "cat", "/etc/group")
	}
	time.Sleep(2500 * time.Millisecond) // until facts are there and the kernel side knows
	counts := map[uint64]uint64{}
	var cgroup uint64
	var value uint32
	for each := rec.r.probes.Deselected.Iterate(); each.Next(&cgroup, &value); {
		counts[cgroup] = producedOf(t, rec.r.probes, cgroup)
	}
	if len(counts) < len(unwantedOnes) {
		t.Errorf("the kernel side knows of %d unwanted containers, want %d", len(counts), len(unwantedOnes))
	}
	for _, c := range append(unwantedOnes, web) {
		c.Exec(t, "cat", "/etc/shadow")
	}
	for cgroup, n := range counts {
		if after := producedOf(t, rec.r.probes, cgroup); after != n {
			t.Errorf("cgroup %d: %d records produced once it was deselected", cgroup, after-n)
		}
	}
	tr := rec.end()
	shadow := false
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		shadow = shadow || e.ContainerID == web.ID && e.Path == "/etc/shadow"
	}
	if !shadow {
		t.Error("no event of the selected container's program")
	}
	if lost := checkBalance(t, tr, web.ID); lost[trace.LossEvents]+lost[trace.LossSequences]+lost[trace.LossSecurity] != 0 {
		t.Errorf("lost %v, want nothing", lost)
	}
	checkLeftOut(t, tr, unwantedOnes, counts)
}

// checkLeftOut wants no rows of containers in the trace but those that count what
// the kernel side produced, by cgroup, before it knew.
func checkLeftOut(t *testing.T, tr *trace.Trace, others []*dockertest.Container, produced map[uint64]uint64) {
	t.Helper()
	rows, left, ids := map[string]int{}, map[uint64]uint64{}, map[uint64]string{}
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		rows[e.ContainerID]++
	}
	for _, s := range rowsOf[trace.Sequence](t, tr, trace.Sequences) {
		rows[s.ContainerID]++
	}
	for _, p := range rowsOf[trace.Process](t, tr, trace.Processes) {
		rows[p.ContainerID]++
	}
	for _, c := range rowsOf[trace.Container](t, tr, trace.Containers) {
		rows[c.ContainerID]++
	}
	for _, l := range rowsOf[trace.Loss](t, tr, trace.Losses) {
		if l.Class == trace.LossDeselected && l.Lost == 0 && l.Produced > 0 {
			left[l.CgroupID] += uint64(l.Produced)
			ids[l.CgroupID] = l.ContainerID
		} else {
			rows[l.ContainerID]++
		}
	}
	for _, c := range others {
		if rows[c.ID] != 0 {
			t.Errorf("container %s: %d rows, want none", c.ID, rows[c.ID])
		}
	}
	for cgroup, n := range produced {
		if left[cgroup] != n {
			t.Errorf("cgroup %d of container %q: %d records counted as deselected, %d were produced", cgroup, ids[cgroup], left[cgroup], n)
		}
	}
}

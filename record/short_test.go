package record

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/bpf"
	"mayfly/record/dockertest"
	"mayfly/record/runtimes"
	"mayfly/trace"
)

// shortLife is what each short container does; %s is its mark.
const shortLife = "cat /etc/passwd; echo %s > /tmp/x; exit 3"

// checkShort wants each container's program, file and end, attributed to it, and
// returns how long the containers lived, from the first exec to the last exit.
func checkShort(t *testing.T, tr *trace.Trace, marks map[string]string) (lives []time.Duration) {
	t.Helper()
	type seen struct {
		execs, reads, writes, exits int
		from, to                    int64
	}
	got := map[string]*seen{}
	for id := range marks {
		got[id] = &seen{}
	}
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		s := got[e.ContainerID]
		if s == nil {
			for _, mark := range marks {
				if strings.Contains(strings.Join(e.Argv, " "), mark) {
					t.Errorf("container %q has the event of %s: %s", e.ContainerID, mark, describe(&e))
				}
			}
			continue
		}
		switch {
		case e.Kind == string(trace.Exec) && strings.Contains(strings.Join(e.Argv, " "), marks[e.ContainerID]):
			s.execs++
			s.from = e.TimeNS
		case e.Path == "/etc/passwd":
			s.reads++
		case e.Path == "/tmp/x":
			s.writes++
		case e.Kind == string(trace.Exit) && *e.Arg == 3<<8:
			s.exits++
			s.to = e.TimeNS
		}
	}
	for id, s := range got {
		if s.execs == 0 || s.reads == 0 || s.writes != 1 || s.exits != 1 {
			t.Errorf("container %s: got %d execs, %d reads, %d writes, %d exits; want its own of each", id, s.execs, s.reads, s.writes, s.exits)
			continue
		}
		lives = append(lives, time.Duration(s.to-s.from))
	}
	slices.Sort(lives)
	return lives
}

func randomID() string {
	var b [32]byte
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return hex.EncodeToString(b[:])
}

// TestShortContainers runs 2,000 containers by runc, each with namespaces and a
// root of its own and a life of some milliseconds. No runtime knows them: each is
// marked so, and each is told of.
func TestShortContainers(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 50
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		dockertest.Cannot(t, "runc: not installed")
	}
	rec := startRecording(t, nil)
	t.Cleanup(func() { // runc removes each container's cgroups, but not what they stood in
		parents, _ := filepath.Glob("/sys/fs/cgroup/*/mayfly-test")
		for _, dir := range append(parents, "/sys/fs/cgroup/mayfly-test") {
			_ = os.Remove(dir)
		}
	})
	dir := t.TempDir()
	writeRoot(t, filepath.Join(dir, "root"))
	marks := map[string]string{}
	ids := make(chan string)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			bundle := filepath.Join(dir, fmt.Sprint("bundle", worker))
			for id := range ids {
				if err := runShort(runc, dir, bundle, id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	began := time.Now()
	for range n {
		id := randomID()
		marks[id] = "mark-" + id[:16]
		ids <- id
	}
	close(ids)
	wg.Wait()
	ran := time.Since(began)
	tr := rec.end()
	lives := checkShort(t, tr, marks)
	if len(lives) > 0 {
		t.Logf("%d containers in %v; lives: median %v, longest %v", len(lives), ran.Round(time.Millisecond), lives[len(lives)/2], lives[len(lives)-1])
	}
	if len(rec.summary.Lost) != 0 {
		t.Errorf("lost %v, want nothing", rec.summary.Lost)
	}
	rows := map[string]trace.Container{}
	for _, c := range rowsOf[trace.Container](t, tr, trace.Containers) {
		rows[c.ContainerID] = c
	}
	for id := range marks {
		if c := rows[id]; c.Facts != trace.FactsUnknown || c.CgroupPath != "/mayfly-test/"+id || c.FinishedNS == nil {
			t.Errorf("container %s: facts %q, path %q, finished %v; want unknown, its path, a time", id, c.Facts, c.CgroupPath, c.FinishedNS)
		}
	}
}

// TestForget meets, learns of and loses 60,000 containers at a rate of 500 a
// second, and wants what is kept to stay within what the last half minute needs, and
// counts within what was produced since the files were sealed, each 40 seconds here.
func TestForget(t *testing.T) {
	cs := newContainers(nil, nil)
	ledger := newLedger(nil)
	most, counts := 0, 0
	for i := range 60_000 {
		bootNS := int64(i) * secondNS / 500
		value := bpf.MayflyContainer{First: uint64(bootNS), Gone: uint64(bootNS) + 1}
		for j, b := range fmt.Sprintf("docker-%064x.scope", i) {
			value.Name[j] = int8(b)
		}
		c := cs.meet(uint64(i), &value)
		t := ledger.of(c.cgroup, bpf.ClassEvents)
		t.produced, t.read = 3, 3
		cs.learn(&trace.Container{ContainerID: c.id, Name: "short", Facts: trace.FactsFull})
		if i%500 == 499 {
			cs.rows(0, &clock{})
			cs.forget(bootNS, ledger.forget)
			most, counts = max(most, len(cs.byCgroup), len(cs.byID), len(cs.facts)), max(counts, len(ledger.tallies))
		}
		if i%20_000 == 19_999 {
			ledger.rows(0, 1, false)
		}
	}
	if bound := 500 * (40 + 2); counts > bound {
		t.Errorf("counts of %d containers kept, want %d at most", counts, bound)
	}
	if bound := 500 * (forgetNS/int(secondNS) + 2); most > bound || len(cs.order) > maxFacts {
		t.Errorf("%d containers kept and %d ids, want %d and %d at most", most, len(cs.order), bound, maxFacts)
	}
}

func writeRoot(t *testing.T, root string) {
	t.Helper()
	for path, f := range dockertest.BusyboxFiles(t) {
		path = filepath.Join(root, path)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case f.Dir:
			err = os.MkdirAll(path, 0o777)
		case f.Link != "":
			err = os.Symlink(f.Link, path)
		default:
			err = os.WriteFile(path, f.Data, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// writeBundle writes what runc reads of a container: a shell that runs a script in a
// root of its own, and in these namespaces.
func writeBundle(dir, bundle, id, script string, namespaces ...string) error {
	type object = map[string]any
	mounts := []object{{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}}
	var own []object
	for _, kind := range namespaces {
		own = append(own, object{"type": kind})
	}
	spec := object{
		"ociVersion": "1.0.2",
		"process": object{"cwd": "/", "user": object{"uid": 0, "gid": 0}, "env": []string{"PATH=/bin"},
			"args": []string{"sh", "-c", script}},
		"root":     object{"path": filepath.Join(dir, "root"), "readonly": true},
		"hostname": "short", "mounts": mounts,
		"linux": object{"cgroupsPath": "/mayfly-test/" + id, "namespaces": own},
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(bundle, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bundle, "config.json"), b, 0o600)
}

// runShort runs one container to its end.
func runShort(runc, dir, bundle, id string) error {
	script := fmt.Sprintf(shortLife, "mark-"+id[:16])
	if err := writeBundle(dir, bundle, id, script, "pid", "mount", "ipc", "uts", "network"); err != nil {
		return err
	}
	cmd := exec.Command(runc, "--root", filepath.Join(dir, "state"), "run", "--bundle", bundle, id)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 3 {
		return fmt.Errorf("runc run: %w\n%s", err, out)
	}
	return nil
}

// dockerSource is how the recorder asks a test's daemon.
func dockerSource(d *dockertest.Daemon) []runtimes.Source {
	return []runtimes.Source{{Kind: runtimes.Docker, Address: cmp.Or(d.Host, "unix:///var/run/docker.sock")}}
}

// TestShortDocker runs containers by Docker that are removed when they end, and
// wants their events and who they were.
func TestShortDocker(t *testing.T) {
	n := 50
	if testing.Short() {
		n = 5
	}
	mustRecord(t)
	d := dockertest.StartDaemon(t)
	image := d.BusyboxImage(t)
	rec := startRecording(t, func(o *Options) { o.NoRuntime, o.Runtimes = false, dockerSource(d) })
	time.Sleep(500 * time.Millisecond) // for the stream of events
	marks, names := map[string]string{}, map[string]string{}
	for i := range n {
		name := fmt.Sprintf("mayfly-short-%s", randomID()[:12])
		file := filepath.Join(t.TempDir(), "id")
		mark := fmt.Sprintf("docker-mark-%d", i)
		_, err := d.Try("run", "--rm", "--cidfile", file, "--name", name, "--label", "short=yes", "--network", "none",
			image, "sh", "-c", fmt.Sprintf(shortLife, mark))
		if err == nil || !strings.Contains(err.Error(), "exit status 3") {
			t.Fatalf("docker run: %v", err)
		}
		id, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		marks[string(id)], names[string(id)] = mark, name
	}
	tr := rec.end()
	lives := checkShort(t, tr, marks)
	if len(lives) > 0 {
		t.Logf("lives: median %v, longest %v", lives[len(lives)/2], lives[len(lives)-1])
	}
	containers := map[string]trace.Container{}
	for _, c := range rowsOf[trace.Container](t, tr, trace.Containers) {
		containers[c.ContainerID] = c
	}
	for id, name := range names {
		c := containers[id]
		if c.Facts == trace.FactsUnknown || c.Name != name || c.Image != image || !slices.Contains(c.Labels, "short=yes") {
			t.Errorf("container %s: got name %q, image %q, labels %q; want %q, %q, short=yes", id, c.Name, c.Image, c.Labels, name, image)
		}
	}
}

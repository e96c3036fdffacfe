package live

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mayfly/feature"
	"mayfly/record/dockertest"
)

var (
	minutes = flag.Float64("minutes", 0, "how long to look for attacks, after half as long again to learn; 0: not at all")
	learn   = flag.Float64("learn", 0, "how many minutes to learn; 0: half as long again as -minutes")
	servers = flag.Int("servers", 2, "containers of each kind of server at a time")
	rate    = flag.Float64("rate", 40, "mean requests a second to a server; a script gets an eighth")
	pause   = flag.Float64("pause", 1, "of jobs, times 1 to 3 seconds")
	fresh   = flag.Bool("fresh", false, "do the attacks that no design was made with, too")
	run     = flag.String("run", "1", "name of the run, in labels and names of containers")
	beside  = flag.Bool("beside", false, "do not keep other tests with containers waiting")
	keep    = flag.String("keep", "", "folder to leave recordings, labels and findings in")
	wishes  = flag.Int("budgets", 4, "how many budgets to look with: the default one, then ever more false alarms")
	again   = flag.String("again", "", "folder that -keep left: learn and look again, without recording")
)

// budgets are the wishes that detectors are trained with.
var budgets = [][]string{nil, {"--fpr", "0.001"}, {"--fpr", "0.005"}, {"--fpr", "0.01"}}

// TestLive records usual days of three workloads, learns them, records another
// with attacks, and prints what was found of them and what besides.
func TestLive(t *testing.T) {
	if *again != "" {
		labels, err := feature.OpenLabels(filepath.Join(*again, "labels.csv"))
		if err != nil {
			t.Fatal(err)
		}
		(&measurement{dir: *again, binary: build(t, "mayfly/cmd/mayfly"), labels: labels}).report(t)
		return
	}
	if *minutes == 0 {
		t.Skip("a measurement: ask for it with -minutes 4")
	}
	if os.Geteuid() != 0 {
		dockertest.Cannot(t, "recording needs root")
	}
	m := &measurement{dir: *keep, binary: build(t, "mayfly/cmd/mayfly")}
	if m.dir == "" {
		m.dir = t.TempDir()
	}
	p := &place{docker: &dockertest.Daemon{Host: os.Getenv("DOCKER_HOST")}, load: build(t, "./load")}
	if !*beside {
		p.docker = dockertest.StartDaemon(t)
	}
	p.images(t)

	usual := int(60 * cmp.Or(*learn, 1.5**minutes))
	m.record(t, p, "usual", func(seconds int) { p.usual(t, seconds) }, usual)
	m.record(t, p, "attacked", func(seconds int) { m.labels = p.attacked(t, seconds) }, int(60**minutes))
	m.write(t, "labels.csv", m.labels)
	m.report(t)
}

// measurement is where everything is written.
type measurement struct {
	dir, binary string
	labels      []feature.Label
}

func (m *measurement) path(name string) string { return filepath.Join(m.dir, name) }

func (m *measurement) write(t *testing.T, name string, labels []feature.Label) {
	t.Helper()
	text := "container,from,to,attack\n"
	for _, l := range labels {
		text += line(l)
	}
	if err := os.WriteFile(m.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// record records what do does.
func (m *measurement) record(t *testing.T, p *place, name string, do func(seconds int), seconds int) {
	t.Helper()
	cmd := exec.Command(m.binary, "record", "-o", m.path(name), "--rotate", "1h", "--select", "label="+label+"="+*run)
	if p.docker.Host != "" {
		cmd.Args = append(cmd.Args, "--runtime", "docker="+p.docker.Host)
	}
	said := new(watched)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // where the test ends before it asks it to stop
	// What begins while the recorder begins is seen in part: a busy machine took it
	// longer than any fixed sleep.
	for deadline := time.Now().Add(time.Minute); !strings.Contains(said.String(), `"msg":"recording"`); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("mayfly record: does not record\n%s", said.String())
		}
	}
	do(seconds)
	p.loads.Wait()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("mayfly record: %v\n%s", err, said.String())
	}
	t.Logf("mayfly record, %s, %d s\n%s", name, seconds, said.String())
}

// watched is what a program has said so far.
type watched struct {
	sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(b []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.Lock()
	defer w.Unlock()
	return w.text.String()
}

// mayfly runs a command line that must not fail, or only in part.
func (m *measurement) mayfly(t *testing.T, args ...string) (stdout []byte) {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), m.binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != 3 {
		t.Fatalf("mayfly %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	t.Logf("mayfly %s\n%s", strings.Join(args, " "), said.String())
	return out.Bytes()
}

// kinds of servers.
var kinds = []string{"web", "db", "cgi", "worker"}

// label is of all containers, its value the name of the run.
const label = "mayfly-live"

// usual is a time without attacks: servers of each kind at a time; halfway through
// others take their place.
func (p *place) usual(t *testing.T, seconds int) {
	t.Helper()
	p.runJobs(t, seconds)
	begin := time.Now()
	for n := range 2 {
		end := begin.Add(time.Duration((n+1)*seconds/2) * time.Second)
		var running []*dockertest.Container
		for side := range *servers {
			for _, kind := range kinds {
				running = append(running, p.serve(t, kind, fmt.Sprintf("usual-%d-%d", n, side), end))
			}
		}
		time.Sleep(time.Until(end.Add(2 * time.Second)))
		for _, c := range running {
			c.Remove(t)
		}
	}
}

// attacked is a time in which some of the servers, one after the other, and some of
// the jobs are attacked, in an order of chance.
func (p *place) attacked(t *testing.T, seconds int) (labels []feature.Label) {
	t.Helper()
	p.runJobs(t, seconds)
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	running := map[string][]*dockertest.Container{}
	for n := range *servers {
		for _, kind := range kinds {
			running[kind] = append(running[kind], p.serve(t, kind, fmt.Sprint(n), end))
		}
	}
	begin := time.Now()
	seconds = int(time.Until(end).Seconds())
	attacks := attacks
	if *fresh {
		attacks = slices.Concat(attacks, freshAttacks)
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(attacks))
	for i, at := range order {
		// They begin after a sixth of the time and end before the last tenth.
		due := time.Duration(float64(seconds)*(1./6+0.73*float64(i)/float64(len(order)))*1e3) * time.Millisecond
		time.Sleep(time.Until(begin.Add(due)))
		a := attacks[at]
		var c *dockertest.Container
		if n := len(running[a.in]); n > 0 {
			c = running[a.in][i%n]
		}
		labels = append(labels, p.perform(t, a, c))
	}
	p.loads.Wait()
	return labels
}

// sent sends text to a container's server and returns what it answers.
func sent(t *testing.T, pid, port, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "-t", pid, "-n", "/bin/busybox", "nc", "-w", "2", "127.0.0.1", port)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("nc: %v", err)
	}
	return string(out)
}

package live

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mayfly/feature"
	"mayfly/record/dockertest"
)

var (
	minutes = flag.Float64("minutes", 0, "how long to look for attacks, after half as long again to learn; 0: not at all")
	keep    = flag.String("keep", "", "folder to leave recordings, labels and findings in")
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
	p := &place{docker: dockertest.StartDaemon(t), load: build(t, "./load")}
	p.web, p.db, p.jobs = images(t, p.docker)

	m.record(t, p, "usual", func(seconds int) { p.usual(t, seconds) }, int(90**minutes))
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
	cmd := exec.Command(m.binary, "record", "-o", m.path(name), "--rotate", "1h", "--select", "image=mayfly-live/*")
	if p.docker.Host != "" {
		cmd.Args = append(cmd.Args, "--runtime", "docker="+p.docker.Host)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // where the test ends before it asks it to stop
	time.Sleep(3 * time.Second)
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

// usual is a time without attacks. Two web servers and two
// databases run at a time; halfway through others take their place.
func (p *place) usual(t *testing.T, seconds int) {
	t.Helper()
	p.runJobs(t, seconds)
	half := seconds / 2
	for n := range 2 {
		var servers []*dockertest.Container
		for side := range 2 {
			servers = append(servers, p.serve(t, fmt.Sprintf("web-usual-%d-%d", n, side), p.web, "http", webPort, half),
				p.serve(t, fmt.Sprintf("db-usual-%d-%d", n, side), p.db, "redis", redisPort, half))
		}
		time.Sleep(time.Duration(half+2) * time.Second)
		for _, c := range servers {
			c.Remove(t)
		}
	}
}

// attacked is a time in which one web server of three, one database of three and
// some of the jobs are attacked, in an order of chance.
func (p *place) attacked(t *testing.T, seconds int) (labels []feature.Label) {
	t.Helper()
	p.runJobs(t, seconds)
	replicas := map[string]*dockertest.Container{}
	for n := range 3 {
		replicas["web"] = p.serve(t, fmt.Sprintf("web-%d", n), p.web, "http", webPort, seconds)
		replicas["db"] = p.serve(t, fmt.Sprintf("db-%d", n), p.db, "redis", redisPort, seconds)
	}
	begin := time.Now()
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(attacks))
	for i, at := range order {
		// They begin after a sixth of the time and end before the last tenth.
		due := time.Duration(float64(seconds)*(1./6+0.73*float64(i)/float64(len(order)))*1e3) * time.Millisecond
		time.Sleep(time.Until(begin.Add(due)))
		labels = append(labels, p.perform(t, attacks[at], replicas))
	}
	p.loads.Wait()
	return labels
}

// sent sends commands to a container's database and returns what it answers.
func sent(t *testing.T, pid, commands string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "-t", pid, "-n", "/bin/busybox", "nc", "-w", "2", "127.0.0.1", redisPort)
	cmd.Stdin = strings.NewReader(commands + "QUIT\r\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("nc: %v", err)
	}
	return string(out)
}

package runtimes

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// Without systemd, with limits that a container of containers may set.
const podmanConfig = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
`

// podman is a store of the test's own, and a service that answers for it.
type podman struct {
	dir    string
	socket string
}

func (p *podman) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "podman", append([]string{"--root", filepath.Join(p.dir, "root"), "--runroot", filepath.Join(p.dir, "run"),
		"--tmpdir", filepath.Join(p.dir, "tmp"), "--storage-driver", "vfs"}, args...)...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+filepath.Join(p.dir, "conf"))
	return cmd
}

func (p *podman) run(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := p.command(ctx, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, errs.Bytes())
	}
	return strings.TrimSpace(string(out))
}

func startPodman(t *testing.T) *podman {
	t.Helper()
	dockertest.Alone(t)
	if _, err := exec.LookPath("podman"); err != nil || os.Geteuid() != 0 {
		dockertest.Cannot(t, "podman: needs root and Debian's package podman")
	}
	dir, err := os.MkdirTemp("", "pod") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	p := &podman{dir: dir, socket: filepath.Join(dir, "s")}
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(podmanConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := p.command(context.Background(), "system", "service", "--time", "0", "unix://"+p.socket)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.command(context.Background(), "rm", "--all", "--force", "--time", "0").Run()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for range 100 {
		if _, err := os.Stat(p.socket); err == nil {
			return p
		}
		time.Sleep(100 * time.Millisecond)
	}
	dockertest.Cannot(t, fmt.Sprintf("podman's service does not answer: %s", log.String()))
	return nil
}

// TestPodman asks podman by the API that it shares with Docker, of a container
// that was there and of one that is gone at once.
func TestPodman(t *testing.T) {
	p := startPodman(t)
	p.run(t, dockertest.Layer(t, dockertest.BusyboxFiles(t)), "import", "--change", "ENV=PATH=/bin", "-", testImage)
	how := []string{"run", "--network", "none", "--label", "app=web", "--read-only", "--security-opt", "no-new-privileges", "--cap-add", "SYS_TIME"}
	before := p.run(t, nil, append(slices.Clone(how), "--detach", "--name", "before", testImage, "sleep", "3600")...)
	s := startWatch(t, Source{Kind: Podman, Address: "unix://" + p.socket})
	c := s.until(before, "full", full)
	if c.Runtime != "podman" || c.Name != "before" || c.Image != testImage || !slices.Contains(c.Labels, "app=web") ||
		c.ReadonlyRoot == nil || !*c.ReadonlyRoot || c.NoNewPrivs == nil || !*c.NoNewPrivs || c.NetworkMode != "none" ||
		!slices.Contains(c.CapAdd, "CAP_SYS_TIME") || c.StartedNS == nil {
		t.Errorf("got %+v", c)
	}
	id := filepath.Join(t.TempDir(), "id")
	p.run(t, nil, append(slices.Clone(how), "--rm", "--cidfile", id, "--name", "short", testImage, "true")...)
	text, err := os.ReadFile(id)
	if err != nil {
		t.Fatal(err)
	}
	c = s.until(string(text), "known", func(c *trace.Container) bool { return c.Name != "" })
	if c.Name != "short" || c.Runtime != "podman" || c.Image != testImage || !slices.Contains(c.Labels, "app=web") {
		t.Errorf("got %+v", c)
	}
}

package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// TestImage builds the image and runs it as the DaemonSet would: three
// capabilities, a root that cannot be written, the host's pids. It must record
// another container, and not itself.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an image")
	}
	if os.Geteuid() != 0 {
		dockertest.Cannot(t, "recording needs root")
	}
	docker := dockertest.StartDaemon(t)
	dir := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s", "-o", filepath.Join(dir, "mayfly"), "mayfly/cmd/mayfly")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	const image = "mayfly-test/mayfly:1"
	docker.Docker(t, "build", "--quiet", "--tag", image, "--file", "Dockerfile", dir)
	busybox := docker.BusyboxImage(t)
	out := filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	options := []string{"--network", "none", "--pid", "host", "--read-only", "--cap-drop", "ALL", "--cap-add", "SYS_PTRACE",
		"--security-opt", "no-new-privileges", "--security-opt", "apparmor=unconfined", "--volume", out + ":/var/lib/mayfly"}
	recorder := docker.RunWith(t, append(options, attaching(t, docker, busybox)...),
		image, "record", "-o", "/var/lib/mayfly/trace", "--no-runtime", "--log", "json")
	for tries := 0; !strings.Contains(logs(t, docker, recorder), `"msg":"recording"`); tries++ {
		if tries > 300 {
			t.Fatalf("does not record:\n%s", logs(t, docker, recorder))
		}
		time.Sleep(100 * time.Millisecond)
	}
	other := docker.Run(t, busybox, "sh", "-c", "cat /etc/passwd; exit 3")
	other.Wait(t)
	time.Sleep(time.Second)
	docker.Docker(t, "stop", "--time", "30", recorder.ID)
	if status := docker.Docker(t, "inspect", "--format", "{{.State.ExitCode}}", recorder.ID); status != "0" {
		t.Errorf("exit status %s\n%s", status, logs(t, docker, recorder))
	}
	events := map[string]int{}
	tr, err := trace.Open(filepath.Join(out, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range tr.Scan(t.Context(), trace.Events, trace.ScanOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows, err := trace.Rows[trace.Event](rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rows {
			events[e.ContainerID+" "+e.Kind]++
		}
	}
	if events[other.ID+" exec"] == 0 || events[other.ID+" exit"] == 0 || events[other.ID+" open"] == 0 {
		t.Errorf("of the other container: got %v", events)
	}
	for what := range events {
		if strings.HasPrefix(what, recorder.ID) {
			t.Errorf("of itself: got %v", events)
		}
	}
}

// attaching are the capabilities to load and attach. Debian 12's Docker knows no
// newer ones than Linux 5.6: there it takes CAP_SYS_ADMIN, which the recorder gives
// up like the others.
func attaching(t *testing.T, d *dockertest.Daemon, image string) []string {
	t.Helper()
	_, err := d.Try("run", "--rm", "--network", "none", "--cap-add", "BPF", image, "true")
	if err != nil && strings.Contains(err.Error(), "unknown capability") {
		return []string{"--cap-add", "SYS_ADMIN"}
	}
	return []string{"--cap-add", "BPF", "--cap-add", "PERFMON"}
}

// logs is all that a container printed.
func logs(t *testing.T, d *dockertest.Daemon, c *dockertest.Container) string {
	t.Helper()
	args := []string{"logs", c.ID}
	if d.Host != "" {
		args = append([]string{"--host", d.Host}, args...)
	}
	out, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker logs: %v\n%s", err, out)
	}
	return string(out)
}

package runtimes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// seen gathers facts as the recorder does.
type seen struct {
	t     *testing.T
	facts chan *trace.Container
	all   map[string]*trace.Container
}

func startWatch(t *testing.T, sources ...Source) *seen {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	s := &seen{t: t, facts: make(chan *trace.Container, 256), all: map[string]*trace.Container{}}
	Watch(ctx, sources, s.facts, slog.New(slog.DiscardHandler))
	return s
}

// until takes facts in until they say of a container what is wanted.
func (s *seen) until(id, what string, ok func(*trace.Container) bool) *trace.Container {
	s.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		if c := s.all[id]; c != nil && ok(c) {
			return c
		}
		select {
		case c := <-s.facts:
			s.all[c.ContainerID] = Merge(s.all[c.ContainerID], c)
		case <-timeout:
			s.t.Fatalf("container %s: not %s: %+v", id, what, s.all[id])
		}
	}
}

func full(c *trace.Container) bool { return c.Facts == trace.FactsFull }

const containerdConfig = `version = 2
root = "%[1]s/root"
state = "%[1]s/state"
[grpc]
  address = "%[1]s/s"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "mayfly.test/busybox:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "%[1]s/cni"
`

// startContainerd starts a containerd of the test's own, with its CRI plugin,
// and returns the path of its socket.
func startContainerd(t *testing.T) string {
	t.Helper()
	dockertest.Alone(t)
	program, err := exec.LookPath("containerd")
	if err != nil || os.Geteuid() != 0 {
		dockertest.Cannot(t, "containerd: needs root and Debian's package containerd")
	}
	dir, err := os.MkdirTemp("", "ctd") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, containerdConfig, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config", config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	socket := filepath.Join(dir, "s")
	for range 100 {
		if exec.Command("ctr", "--address", socket, "version").Run() == nil {
			return socket
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	dockertest.Cannot(t, "containerd does not answer: "+string(text))
	return ""
}

// ctr runs containerd's own command line.
func ctr(t *testing.T, socket, namespace string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args = append([]string{"--address", socket, "--namespace", namespace}, args...)
	if out, err := exec.CommandContext(ctx, "ctr", args...).CombinedOutput(); err != nil {
		t.Fatalf("ctr %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func randomID() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// TestContainerd runs containers by containerd itself, one that lives and one that
// is gone at once, in a namespace of their own.
func TestContainerd(t *testing.T) {
	socket := startContainerd(t)
	ctr(t, socket, "apart", "images", "import", "--snapshotter", "native", imageArchive(t, testImage))
	run := func(id, how string, command ...string) {
		ctr(t, socket, "apart", append([]string{"run", "--snapshotter", "native", how, "--label", "app=web", "--read-only",
			"--cap-add", "CAP_SYS_TIME", "--cap-drop", "CAP_NET_RAW", testImage, id}, command...)...)
	}
	before, short := randomID(), randomID()
	run(before, "--detach", "/bin/sleep", "3600")
	t.Cleanup(func() {
		for _, args := range [][]string{{"tasks", "rm", "--force", before}, {"containers", "rm", before}} {
			_ = exec.Command("ctr", append([]string{"--address", socket, "--namespace", "apart"}, args...)...).Run()
		}
	})
	s := startWatch(t, Source{Kind: Containerd, Address: "unix://" + socket})
	check := func(c *trace.Container) {
		t.Helper()
		if c.Runtime != "containerd" || c.Image != testImage || !strings.HasPrefix(c.ImageDigest, "sha256:") || !slices.Contains(c.Labels, "app=web") ||
			c.ReadonlyRoot == nil || !*c.ReadonlyRoot || c.NoNewPrivs == nil || c.NetworkMode != "private" || c.User != "0:0" || c.Seccomp != "unconfined" ||
			!slices.Equal(c.CapAdd, []string{"CAP_SYS_TIME"}) || !slices.Equal(c.CapDrop, []string{"CAP_NET_RAW"}) {
			t.Errorf("got %+v", c)
		}
	}
	check(s.until(before, "full", full))
	run(short, "--rm", "/bin/true")
	c := s.until(short, "ended", func(c *trace.Container) bool { return full(c) && c.StartedNS != nil && c.FinishedNS != nil })
	check(c)
	if life := *c.FinishedNS - *c.StartedNS; life <= 0 || life > int64(time.Minute) {
		t.Errorf("lived %v", time.Duration(life))
	}
}

// TestCRI runs a pod by a CRI runtime, as a kubelet would, and wants what the
// runtime knows of it by either API.
func TestCRI(t *testing.T) {
	socket := startContainerd(t)
	ctr(t, socket, "k8s.io", "images", "import", "--snapshotter", "native", imageArchive(t, testImage))
	s := startWatch(t, Source{Kind: CRI, Address: "unix://" + socket}, Source{Kind: Containerd, Address: "unix://" + socket})
	conn, err := dial("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	api := cri.NewRuntimeServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pod := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: "web-5b8d7c9f6d-x2x4z", Namespace: "shop", Uid: "c44b5a09-14d0-4b2a-9b1c-0d9a2f6c0f7e"},
		LogDirectory: t.TempDir(),
		Labels: map[string]string{"app": "web", "pod-template-hash": "5b8d7c9f6d", podNameLabel: "web-5b8d7c9f6d-x2x4z",
			podNamespaceLabel: "shop", podUIDLabel: "c44b5a09-14d0-4b2a-9b1c-0d9a2f6c0f7e"},
		Linux: &cri.LinuxPodSandboxConfig{CgroupParent: "/mayfly-pods/podc44b5a09-14d0-4b2a-9b1c-0d9a2f6c0f7e",
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_NODE}}}, // without CNI
	}
	sandbox, err := api.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: pod})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, _ = api.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: sandbox.PodSandboxId})
		_, _ = api.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: sandbox.PodSandboxId})
	})
	created, err := api.CreateContainer(ctx, &cri.CreateContainerRequest{PodSandboxId: sandbox.PodSandboxId, SandboxConfig: pod,
		Config: &cri.ContainerConfig{Metadata: &cri.ContainerMetadata{Name: "nginx", Attempt: 2}, Image: &cri.ImageSpec{Image: testImage},
			Command: []string{"/bin/sleep"}, Args: []string{"3600"},
			Labels: map[string]string{containerLabel: "nginx", podNameLabel: "web-5b8d7c9f6d-x2x4z", podNamespaceLabel: "shop"},
			Linux: &cri.LinuxContainerConfig{SecurityContext: &cri.LinuxContainerSecurityContext{ReadonlyRootfs: true, NoNewPrivs: true,
				RunAsUser: &cri.Int64Value{Value: 1000}, Seccomp: &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined},
				NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_NODE}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: created.ContainerId}); err != nil {
		t.Fatal(err)
	}
	c := s.until(created.ContainerId, "started, by both APIs", func(c *trace.Container) bool {
		return full(c) && c.StartedNS != nil && c.RestartCount != nil && c.ImageDigest != "" && c.Owner != ""
	})
	if c.Runtime != "containerd" || c.Name != "nginx" || c.Pod != "web-5b8d7c9f6d-x2x4z" || c.PodNamespace != "shop" || c.PodUID != pod.Metadata.Uid ||
		c.Sandbox != sandbox.PodSandboxId || c.Owner != "Deployment/web" || !slices.Contains(c.Labels, "app=web") || *c.RestartCount != 2 ||
		c.Image != testImage || c.User != "1000:0" || !*c.ReadonlyRoot || !*c.NoNewPrivs || c.NetworkMode != "host" || c.Seccomp != "unconfined" ||
		c.Privileged == nil || *c.Privileged || !slices.Equal(c.Cmd, []string{"/bin/sleep", "3600"}) {
		t.Errorf("container: got %+v", c)
	}
	c = s.until(sandbox.PodSandboxId, "full", full)
	if c.Name != "POD" || c.Pod != "web-5b8d7c9f6d-x2x4z" || c.PodUID != pod.Metadata.Uid {
		t.Errorf("sandbox: got %+v", c)
	}
}

package runtimes

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// TestMoby asks the containerd that dockerd starts for itself: of Docker's
// containers it knows the configuration and neither name nor image. With Docker's
// own answer both make one.
func TestMoby(t *testing.T) {
	dockertest.Alone(t)
	d := dockertest.StartOwnDaemon(t)
	image := d.BusyboxImage(t)
	dir := filepath.Dir(strings.TrimPrefix(d.Host, "unix://"))
	below := Source{Kind: Containerd, Address: "unix://" + filepath.Join(dir, "exec", "containerd", "containerd.sock")}
	id := d.RunWith(t, []string{"--network", "none", "--name", "web", "--label", "app=web", "--read-only", "--cap-add", "SYS_TIME", "--cap-drop", "NET_RAW"},
		image, "sleep", "3600").ID
	alone := startWatch(t, below)
	c := alone.until(id, "known", func(c *trace.Container) bool { return c.ReadonlyRoot != nil })
	if c.Runtime != "docker" || c.Facts != trace.FactsPartial || c.Name != "" || !*c.ReadonlyRoot || c.Mounts != nil || c.Cmd != nil || c.Labels != nil ||
		!slices.Equal(c.CapAdd, []string{"CAP_SYS_TIME"}) || !slices.Equal(c.CapDrop, []string{"CAP_NET_RAW"}) {
		t.Errorf("by containerd: got %+v", c)
	}
	both := startWatch(t, below, Source{Kind: Docker, Address: d.Host})
	c = both.until(id, "full", full)
	if c.Runtime != "docker" || c.Name != "web" || c.Image != image || !slices.Contains(c.Labels, "app=web") ||
		!slices.Equal(c.CapAdd, []string{"CAP_SYS_TIME"}) || c.IPCMode != "private" || c.NetworkMode != "none" || c.Seccomp != "default" || c.Mounts != nil || c.User != "" {
		t.Errorf("by both: got %+v", c)
	}
}

package runtimes

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"mayfly/trace"
)

// docker asks a Docker daemon, or podman in its place, for the facts of each
// container: of those that run, and of each new one at its creation, because one
// that is removed when it ends may be gone a moment later.
type docker struct {
	runtime string // Docker or Podman
	client  *client.Client
	sink    sink
	slots   chan struct{} // inspections at a time

	mu     sync.Mutex
	images map[string]string // image id → repo digest
}

func newDocker(s Source, out sink) (*docker, error) {
	c, err := client.New(client.WithHost(s.Address))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return &docker{runtime: s.Kind, client: c, sink: out, images: map[string]string{}, slots: make(chan struct{}, 16)}, nil
}

func (d *docker) close() { _ = d.client.Close() }

// follow inspects the containers that run and then those that events name.
func (d *docker) follow(ctx context.Context, connected func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The stream first: a container created in between is in one of the two.
	// Podman's filter does not know Docker's names of its events.
	filters := client.Filters{}.Add("type", string(events.ContainerEventType))
	if d.runtime == Docker {
		filters = filters.Add("event", "create", "start", "die", "rename")
	}
	stream := d.client.Events(ctx, client.EventsListOptions{Filters: filters})
	list, err := d.client.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return err
	}
	connected()
	for _, c := range list.Items {
		d.sink.send(ctx, d.summaryFacts(&c))
		d.inspect(ctx, c.ID)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-stream.Err:
			return err
		case m := <-stream.Messages:
			switch m.Action {
			case events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionRename, "died":
				d.sink.send(ctx, d.messageFacts(&m))
				d.inspect(ctx, m.Actor.ID)
			}
		}
	}
}

// inspect asks for one container, beside others: the daemon does not answer for
// a container while it starts or removes it.
func (d *docker) inspect(ctx context.Context, id string) {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	go func() {
		defer func() { <-d.slots }()
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		result, err := d.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		if err != nil {
			d.sink.log.Debug("docker inspect", "container", id, "error", err)
			return
		}
		facts := dockerFacts(&result.Container)
		facts.Runtime = d.runtime
		facts.ImageDigest = d.digest(ctx, facts.ImageID)
		d.sink.send(ctx, facts)
	}()
}

// messageFacts is what an event itself tells of a container: enough to know it
// by, should it be gone before it is inspected.
func (d *docker) messageFacts(m *events.Message) *trace.Container {
	c := &trace.Container{ContainerID: m.Actor.ID, Runtime: d.runtime, Facts: trace.FactsPartial,
		Name: m.Actor.Attributes["name"], Image: m.Actor.Attributes["image"]}
	switch m.Action {
	case events.ActionStart:
		c.StartedNS = new(m.TimeNano)
	case events.ActionDie, "died":
		c.FinishedNS = new(m.TimeNano)
	}
	labels := maps.Clone(m.Actor.Attributes)
	for _, key := range notLabels {
		delete(labels, key)
	}
	setLabels(c, labels)
	return c
}

// notLabels are the attributes of an event that are not the container's labels.
var notLabels = []string{"name", "image", "exitCode", "execDuration", "signal", "oldName",
	"containerExitCode", "podId", "PodID", "ID"}

// summaryFacts is what the list of containers tells of one.
func (d *docker) summaryFacts(s *api.Summary) *trace.Container {
	c := &trace.Container{ContainerID: s.ID, Runtime: d.runtime, Facts: trace.FactsPartial, Image: s.Image}
	if len(s.Names) > 0 {
		c.Name = strings.TrimPrefix(s.Names[0], "/")
	}
	setLabels(c, s.Labels)
	return c
}

// digest is the repo digest of an image, "" for one that was never pushed or pulled.
func (d *docker) digest(ctx context.Context, image string) string {
	d.mu.Lock()
	digest, ok := d.images[image]
	d.mu.Unlock()
	if ok || image == "" {
		return digest
	}
	result, err := d.client.ImageInspect(ctx, image)
	if err != nil {
		return ""
	}
	if len(result.RepoDigests) > 0 {
		_, digest, _ = strings.Cut(result.RepoDigests[0], "@")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.images) > 4096 {
		clear(d.images)
	}
	d.images[image] = digest
	return digest
}

// dockerFacts makes a row of what docker inspect says.
func dockerFacts(in *api.InspectResponse) *trace.Container {
	c := &trace.Container{
		ContainerID: in.ID, Runtime: Docker, Facts: trace.FactsFull, Name: strings.TrimPrefix(in.Name, "/"),
		ImageID: in.Image, AppArmor: in.AppArmorProfile, SELinux: in.ProcessLabel,
		RestartCount: new(int64(in.RestartCount)),
	}
	if s := in.State; s != nil {
		c.StartedNS, c.FinishedNS = when(s.StartedAt), when(s.FinishedAt)
		if s.Running {
			c.FinishedNS = nil // of an earlier run
		}
	}
	if h := in.HostConfig; h != nil {
		hostFacts(c, h)
	}
	for _, m := range in.Mounts {
		mode := "ro"
		if m.RW {
			mode = "rw"
		}
		c.Mounts = append(c.Mounts, m.Source+":"+m.Destination+":"+mode)
	}
	slices.Sort(c.Mounts)
	if cfg := in.Config; cfg != nil {
		c.Image, c.User = cfg.Image, cfg.User
		c.Entrypoint, c.Cmd = cfg.Entrypoint, cfg.Cmd
		setLabels(c, cfg.Labels)
		for port := range cfg.ExposedPorts {
			c.Ports = append(c.Ports, port.String())
		}
		slices.Sort(c.Ports)
	}
	return c
}

func hostFacts(c *trace.Container, h *api.HostConfig) {
	c.Privileged, c.ReadonlyRoot = new(h.Privileged), new(h.ReadonlyRootfs)
	c.CapAdd, c.CapDrop = capabilities(h.CapAdd), capabilities(h.CapDrop)
	c.NetworkMode, c.PIDMode, c.IPCMode = string(h.NetworkMode), string(h.PidMode), string(h.IpcMode)
	c.UTSMode, c.UserNSMode = string(h.UTSMode), string(h.UsernsMode)
	c.Seccomp, c.NoNewPrivs = seccomp(h), new(noNewPrivs(h))
}

// capabilities are names as the kernel has them, CAP_NET_ADMIN, or ALL; podman
// and older versions of Docker keep what the user wrote.
func capabilities(names []string) []string {
	var full []string
	for _, name := range names {
		if name = strings.ToUpper(name); name != "ALL" && !strings.HasPrefix(name, "CAP_") {
			name = "CAP_" + name
		}
		full = append(full, name)
	}
	slices.Sort(full)
	return full
}

// noNewPrivs reads no-new-privileges, no-new-privileges=true and, as older
// versions have it, :true.
func noNewPrivs(h *api.HostConfig) bool {
	for _, opt := range h.SecurityOpt {
		if value, ok := strings.CutPrefix(opt, "no-new-privileges"); ok {
			return value == "" || value[1:] == "true"
		}
	}
	return false
}

// seccomp names the profile: unconfined, default, or for one of its own the
// start of the hash of its text, which Docker keeps in full.
func seccomp(h *api.HostConfig) string {
	for _, opt := range h.SecurityOpt {
		profile, ok := strings.CutPrefix(strings.Replace(opt, "seccomp:", "seccomp=", 1), "seccomp=")
		switch {
		case !ok:
		case strings.HasPrefix(strings.TrimSpace(profile), "{"):
			return fmt.Sprintf("custom:%.6x", sha256.Sum256([]byte(profile)))
		default:
			return profile
		}
	}
	if h.Privileged {
		return "unconfined"
	}
	return "default"
}

// when reads Docker's times; its zero time is none.
func when(s string) *int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 {
		return nil
	}
	return new(t.UnixNano())
}

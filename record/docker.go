package record

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
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

// docker asks a Docker daemon for the facts of each container: of those that
// run, and of each new one at its creation, because one that is removed
// when it ends may be gone a moment later.
type docker struct {
	client *client.Client
	facts  chan<- *trace.Container
	log    *slog.Logger
	slots  chan struct{} // inspections at a time

	mu     sync.Mutex
	images map[string]string // image id → repo digest
}

// watchDocker sends facts until ctx ends. A daemon that does not answer, or goes
// away, is asked again now and then; nothing waits for it.
func watchDocker(ctx context.Context, host string, facts chan<- *trace.Container, log *slog.Logger) error {
	opts := []client.Opt{}
	if host != "" {
		opts = append(opts, client.WithHost(host))
	}
	c, err := client.New(opts...)
	if err != nil {
		return fmt.Errorf("docker host %q: %w", host, err)
	}
	d := &docker{client: c, facts: facts, log: log, images: map[string]string{}, slots: make(chan struct{}, 16)}
	go func() {
		defer func() { _ = c.Close() }()
		for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, 30*time.Second) {
			err := d.follow(ctx)
			log.Debug("docker", "error", err, "again in", wait)
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}()
	return nil
}

// follow inspects the containers that run and then those that events name.
func (d *docker) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The stream first: a container created in between is in one of the two.
	stream := d.client.Events(ctx, client.EventsListOptions{
		Filters: client.Filters{}.Add("type", string(events.ContainerEventType)).
			Add("event", "create", "start", "die", "rename"),
	})
	list, err := d.client.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return err
	}
	for _, c := range list.Items {
		d.send(ctx, summaryFacts(&c))
		d.inspect(ctx, c.ID)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-stream.Err:
			return err
		case m := <-stream.Messages:
			if m.Action == events.ActionCreate {
				d.send(ctx, messageFacts(m.Actor))
			}
			d.inspect(ctx, m.Actor.ID)
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
			d.log.Debug("docker inspect", "container", id, "error", err)
			return
		}
		facts := dockerFacts(&result.Container)
		facts.ImageDigest = d.digest(ctx, facts.ImageID)
		d.send(ctx, facts)
	}()
}

func (d *docker) send(ctx context.Context, facts *trace.Container) {
	select {
	case d.facts <- facts:
	case <-ctx.Done():
	}
}

// messageFacts is what an event itself tells of a container: enough to know it
// by, should it be gone before it is inspected.
func messageFacts(actor events.Actor) *trace.Container {
	c := &trace.Container{ContainerID: actor.ID, Runtime: "docker",
		Name: actor.Attributes["name"], Image: actor.Attributes["image"]}
	labels := maps.Clone(actor.Attributes)
	delete(labels, "name")
	delete(labels, "image")
	setLabels(c, labels)
	return c
}

// summaryFacts is what the list of containers tells of one.
func summaryFacts(s *api.Summary) *trace.Container {
	c := &trace.Container{ContainerID: s.ID, Runtime: "docker", Image: s.Image}
	if len(s.Names) > 0 {
		c.Name = strings.TrimPrefix(s.Names[0], "/")
	}
	setLabels(c, s.Labels)
	return c
}

func setLabels(c *trace.Container, labels map[string]string) {
	c.Labels = nil
	for key, value := range labels {
		c.Labels = append(c.Labels, key+"="+value)
	}
	slices.Sort(c.Labels)
	c.Pod, c.PodNamespace = labels[podLabel], labels[podNamespaceLabel]
}

// Labels that Kubernetes puts on its containers.
const (
	podLabel          = "io.kubernetes.pod.name"
	podNamespaceLabel = "io.kubernetes.pod.namespace"
)

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
		ContainerID: in.ID, Runtime: "docker", Name: strings.TrimPrefix(in.Name, "/"),
		ImageID: in.Image, AppArmor: in.AppArmorProfile,
	}
	if s := in.State; s != nil {
		c.StartedNS, c.FinishedNS = when(s.StartedAt), when(s.FinishedAt)
		if s.Running {
			c.FinishedNS = nil // of an earlier run
		}
	}
	if h := in.HostConfig; h != nil {
		c.Privileged = new(h.Privileged)
		c.CapAdd, c.CapDrop = slices.Sorted(slices.Values(h.CapAdd)), slices.Sorted(slices.Values(h.CapDrop))
		c.NetworkMode, c.PIDMode = string(h.NetworkMode), string(h.PidMode)
		c.Seccomp = seccomp(h)
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

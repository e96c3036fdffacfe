package runtimes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"mayfly/trace"
)

// criClient asks a runtime by the Container Runtime Interface. Where it sends events
// (GetContainerEvents, CRI-O from 1.26 with enable_pod_events, containerd from 1.7 on) they are
// followed; else its list is read once a second, which misses containers that come
// and go in between.
type criClient struct {
	conn      *grpc.ClientConn
	sink      sink
	api       cri.RuntimeServiceClient
	runtime   string
	told      map[string]cri.ContainerState // of each container, at its last description
	sandboxes map[string]*cri.PodSandboxStatus
}

func newCRI(address string, out sink) (*criClient, error) {
	conn, err := dial(address)
	if err != nil {
		return nil, err
	}
	return &criClient{conn: conn, sink: out, api: cri.NewRuntimeServiceClient(conn)}, nil
}

func (d *criClient) close() { _ = d.conn.Close() }

// criPoll is how often the list is read where there are no events.
const criPoll = time.Second

func (d *criClient) follow(ctx context.Context, connected func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	version, err := d.api.Version(ctx, &cri.VersionRequest{})
	if status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("%w: %w", errNotServed, err)
	}
	if err != nil {
		return err
	}
	d.runtime = version.RuntimeName // containerd, cri-o
	d.told, d.sandboxes = map[string]cri.ContainerState{}, map[string]*cri.PodSandboxStatus{}
	changed := make(chan error, 1)
	go func() { changed <- d.stream(ctx) }()
	if err := d.list(ctx); err != nil {
		return err
	}
	connected()
	tick := time.NewTicker(criPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-changed:
			if !noEvents(err) {
				return err
			}
			d.sink.log.Debug("container runtime sends no events; its list is read each second")
		case <-tick.C:
			if err := d.list(ctx); err != nil {
				return err
			}
		}
	}
}

// noEvents says of the end of a stream of events that the runtime sends none: it does
// not know them, or is set up without, as CRI-O is by default, whose stream ends at
// once. One that went away shows it when its list is read next.
func noEvents(err error) bool {
	return status.Code(err) == codes.Unimplemented || errors.Is(err, io.EOF)
}

// stream sends the facts that come with events, until there are no more.
func (d *criClient) stream(ctx context.Context) error {
	stream, err := d.api.GetContainerEvents(ctx, &cri.GetEventsRequest{})
	if err != nil {
		return err
	}
	for {
		e, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, s := range e.ContainersStatuses {
			if s != nil {
				d.sink.send(ctx, d.facts(s, e.PodSandboxStatus, nil))
			}
		}
	}
}

// list describes the containers and sandboxes that are new or changed since.
func (d *criClient) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	pods, err := d.api.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return fmt.Errorf("list of pods: %w", err)
	}
	here := map[string]bool{}
	for _, pod := range pods.Items {
		here[pod.Id] = true
		if d.sandboxes[pod.Id] == nil {
			d.sandbox(ctx, pod.Id)
		}
	}
	list, err := d.api.ListContainers(ctx, &cri.ListContainersRequest{})
	if err != nil {
		return fmt.Errorf("list of containers: %w", err)
	}
	for _, c := range list.Containers {
		here[c.Id] = true
		if state, ok := d.told[c.Id]; ok && state == c.State {
			continue
		}
		s, err := d.api.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: c.Id, Verbose: true})
		if err != nil || s.Status == nil {
			d.sink.log.Debug("cri container", "container", c.Id, "error", err)
			continue
		}
		pod := d.sandboxes[c.PodSandboxId]
		if pod != nil { // else it is asked again: labels and owner are the pod's
			d.told[c.Id] = c.State
		}
		d.sink.send(ctx, d.facts(s.Status, pod, s.Info))
	}
	maps.DeleteFunc(d.told, func(id string, _ cri.ContainerState) bool { return !here[id] })
	maps.DeleteFunc(d.sandboxes, func(id string, _ *cri.PodSandboxStatus) bool { return !here[id] })
	return nil
}

// sandbox describes a pod's own container, and keeps what its others share.
func (d *criClient) sandbox(ctx context.Context, id string) {
	s, err := d.api.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id, Verbose: true})
	if err != nil || s.Status == nil {
		d.sink.log.Debug("cri pod", "sandbox", id, "error", err)
		return
	}
	d.sandboxes[id] = s.Status
	c := &trace.Container{ContainerID: id, Runtime: d.runtime, Facts: trace.FactsFull}
	verboseFacts(c, s.Info)
	podFacts(c, s.Status, nil)
	c.Name = "POD"
	c.StartedNS = positive(s.Status.CreatedAt)
	d.sink.send(ctx, c)
}

// facts makes a row of what a runtime says of a container, of its pod and, where
// it was asked for more, in its own words.
func (d *criClient) facts(s *cri.ContainerStatus, pod *cri.PodSandboxStatus, info map[string]string) *trace.Container {
	c := &trace.Container{ContainerID: s.Id, Runtime: d.runtime, Facts: trace.FactsFull}
	if len(info) == 0 {
		c.Facts = trace.FactsPartial
	}
	verboseFacts(c, info)
	podFacts(c, pod, s)
	c.Name, c.RestartCount = s.GetMetadata().GetName(), new(int64(s.GetMetadata().GetAttempt()))
	c.Image = s.GetImage().GetUserSpecifiedImage()
	if c.Image == "" {
		c.Image = s.GetImage().GetImage()
	}
	c.ImageID = s.ImageId
	if _, digest, ok := strings.Cut(s.ImageRef, "@"); ok {
		c.ImageDigest = digest
	} else if c.ImageID == "" {
		c.ImageID = s.ImageRef
	}
	c.StartedNS, c.FinishedNS = positive(s.StartedAt), positive(s.FinishedAt)
	return c
}

// podFacts adds what is known of the pod of a container, or of the pod itself.
func podFacts(c *trace.Container, pod *cri.PodSandboxStatus, s *cri.ContainerStatus) {
	labels := map[string]string{}
	maps.Copy(labels, pod.GetLabels()) // app=web and the like are the pod's
	maps.Copy(labels, s.GetLabels())
	setLabels(c, labels)
	all := maps.Clone(labels)
	maps.Copy(all, pod.GetAnnotations())
	maps.Copy(all, s.GetAnnotations())
	if m := pod.GetMetadata(); m != nil {
		c.Pod, c.PodNamespace, c.PodUID = m.Name, m.Namespace, m.Uid
		c.Sandbox = pod.Id
	}
	c.Owner = ownerOf(c.Pod, all)
	if pod == nil {
		return
	}
	ns := pod.GetLinux().GetNamespaces().GetOptions()
	c.NetworkMode, c.IPCMode = podMode(ns.GetNetwork()), podMode(ns.GetIpc())
	if mode := podMode(ns.GetPid()); mode == "host" || c.PIDMode == "" {
		c.PIDMode = mode
	}
	c.UTSMode = c.NetworkMode // a pod has its own name where it has its own network
}

func podMode(mode cri.NamespaceMode) string {
	switch mode {
	case cri.NamespaceMode_NODE:
		return "host"
	case cri.NamespaceMode_CONTAINER:
		return "private"
	case cri.NamespaceMode_TARGET:
		return "target"
	}
	return "pod"
}

// verbose is what containerd and CRI-O put into the text "info" of a verbose
// answer (containerd internal/cri/server/container_status.go; CRI-O
// server/container_status.go).
type verbose struct {
	SandboxID   string      `json:"sandboxID"`
	RuntimeSpec *specs.Spec `json:"runtimeSpec"`
	Privileged  *bool       `json:"privileged"` // CRI-O
	Config      struct {
		Linux struct {
			SecurityContext *struct {
				Privileged bool             `json:"privileged"`
				Seccomp    *securityProfile `json:"seccomp"`
			} `json:"security_context"`
		} `json:"linux"`
	} `json:"config"`
}

type securityProfile struct {
	ProfileType cri.SecurityProfile_ProfileType `json:"profile_type"`
	Localhost   string                          `json:"localhost_ref"`
}

func verboseFacts(c *trace.Container, info map[string]string) {
	var v verbose
	if json.Unmarshal([]byte(info["info"]), &v) != nil {
		return
	}
	if v.RuntimeSpec != nil {
		specFacts(c, v.RuntimeSpec)
	}
	c.Privileged = v.Privileged
	if sc := v.Config.Linux.SecurityContext; sc != nil {
		c.Privileged = new(sc.Privileged)
		if sc.Seccomp != nil && c.Seccomp != "unconfined" {
			c.Seccomp = map[cri.SecurityProfile_ProfileType]string{
				cri.SecurityProfile_RuntimeDefault: "default", cri.SecurityProfile_Unconfined: "unconfined",
				cri.SecurityProfile_Localhost: sc.Seccomp.Localhost}[sc.Seccomp.ProfileType]
		}
	}
	if v.SandboxID != "" {
		c.Sandbox = v.SandboxID
	}
}

func positive(ns int64) *int64 {
	if ns <= 0 {
		return nil
	}
	return &ns
}

package runtimes

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"mayfly/trace"
)

// crio answers as CRI-O's server package does (container_status.go, sandbox_status.go,
// container_events.go of v1.31): a pod's own container that was never run has no
// process, image_id is set and image_ref names the digest, and "info" has the runtime's
// configuration and whether the container is privileged, but not what the kubelet asked for.
type crio struct {
	cri.UnimplementedRuntimeServiceServer
	events chan *cri.ContainerEventResponse // nil: enable_pod_events is off, as by default

	mu         sync.Mutex
	pod        *cri.PodSandboxStatus
	containers map[string]*cri.ContainerStatus
	spec       *specs.Spec
	asked      map[string]int // how often, of each container
	deaf       int            // questions for the pod that fail, before one is answered
}

func (s *crio) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return &cri.VersionResponse{Version: "0.1.0", RuntimeName: "cri-o", RuntimeVersion: "1.31.0", RuntimeApiVersion: "v1"}, nil
}

// GetContainerEvents ends at once, without an error, where pod events are off.
func (s *crio) GetContainerEvents(_ *cri.GetEventsRequest, stream grpc.ServerStreamingServer[cri.ContainerEventResponse]) error {
	if s.events == nil {
		return nil
	}
	for {
		select {
		case e := <-s.events:
			if err := stream.Send(e); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (s *crio) ListPodSandbox(context.Context, *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &cri.ListPodSandboxResponse{Items: []*cri.PodSandbox{{Id: s.pod.Id, Metadata: s.pod.Metadata, State: s.pod.State, Labels: s.pod.Labels}}}, nil
}

func (s *crio) PodSandboxStatus(_ context.Context, r *cri.PodSandboxStatusRequest) (*cri.PodSandboxStatusResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf--; r.PodSandboxId != s.pod.Id || s.deaf >= 0 {
		return nil, status.Errorf(codes.NotFound, "could not find pod %q", r.PodSandboxId)
	}
	return &cri.PodSandboxStatusResponse{Status: s.pod, Info: map[string]string{"info": `{"runtimeSpec":{"ociVersion":"1.0.0"}}`}}, nil
}

func (s *crio) ListContainers(context.Context, *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &cri.ListContainersResponse{}
	for id, c := range s.containers {
		list.Containers = append(list.Containers, &cri.Container{Id: id, PodSandboxId: s.pod.Id, Metadata: c.Metadata, State: c.State})
	}
	return list, nil
}

func (s *crio) ContainerStatus(_ context.Context, r *cri.ContainerStatusRequest) (*cri.ContainerStatusResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[r.ContainerId]++
	c := s.containers[r.ContainerId]
	if c == nil {
		return nil, status.Errorf(codes.NotFound, "could not find container %q", r.ContainerId)
	}
	info, err := json.Marshal(map[string]any{"sandboxID": s.pod.Id, "pid": 4711, "runtimeSpec": s.spec, "privileged": true})
	return &cri.ContainerStatusResponse{Status: c, Info: map[string]string{"info": string(info)}}, err
}

// container adds one that runs.
func (s *crio) container(name string) *cri.ContainerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &cri.ContainerStatus{Id: randomID(), Metadata: &cri.ContainerMetadata{Name: name, Attempt: 1}, State: cri.ContainerState_CONTAINER_RUNNING,
		CreatedAt: 1e18, StartedAt: 1e18 + 1, Image: &cri.ImageSpec{Image: "quay.io/shop/web:1"},
		ImageId: "6f1c", ImageRef: "quay.io/shop/web@sha256:abcd", Labels: map[string]string{containerLabel: name}}
	s.containers[c.Id] = c
	return c
}

// serveCRIO starts a server on a socket and watches it.
func serveCRIO(t *testing.T, events chan *cri.ContainerEventResponse) (*crio, *seen) {
	t.Helper()
	server := &crio{events: events, containers: map[string]*cri.ContainerStatus{}, asked: map[string]int{},
		pod: &cri.PodSandboxStatus{Id: randomID(), State: cri.PodSandboxState_SANDBOX_READY, CreatedAt: 1e18,
			Metadata: &cri.PodSandboxMetadata{Name: "web-5b8d7c9f6d-x2x4z", Namespace: "shop", Uid: "c44b5a09-14d0-4b2a-9b1c-0d9a2f6c0f7e"},
			Labels:   map[string]string{"app": "web", "pod-template-hash": "5b8d7c9f6d"},
			Linux:    &cri.LinuxPodSandboxStatus{Namespaces: &cri.Namespace{Options: &cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER}}}},
		spec: &specs.Spec{Version: "1.0.0", Process: &specs.Process{User: specs.User{UID: 1000}, Args: []string{"/web", "--port=80"}, NoNewPrivileges: true},
			Root: &specs.Root{Path: "/var/lib/containers/storage/overlay/x/merged", Readonly: true}, Linux: &specs.Linux{}}}
	socket := filepath.Join(t.TempDir(), "crio.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(g, server)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = g.Serve(listener) }()
	t.Cleanup(func() { g.Stop(); <-ended })
	return server, startWatch(t, Source{Kind: CRI, Address: "unix://" + socket})
}

// checkCRIO wants all that CRI-O tells of a container.
func checkCRIO(t *testing.T, server *crio, name string, c *trace.Container) {
	t.Helper()
	if c.Runtime != "cri-o" || c.Name != name || c.Pod != "web-5b8d7c9f6d-x2x4z" || c.PodNamespace != "shop" || c.PodUID != server.pod.Metadata.Uid ||
		c.Sandbox != server.pod.Id || c.Owner != "Deployment/web" || !slices.Contains(c.Labels, "app=web") || *c.RestartCount != 1 ||
		c.Image != "quay.io/shop/web:1" || c.ImageID != "6f1c" || c.ImageDigest != "sha256:abcd" || c.Privileged == nil || !*c.Privileged ||
		!*c.ReadonlyRoot || !*c.NoNewPrivs || c.User != "1000:0" || !slices.Equal(c.Cmd, []string{"/web", "--port=80"}) {
		t.Errorf("got %+v", c)
	}
}

// TestCRIO follows CRI-O as it is by default, where the stream of events ends before it
// begins: containers are known from its list, also those that came later.
func TestCRIO(t *testing.T) {
	server, s := serveCRIO(t, nil)
	first := server.container("web")
	checkCRIO(t, server, "web", s.until(first.Id, "full", full))
	if pod := s.until(server.pod.Id, "full", full); pod.Name != "POD" || pod.Runtime != "cri-o" || pod.PodUID != server.pod.Metadata.Uid {
		t.Errorf("sandbox: got %+v", pod)
	}
	time.Sleep(2 * criPoll) // the stream is over by now
	later := server.container("sidecar")
	checkCRIO(t, server, "sidecar", s.until(later.Id, "full", full))
	server.mu.Lock()
	defer server.mu.Unlock()
	if server.asked[first.Id] != 1 { // one that was taken for away is asked for all again
		t.Errorf("the first container was asked for %d times, want once", server.asked[first.Id])
	}
}

// TestCRIOEvents follows CRI-O with enable_pod_events: one that is gone before the list
// is read has the facts that came with its event.
func TestCRIOEvents(t *testing.T) {
	server, s := serveCRIO(t, make(chan *cri.ContainerEventResponse))
	first := server.container("web")
	s.until(first.Id, "full", full)
	short := &cri.ContainerStatus{Id: randomID(), Metadata: &cri.ContainerMetadata{Name: "job"}, State: cri.ContainerState_CONTAINER_EXITED,
		StartedAt: 1e18, FinishedAt: 1e18 + 5e6, Image: &cri.ImageSpec{Image: "quay.io/shop/job:1"}, ImageRef: "quay.io/shop/job@sha256:ef01"}
	server.events <- &cri.ContainerEventResponse{ContainerId: short.Id, ContainerEventType: cri.ContainerEventType_CONTAINER_STOPPED_EVENT,
		PodSandboxStatus: server.pod, ContainersStatuses: []*cri.ContainerStatus{short}}
	c := s.until(short.Id, "ended", func(c *trace.Container) bool { return c.FinishedNS != nil })
	if c.Facts != trace.FactsPartial || c.Runtime != "cri-o" || c.Name != "job" || c.Pod != "web-5b8d7c9f6d-x2x4z" || c.Owner != "Deployment/web" || c.ImageDigest != "sha256:ef01" {
		t.Errorf("got %+v", c)
	}
}

// TestCRIOLatePod has the runtime not answer for a pod at first: what its container has
// of it comes all the same.
func TestCRIOLatePod(t *testing.T) {
	server, s := serveCRIO(t, nil)
	s.until(server.pod.Id, "full", full)
	server.mu.Lock()
	server.pod = &cri.PodSandboxStatus{Id: randomID(), State: server.pod.State, Metadata: server.pod.Metadata, Labels: server.pod.Labels}
	server.deaf = 2
	server.mu.Unlock()
	first := server.container("web")
	c := s.until(first.Id, "full, with its pod's labels", func(c *trace.Container) bool { return full(c) && slices.Contains(c.Labels, "app=web") })
	if c.Owner != "Deployment/web" || c.Pod != "web-5b8d7c9f6d-x2x4z" {
		t.Errorf("got %+v", c)
	}
}

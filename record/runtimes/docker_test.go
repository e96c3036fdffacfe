package runtimes

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/google/go-cmp/cmp"
	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"mayfly/trace"
)

// TestDockerFacts reads what docker inspect printed of a container.
func TestDockerFacts(t *testing.T) {
	b, err := os.ReadFile("testdata/inspect.json")
	if err != nil {
		t.Fatal(err)
	}
	var in []api.InspectResponse
	if err := json.Unmarshal(b, &in); err != nil {
		t.Fatal(err)
	}
	got := dockerFacts(&in[0])
	want := &trace.Container{
		ContainerID: "7d2c4c5e0f9f1bcb3a6df5f3b1b2ce8e4e8a53b4a57d1fd7c9d1c0c7b9f2e110",
		Runtime:     "docker", Facts: "full", Name: "shop", Image: "registry.example/shop:1.4@sha256:feed",
		ImageID: "sha256:5b0b", Labels: []string{"a=1", "io.kubernetes.pod.name=shop-0", "io.kubernetes.pod.namespace=store"},
		Pod: "shop-0", PodNamespace: "store", Privileged: new(false), CapAdd: []string{"CAP_NET_ADMIN"}, CapDrop: []string{"ALL"},
		Mounts: []string{"/srv/data:/data:rw", "/srv/etc:/etc/shop:ro"}, User: "1000:1000",
		AppArmor: "docker-default", NetworkMode: "host", PIDMode: "host", Entrypoint: []string{"/shop"}, Cmd: []string{"serve"},
		Ports: []string{"80/tcp", "9000/udp"}, NoNewPrivs: new(true), ReadonlyRoot: new(false), RestartCount: new(int64(0)), StartedNS: new(int64(1767225600_000000001)),
	}
	want.Seccomp = got.Seccomp
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if len(got.Seccomp) != len("custom:")+12 {
		t.Errorf("seccomp: got %q, want custom: and twelve hex digits", got.Seccomp)
	}
}

// TestMobyLabels: what Docker's event says of a container stays where the containerd
// below it, which has labels of Docker's own, answers before Docker is asked.
func TestMobyLabels(t *testing.T) {
	d := docker{runtime: Docker}
	event := d.messageFacts(&events.Message{Action: events.ActionCreate,
		Actor: events.Actor{ID: "7d2c", Attributes: map[string]string{"name": "web", "image": "nginx", "app": "shop"}}})
	below := containerdFacts(mobyNamespace, &containersapi.Container{ID: "7d2c",
		Labels: map[string]string{"com.docker/engine.bundle.path": "/run/docker/containerd/7d2c"}})
	for order, both := range map[string]*trace.Container{"event first": Merge(event, below), "event last": Merge(below, event)} {
		if both.Name != "web" || both.Image != "nginx" || !slices.Equal(both.Labels, []string{"app=shop"}) {
			t.Errorf("%s: got name %q, image %q, labels %q, want those of the event", order, both.Name, both.Image, both.Labels)
		}
	}
}

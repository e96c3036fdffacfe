package record

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ids and uids of the table of paths: I is a container, O and P others around it, U a
// pod's uid, W the same as systemd has it, S a static pod's.
var placeNames = strings.NewReplacer("<I>", idI, "<O>", idO, "<P>", idP, "<U>", uidU, "<W>", strings.ReplaceAll(uidU, "-", "_"), "<S>", uidS)

const (
	idI  = "7d2c4c5e0f9f1bcb3a6df5f3b1b2ce8e4e8a53b4a57d1fd7c9d1c0c7b9f2e110"
	idO  = "1a69a9c7a1c3f0a4f9b9f8d2c19b3c9f4ef5b4a3dc7e2c5a90f4c2f1d0b38e21"
	idP  = "aa11bb22cc33dd44ee55ff66007788990011223344556677889900aabbccddee"
	uidU = "c44b5a09-14d0-4b2a-9b1c-0d9a2f6c0f7e"
	uidS = "fb0b5b5a8b0c4a3e8f6f1d2c3b4a5968"
)

// cgroupPaths are the forms that runtimes make, each with where it is documented.
var cgroupPaths = []struct {
	name, path      string
	runtime, podUID string
	nestedIn        []string
}{
	// docs.docker.com/config/containers/runmetrics: "docker/<longid>" with the
	// cgroupfs driver, "system.slice/docker-<longid>.scope" with systemd's.
	{"docker, cgroupfs", "/docker/<I>", "docker", "", nil},
	{"docker, systemd", "/system.slice/docker-<I>.scope", "docker", "", nil},
	{"docker, cgroup parent", "/batch/<I>", "", "", nil},
	{"docker, cgroup parent, systemd", "/batch.slice/docker-<I>.scope", "docker", "", nil},
	// docs.docker.com/engine/security/rootless
	{"docker, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-<I>.scope", "docker", "", nil},
	{"docker, rootless, cgroupfs", "/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service/docker/<I>", "docker", "", nil},
	// ECS agent: /ecs/<task id>/<container id>; the task's id has 32 digits.
	{"ecs", "/ecs/0a2b3c4d5e6f70819203a4b5c6d7e8f9/<I>", "", "", nil},
	// containerd: the namespace, then the id (oci.WithCgroup: default of WithNamespacedCgroup).
	{"containerd", "/default/<I>", "containerd", "", nil},
	{"containerd, cri without kubelet", "/k8s.io/<I>", "containerd", "", nil},
	{"nerdctl, systemd", "/system.slice/nerdctl-<I>.scope", "containerd", "", nil},
	{"containerd, drivers that differ", "/system.slice/containerd.service/kubepods-besteffort-pod<W>.slice:cri-containerd:<I>", "containerd", uidU, nil},
	// podman: docs.podman.io, podman-run(1) --cgroups, --cgroup-parent; libpod/oci_conmon_linux.go.
	{"podman, systemd", "/machine.slice/libpod-<I>.scope", "podman", "", nil},
	{"podman, cgroupfs", "/libpod_parent/libpod-<I>", "podman", "", nil},
	{"podman, crun's own below it", "/machine.slice/libpod-<I>.scope/container", "podman", "", nil},
	{"podman, split", "/system.slice/web.service/libpod-payload-<I>", "podman", "", nil},
	{"podman, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<I>.scope", "podman", "", nil},
	{"podman, pod, systemd", "/machine.slice/machine-libpod_pod_<O>.slice/libpod-<I>.scope", "podman", "", nil},
	// Kubernetes: pkg/kubelet/cm, "Cgroup drivers" and "static Pods" of kubernetes.io/docs.
	{"cri-dockerd, systemd, burstable", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<W>.slice/docker-<I>.scope", "docker", uidU, nil},
	{"containerd, systemd, besteffort", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<W>.slice/cri-containerd-<I>.scope", "containerd", uidU, nil},
	{"containerd, systemd, guaranteed", "/kubepods.slice/kubepods-pod<W>.slice/cri-containerd-<I>.scope", "containerd", uidU, nil},
	{"cri-o, systemd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<W>.slice/crio-<I>.scope", "cri-o", uidU, nil},
	{"cri-o, crun's own below it", "/kubepods.slice/kubepods-pod<W>.slice/crio-<I>.scope/container", "cri-o", uidU, nil},
	{"cri-o, cgroupfs", "/kubepods/besteffort/pod<U>/crio-<I>", "cri-o", uidU, nil},
	{"kubernetes, cgroupfs, burstable", "/kubepods/burstable/pod<U>/<I>", "", uidU, nil},
	{"kubernetes, cgroupfs, guaranteed", "/kubepods/pod<U>/<I>", "", uidU, nil},
	{"static pod, systemd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<S>.slice/cri-containerd-<I>.scope", "containerd", uidS, nil},
	{"static pod, cgroupfs", "/kubepods/burstable/pod<S>/<I>", "", uidS, nil},
	// Docker in Docker, and kind (kind.sigs.k8s.io: /kubelet is the root of its cgroups).
	{"docker in docker", "/docker/<O>/docker/<I>", "docker", "", []string{idO}},
	{"docker in docker, systemd", "/system.slice/docker-<O>.scope/system.slice/docker-<I>.scope", "docker", "", []string{idO}},
	{"kind, cgroupfs", "/docker/<O>/kubelet/kubepods/burstable/pod<U>/<I>", "", uidU, []string{idO}},
	{"kind, systemd", "/system.slice/docker-<O>.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/" +
		"kubelet-kubepods-burstable-pod<W>.slice/cri-containerd-<I>.scope", "containerd", uidU, []string{idO}},
	{"docker in a pod", "/kubepods/burstable/pod<U>/<O>/docker/<I>", "docker", "", []string{idO}},
	{"three deep", "/docker/<P>/docker/<O>/docker/<I>", "docker", "", []string{idO, idP}},
	// What systemd makes within a container that runs it.
	{"systemd in docker", "/docker/<I>/init.scope", "docker", "", nil},
}

// TestPlace reads paths as runtimes make them. The container is the innermost
// name with an id, as bpf/container.h finds it.
func TestPlace(t *testing.T) {
	for _, tt := range cgroupPaths {
		path := placeNames.Replace(tt.path)
		names := strings.Split(path[1:], "/")
		for !containerID.MatchString(names[len(names)-1]) {
			names = names[:len(names)-1]
		}
		above := slices.Clone(names[:len(names)-1])
		slices.Reverse(above)
		got := readPlace(names[len(names)-1], above, false)
		want := place{id: idI, path: "/" + strings.Join(names, "/"), runtime: tt.runtime, podUID: tt.podUID, nestedIn: tt.nestedIn}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(place{})); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", tt.name, path, diff)
		}
	}
}

// TestSplitAbove reads the kernel's names, to the brim and beyond.
func TestSplitAbove(t *testing.T) {
	long := strings.Repeat("n", 100)
	for _, tt := range []struct {
		b    string
		want []string
		cut  bool
	}{
		{"docker\x00" + strings.Repeat("\x00", 505), []string{"docker"}, false},
		{strings.Repeat("\x00", 512), nil, false},
		{strings.Repeat(long+"\x00", 4) + strings.Repeat("\x00", 108), []string{long, long, long, long}, true},
		{"a\x00b", []string{"a", "b"}, true},
		{"", nil, true},
	} {
		above, cut := splitAbove([]byte(tt.b), 128)
		if !slices.Equal(above, tt.want) || cut != tt.cut {
			t.Errorf("%q: got %q, cut %v; want %q, %v", tt.b, above, cut, tt.want, tt.cut)
		}
	}
	if p := readPlace("docker-"+idI+".scope", []string{"leaf"}, true); p.path != "…/leaf/docker-"+idI+".scope" {
		t.Errorf("a path that was cut: got %q", p.path)
	}
}

// FuzzPlace wants an answer to any names.
func FuzzPlace(f *testing.F) {
	for _, tt := range cgroupPaths {
		f.Add(placeNames.Replace(tt.path))
	}
	f.Fuzz(func(t *testing.T, path string) {
		names := strings.Split(path, "/")
		above, cut := splitAbove([]byte(strings.Join(names, "\x00")), 128)
		p := readPlace(names[0], above, cut)
		if len(p.id) != 0 && len(p.id) != 64 || len(p.nestedIn) > len(above)+1 {
			t.Errorf("%q: id %q, nested in %d of %d names", path, p.id, len(p.nestedIn), len(above))
		}
	})
}

package runtimes

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

// TestOwner reads owners from names and labels as controllers make them
// (kubernetes.io/docs/reference/labels-annotations-taints).
func TestOwner(t *testing.T) {
	for _, tt := range []struct {
		pod    string
		labels map[string]string
		want   string
	}{
		{"web-5b8d7c9f6d-x2x4z", map[string]string{"pod-template-hash": "5b8d7c9f6d"}, "Deployment/web"},
		{"web-5b8d7c9f6d", map[string]string{"pod-template-hash": "5b8d7c9f6d"}, ""},
		{"web-x2x4z", map[string]string{"pod-template-hash": "5b8d7c9f6d"}, ""},
		{"db-11", map[string]string{"statefulset.kubernetes.io/pod-name": "db-11", "controller-revision-hash": "db-77"}, "StatefulSet/db"},
		{"agent-x2x4z", map[string]string{"controller-revision-hash": "6d8f"}, "DaemonSet/agent"},
		{"backup-28-x2x4z", map[string]string{"batch.kubernetes.io/job-name": "backup-28"}, "Job/backup-28"},
		{"etcd-node1", map[string]string{"kubernetes.io/config.source": "file"}, "Node"},
		{"naked", nil, ""}, {"", nil, ""},
		{"-x2x4z", map[string]string{"controller-revision-hash": "6d8f"}, "DaemonSet/"},
	} {
		if got := ownerOf(tt.pod, tt.labels); got != tt.want {
			t.Errorf("pod %q, labels %v: got %q, want %q", tt.pod, tt.labels, got, tt.want)
		}
	}
}

// TestMerge puts facts together in the orders that they come in.
func TestMerge(t *testing.T) {
	partial := func(name string) *trace.Container {
		return &trace.Container{Facts: "partial", Name: name, Image: "event"}
	}
	full := &trace.Container{Facts: "full", Image: "inspected", StartedNS: new(int64(10))}
	for _, tt := range []struct {
		name string
		in   []*trace.Container
		want trace.Container
	}{
		{"full after partial", []*trace.Container{partial("a"), full}, trace.Container{Facts: "full", Name: "a", Image: "inspected", StartedNS: new(int64(10))}},
		{"partial after full", []*trace.Container{full, partial("a")}, trace.Container{Facts: "full", Name: "a", Image: "inspected", StartedNS: new(int64(10))}},
		{"docker over its containerd", []*trace.Container{{Facts: "full", Runtime: "docker", Name: "w"}, {Facts: "partial", Runtime: "docker", User: "0:0",
			Mounts: []string{"/x:/etc/hosts:rw"}, StartedNS: new(int64(4))}}, trace.Container{Facts: "full", Runtime: "docker", Name: "w", StartedNS: new(int64(4))}},
		{"its containerd first", []*trace.Container{{Facts: "partial", Runtime: "docker", User: "0:0"}, {Facts: "full", Runtime: "docker", Name: "w"}},
			trace.Container{Facts: "full", Runtime: "docker", Name: "w"}},
		{"labels of a pod and of its container", []*trace.Container{{Facts: "full", Labels: []string{"a=1", "b=1"}}, {Facts: "full", Labels: []string{"b=2", "c=1"}}},
			trace.Container{Facts: "full", Labels: []string{"a=1", "b=2", "c=1"}}},
		{"docker's labels are all", []*trace.Container{{Facts: "partial", Runtime: "docker", Labels: []string{"a=1"}}, {Facts: "full", Runtime: "docker", Labels: []string{"b=2"}}},
			trace.Container{Facts: "full", Runtime: "docker", Labels: []string{"b=2"}}},
		{"renamed", []*trace.Container{partial("a"), partial("b")}, trace.Container{Facts: "partial", Name: "b", Image: "event"}},
		{"asked before the end, told after", []*trace.Container{{Facts: "full", User: "x", FinishedNS: new(int64(9)), StartedNS: new(int64(5))},
			{Facts: "full", User: "y", StartedNS: new(int64(5))}}, trace.Container{Facts: "full", User: "x", FinishedNS: new(int64(9)), StartedNS: new(int64(5))}},
		{"started again", []*trace.Container{{Facts: "full", FinishedNS: new(int64(9)), StartedNS: new(int64(5))}, full},
			trace.Container{Facts: "full", Image: "inspected", StartedNS: new(int64(10))}},
	} {
		var got *trace.Container
		for _, c := range tt.in {
			got = Merge(got, c)
		}
		if diff := cmp.Diff(&tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestSpecFacts reads an OCI configuration; CRI-O and containerd give it in the
// text "info" of a verbose answer.
func TestSpecFacts(t *testing.T) {
	const info = `{"sandboxID":"` + "aa" + `","pid":7,"privileged":true,"runtimeSpec":{"process":{"user":{"uid":5,"gid":6},"args":["/a","b"],
"noNewPrivileges":true,"apparmorProfile":"p","selinuxLabel":"l","capabilities":{"bounding":["CAP_CHOWN"]}},"root":{"readonly":true},
"mounts":[{"destination":"/d","source":"/s","type":"bind","options":["rbind","ro"]},{"destination":"/proc","type":"proc","source":"proc"}],
"annotations":{"io.kubernetes.cri.image-name":"nginx:1"},
"linux":{"namespaces":[{"type":"pid"},{"type":"ipc","path":"/proc/7/ns/ipc"}],"seccomp":{"defaultAction":"SCMP_ACT_ERRNO"}}}}`
	got := &trace.Container{}
	verboseFacts(got, map[string]string{"info": info})
	want := &trace.Container{Cmd: []string{"/a", "b"}, User: "5:6", NoNewPrivs: new(true), AppArmor: "p", SELinux: "l", ReadonlyRoot: new(true),
		CapDrop: usualCapabilities[:1:1], Mounts: []string{"/s:/d:ro"}, Image: "nginx:1", Sandbox: "aa", Privileged: new(true),
		PIDMode: "private", NetworkMode: "host", UTSMode: "host", UserNSMode: "host", Seccomp: got.Seccomp}
	want.CapDrop = append(want.CapDrop, usualCapabilities[2:]...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if len(got.Seccomp) != len("custom:")+12 {
		t.Errorf("seccomp: got %q, want custom: and twelve hex digits", got.Seccomp)
	}
}

// FuzzVerbose wants no panic on what a runtime may send.
func FuzzVerbose(f *testing.F) {
	f.Add(`{"runtimeSpec":{"process":null,"linux":{"namespaces":[{}]}},"config":{"linux":{"security_context":{"seccomp":{"profile_type":9}}}}}`)
	f.Add(`{"runtimeSpec":{"root":{},"mounts":[{}]}}`)
	f.Fuzz(func(_ *testing.T, info string) { verboseFacts(&trace.Container{}, map[string]string{"info": info}) })
}

// TestParseSource reads addresses, and says what is wrong with others.
func TestParseSource(t *testing.T) {
	for text, want := range map[string]string{
		"docker=unix:///run/docker.sock": "docker=unix:///run/docker.sock", "docker=tcp://127.0.0.1:2375": "docker=tcp://127.0.0.1:2375",
		"cri=/run/crio/crio.sock": "cri=unix:///run/crio/crio.sock", "podman=/run/podman/podman.sock": "podman=unix:///run/podman/podman.sock",
		"containerd=tcp://127.0.0.1:1": "", "docker": "", "docker=": "", "lxc=/x": "", "cri=unix://x": "", "docker=unix://": "", "=/x": "", "docker=relative": "",
	} {
		got, err := ParseSource(text)
		if err == nil && got.String() != want || err != nil && want != "" {
			t.Errorf("%q: got %v, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzParseSource(f *testing.F) {
	f.Add("docker=unix:///run/docker.sock")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSource(text); err == nil {
			if again, err := ParseSource(s.String()); err != nil || again != s {
				t.Errorf("%q: %v does not read back: %v", text, s, err)
			}
		}
	})
}

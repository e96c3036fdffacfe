package runtimes

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Kinds of source.
const (
	Docker     = "docker"     // Docker Engine API
	Podman     = "podman"     // the same API, as podman serves it
	Containerd = "containerd" // containerd's own API
	CRI        = "cri"        // Kubernetes Container Runtime Interface, v1
)

// Source is an API of a runtime.
type Source struct {
	Kind    string // Docker, Podman, Containerd or CRI
	Address string // unix:///path, or for Docker and Podman tcp://host:port too
	pattern bool   // the path is a pattern of files that may or may not be there
}

func (s Source) String() string { return s.Kind + "=" + s.Address }

// ParseSource reads a source as KIND=ADDRESS, for example
// docker=unix:///run/docker.sock. A path alone is taken as a unix socket.
func ParseSource(text string) (Source, error) {
	kind, address, ok := strings.Cut(text, "=")
	if !ok || address == "" {
		return Source{}, fmt.Errorf("runtime %q: want KIND=ADDRESS, as docker=unix:///run/docker.sock", text)
	}
	if strings.HasPrefix(address, "/") {
		address = "unix://" + address
	}
	scheme, path, _ := strings.Cut(address, "://")
	switch kind {
	case Docker, Podman:
		ok = scheme == "unix" || scheme == "tcp"
	case Containerd, CRI:
		ok = scheme == "unix"
	default:
		return Source{}, fmt.Errorf("runtime %q: unknown kind %q; want docker, podman, containerd or cri", text, kind)
	}
	if !ok || path == "" || scheme == "unix" && !filepath.IsAbs(path) {
		return Source{}, fmt.Errorf("runtime %q: want an address as unix:///run/%s.sock", text, kind)
	}
	return Source{Kind: kind, Address: address}, nil
}

// defaultPaths are where runtimes have their sockets unless told otherwise: the
// packages of Docker, podman, containerd and CRI-O, rootless ones, and k3s, k0s and
// MicroK8s, which bring a containerd of their own. A containerd serves both APIs.
var defaultPaths = []struct{ kind, pattern string }{
	{Docker, "/var/run/docker.sock"},
	{Docker, "/run/user/*/docker.sock"},
	{Podman, "/run/podman/podman.sock"},
	{Podman, "/run/user/*/podman/podman.sock"},
	{Containerd, "/run/containerd/containerd.sock"},
	{Containerd, "/run/docker/containerd/containerd.sock"},
	{Containerd, "/run/k3s/containerd/containerd.sock"},
	{Containerd, "/run/k0s/containerd.sock"},
	{Containerd, "/var/snap/microk8s/common/run/containerd.sock"},
	{CRI, "/run/containerd/containerd.sock"},
	{CRI, "/run/k3s/containerd/containerd.sock"},
	{CRI, "/run/k0s/containerd.sock"},
	{CRI, "/var/snap/microk8s/common/run/containerd.sock"},
	{CRI, "/run/crio/crio.sock"},
}

// DefaultSources are the sockets at their usual paths. Those that are not there
// are looked for again now and then.
func DefaultSources() []Source {
	var sources []Source
	for _, p := range defaultPaths {
		sources = append(sources, Source{Kind: p.kind, Address: "unix://" + p.pattern, pattern: true})
	}
	return sources
}

// Present returns those of sources that can be asked: of a pattern, the files that
// are there.
func Present(sources []Source) (found []Source) {
	for _, s := range sources {
		found = append(found, present(s)...)
	}
	return found
}

// present returns the sources that can be asked: of a pattern, the files that
// are there.
func present(s Source) []Source {
	if !s.pattern {
		return []Source{s}
	}
	paths, _ := filepath.Glob(strings.TrimPrefix(s.Address, "unix://")) // the patterns are ours
	found := make([]Source, len(paths))
	for i, path := range paths {
		found[i] = Source{Kind: s.Kind, Address: "unix://" + path, pattern: true}
	}
	return found
}

package record

import (
	"regexp"
	"slices"
	"strings"

	"mayfly/record/runtimes"
)

// place is what the names of cgroups tell of a container.
type place struct {
	id       string   // 64 hex digits
	path     string   // of its cgroup; begins with "…/" where the upper part is not known
	runtime  string   // docker, containerd, cri-o or podman; "" where the names do not say
	podUID   string   // "" outside of Kubernetes
	nestedIn []string // ids of the containers around it, innermost first
}

var (
	containerID = regexp.MustCompile(`[0-9a-f]{64}`)
	// A pod's cgroup is pod<uid>, or with systemd …-pod<uid>.slice with "_" for the
	// "-" of the uid (pkg/kubelet/cm/pod_container_manager_linux.go,
	// cgroup_manager_linux.go); a static pod's uid is the hash of its file, without "-".
	podCgroup = regexp.MustCompile(`^(?:[\w.-]*-)?pod([0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})(?:\.slice)?$`)
)

// runtimePrefixes say by the name of a container's cgroup who made it: Docker and
// cri-dockerd (docs.docker.com/config/containers/runmetrics), containerd's CRI plugin
// (criContainerdPrefix), nerdctl, CRI-O (internal/config/cgmgr: crio-<id>), podman
// (libpod: libpod-<id>, libpod-payload-<id> with split cgroups).
var runtimePrefixes = []struct{ prefix, runtime string }{
	{"docker-", runtimeDocker}, {"cri-containerd-", runtimeContainerd}, {"nerdctl-", runtimeContainerd},
	{"crio-", runtimeCRIO}, {"libpod-", runtimePodman},
}

// runtimeParents say it by the name of the cgroup around one that is named by
// the id alone: Docker's cgroupfs driver, containerd's default namespaces.
var runtimeParents = map[string]string{
	"docker": runtimeDocker, "default": runtimeContainerd, "k8s.io": runtimeContainerd, "libpod_parent": runtimePodman,
}

// Names of runtimes in the containers table, as the runtimes call themselves.
const (
	runtimeDocker     = runtimes.Docker
	runtimeContainerd = runtimes.Containerd
	runtimeCRIO       = "cri-o"
	runtimePodman     = runtimes.Podman
)

// readPlace reads the name of a container's cgroup and the names of those above
// it, innermost first. cut says that more stood above them. Names that mean
// nothing to it are passed over.
func readPlace(name string, above []string, cut bool) place {
	p := place{id: containerID.FindString(name), path: pathOf(name, above, cut)}
	// containerd with the cgroupfs driver under a kubelet with systemd's takes
	// slice:prefix:id for a name.
	if slice, unit, ok := strings.Cut(name, ":"); ok {
		name, above = strings.Replace(unit, ":", "-", 1), append([]string{slice}, above...)
	}
	for _, known := range runtimePrefixes {
		if strings.HasPrefix(name, known.prefix) {
			p.runtime = known.runtime
		}
	}
	if p.runtime == "" && len(above) > 0 {
		p.runtime = runtimeParents[above[0]]
	}
	for _, around := range above {
		if m := podCgroup.FindStringSubmatch(around); m != nil && p.podUID == "" && len(p.nestedIn) == 0 {
			p.podUID = strings.ReplaceAll(m[1], "_", "-")
		}
		if id := containerID.FindString(around); id != "" && !strings.Contains(around, "libpod_pod_") &&
			!strings.Contains(around, "conmon-") {
			p.nestedIn = append(p.nestedIn, id)
		}
	}
	return p
}

func pathOf(name string, above []string, cut bool) string {
	names := slices.Clone(above)
	slices.Reverse(names)
	path := "/" + strings.Join(append(names, name), "/")
	if cut {
		return "…" + path
	}
	return path
}

// splitAbove takes the names of a kernel's struct place apart. Where fewer bytes
// are free than a name may have, there may have been more.
func splitAbove(b []byte, nameMax int) (above []string, cut bool) {
	for len(b) > 0 && b[0] != 0 {
		name, rest, ok := strings.Cut(string(b), "\x00")
		if !ok {
			return append(above, name), true
		}
		above, b = append(above, name), []byte(rest)
	}
	return above, len(b) < nameMax
}

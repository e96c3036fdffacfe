package runtimes

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"mayfly/trace"
)

// usualCapabilities are those that Docker, containerd and podman leave to a
// container that asks for nothing (moby/oci/caps/defaults.go; containerd
// pkg/oci/spec.go, defaultUnixCaps).
var usualCapabilities = strings.Fields("CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL " +
	"CAP_MKNOD CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT")

// specFacts adds what an OCI runtime configuration says: it is what the
// container gets, whatever was asked for. Capabilities are told as what differs
// from the usual ones.
func specFacts(c *trace.Container, spec *specs.Spec) {
	if p := spec.Process; p != nil {
		c.Cmd, c.User = p.Args, fmt.Sprintf("%d:%d", p.User.UID, p.User.GID)
		c.NoNewPrivs, c.AppArmor, c.SELinux = new(p.NoNewPrivileges), p.ApparmorProfile, p.SelinuxLabel
		c.CapAdd, c.CapDrop = capabilityDifference(p.Capabilities)
	}
	if spec.Root != nil {
		c.ReadonlyRoot = new(spec.Root.Readonly)
	}
	for _, m := range spec.Mounts {
		if !slices.Contains(m.Options, "bind") && !slices.Contains(m.Options, "rbind") && m.Type != "bind" {
			continue
		}
		mode := "rw"
		if slices.Contains(m.Options, "ro") {
			mode = "ro"
		}
		c.Mounts = append(c.Mounts, m.Source+":"+m.Destination+":"+mode)
	}
	slices.Sort(c.Mounts)
	if l := spec.Linux; l != nil {
		c.Seccomp = specSeccomp(l.Seccomp)
		c.NetworkMode = namespaceMode(l, specs.NetworkNamespace)
		c.PIDMode = namespaceMode(l, specs.PIDNamespace)
		c.IPCMode = namespaceMode(l, specs.IPCNamespace)
		c.UTSMode = namespaceMode(l, specs.UTSNamespace)
		c.UserNSMode = namespaceMode(l, specs.UserNamespace)
	}
	c.Sandbox = spec.Annotations[criSandboxID]
	if image := spec.Annotations[criImageName]; image != "" {
		c.Image = image
	}
}

func capabilityDifference(caps *specs.LinuxCapabilities) (add, drop []string) {
	if caps == nil || len(caps.Bounding) == 0 {
		return nil, []string{"ALL"}
	}
	for _, name := range caps.Bounding {
		if !slices.Contains(usualCapabilities, name) {
			add = append(add, name)
		}
	}
	for _, name := range usualCapabilities {
		if !slices.Contains(caps.Bounding, name) {
			drop = append(drop, name)
		}
	}
	slices.Sort(add)
	return add, drop
}

// specSeccomp names a filter by the start of its hash: the configuration does not
// say where it came from.
func specSeccomp(s *specs.LinuxSeccomp) string {
	if s == nil {
		return "unconfined"
	}
	text, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("custom:%.6x", sha256.Sum256(text))
}

// namespaceMode is "private" for a namespace of the container's own, "host" where
// it has none, and "" where it joins one that the configuration names by its path,
// which may be a pod's or the host's.
func namespaceMode(l *specs.Linux, kind specs.LinuxNamespaceType) string {
	for _, ns := range l.Namespaces {
		if ns.Type == kind {
			if ns.Path == "" {
				return "private"
			}
			return ""
		}
	}
	return "host"
}

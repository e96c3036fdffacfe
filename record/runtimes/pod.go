package runtimes

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mayfly/trace"
)

// Labels and annotations that the kubelet and CRI implementations put on
// containers (k8s.io/kubernetes/pkg/kubelet/types/labels.go; containerd
// internal/cri/annotations; dockershim, cri-dockerd).
const (
	podNameLabel      = "io.kubernetes.pod.name"
	podNamespaceLabel = "io.kubernetes.pod.namespace"
	podUIDLabel       = "io.kubernetes.pod.uid"
	containerLabel    = "io.kubernetes.container.name"
	dockerSandboxID   = "io.kubernetes.sandbox.id"
	restartCount      = "io.kubernetes.container.restartCount"
	criSandboxID      = "io.kubernetes.cri.sandbox-id"
	criImageName      = "io.kubernetes.cri.image-name"
	criKindLabel      = "io.cri-containerd.kind"
	nerdctlName       = "nerdctl/name"
)

// setLabels notes the labels and what they tell of the pod.
func setLabels(c *trace.Container, labels map[string]string) {
	c.Labels = nil
	for key, value := range labels {
		c.Labels = append(c.Labels, key+"="+value)
	}
	slices.Sort(c.Labels)
	c.Pod, c.PodNamespace, c.PodUID = labels[podNameLabel], labels[podNamespaceLabel], labels[podUIDLabel]
	if c.Sandbox == "" {
		c.Sandbox = labels[dockerSandboxID]
	}
	for _, key := range []string{restartCount, "annotation." + restartCount} {
		if n, err := strconv.ParseInt(labels[key], 10, 64); err == nil {
			c.RestartCount = &n
		}
	}
	c.Owner = ownerOf(c.Pod, labels)
}

// Names that controllers give to pods end in random letters (apimachinery's
// rand.SafeEncodeString), those of a StatefulSet in a number.
var (
	podSuffix  = regexp.MustCompile(`-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	podOrdinal = regexp.MustCompile(`-[0-9]+$`)
)

// ownerOf says what made a pod, as far as its labels and annotations tell
// (kubernetes.io/docs/reference/labels-annotations-taints). "" where they do not.
// It cannot tell a Deployment from a ReplicaSet that wears a Deployment's label.
func ownerOf(pod string, labels map[string]string) string {
	base, suffixed := strings.CutSuffix(pod, podSuffix.FindString(pod))
	suffixed = suffixed && base != pod
	if source := labels["kubernetes.io/config.source"]; source == "file" || source == "http" {
		return "Node"
	}
	for _, key := range []string{"batch.kubernetes.io/job-name", "job-name"} {
		if job := labels[key]; job != "" {
			return "Job/" + job
		}
	}
	if hash := labels["pod-template-hash"]; hash != "" && suffixed {
		if name, ok := strings.CutSuffix(base, "-"+hash); ok {
			return "Deployment/" + name
		}
	}
	if labels["statefulset.kubernetes.io/pod-name"] != "" || labels["apps.kubernetes.io/pod-index"] != "" {
		return "StatefulSet/" + podOrdinal.ReplaceAllString(pod, "")
	}
	if labels["controller-revision-hash"] != "" && suffixed {
		return "DaemonSet/" + base
	}
	return ""
}

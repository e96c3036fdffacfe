// Package strict decodes the Kubernetes manifests into Kubernetes' own types, and
// takes no field that those do not have.
package strict

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("\n---")) {
		t.Fatalf("%s: several documents, want one", path)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestDaemonSet(t *testing.T) {
	var d apps.DaemonSet
	read(t, "base/daemonset.yaml", &d)
	var n core.Namespace
	read(t, "base/namespace.yaml", &n)
	if d.Kind != "DaemonSet" || d.APIVersion != "apps/v1" || d.Namespace != n.Name {
		t.Errorf("got %s %s in %s, want DaemonSet apps/v1 in %s", d.Kind, d.APIVersion, d.Namespace, n.Name)
	}
	for key, value := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[key] != value {
			t.Errorf("the selector's %s=%s is not on the pods", key, value)
		}
	}
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	s := c.SecurityContext
	if s.Privileged == nil || *s.Privileged || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
		!slices.Equal(s.Capabilities.Add, []core.Capability{"BPF", "PERFMON", "SYS_PTRACE"}) ||
		!slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) {
		t.Errorf("more privileges than recording needs: %+v", s)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("mount %s: no such volume", m.Name)
		}
	}
	if !pod.HostPID || c.LivenessProbe == nil || c.Resources.Limits.Memory().IsZero() {
		t.Error("want the host's pids, a probe and a limit of memory")
	}
}

func TestScoring(t *testing.T) {
	var c batch.CronJob
	read(t, "score/cronjob.yaml", &c)
	if c.Kind != "CronJob" || c.APIVersion != "batch/v1" || c.Spec.ConcurrencyPolicy != batch.ForbidConcurrent {
		t.Errorf("got %s %s, concurrency %s", c.Kind, c.APIVersion, c.Spec.ConcurrencyPolicy)
	}
	checkPod(t, &c.Spec.JobTemplate.Spec.Template.Spec)
	if c.Spec.JobTemplate.Spec.PodFailurePolicy == nil {
		t.Error("a busy run would count as a failure")
	}
}

func TestTraining(t *testing.T) {
	var j batch.Job
	read(t, "train/job.yaml", &j)
	if j.Kind != "Job" || j.APIVersion != "batch/v1" || len(j.Spec.Template.Spec.InitContainers) != 1 {
		t.Errorf("got %s %s with %d steps before", j.Kind, j.APIVersion, len(j.Spec.Template.Spec.InitContainers))
	}
	checkPod(t, &j.Spec.Template.Spec)
}

// TestShards wants as many shards as there are completions, each told its own.
func TestShards(t *testing.T) {
	var j, merge batch.Job
	read(t, "shards/job.yaml", &j)
	read(t, "merge/job.yaml", &merge)
	if j.Kind != "Job" || j.APIVersion != "batch/v1" || *j.Spec.CompletionMode != batch.IndexedCompletion {
		t.Errorf("got %s %s, completion mode %v", j.Kind, j.APIVersion, j.Spec.CompletionMode)
	}
	c := j.Spec.Template.Spec.Containers[0]
	if want := fmt.Sprintf("--shard=$(SHARD)/%d", *j.Spec.Completions); !slices.Contains(c.Args, want) {
		t.Errorf("arguments %q, want %s among them", c.Args, want)
	}
	if len(c.Env) != 1 || c.Env[0].Name != "SHARD" || c.Env[0].ValueFrom == nil || c.Env[0].ValueFrom.FieldRef == nil ||
		c.Env[0].ValueFrom.FieldRef.FieldPath != "metadata.annotations['"+batch.JobCompletionIndexAnnotation+"']" {
		t.Errorf("environment %+v, want the index of the completion", c.Env)
	}
	parts := "/shared/parts"
	if !slices.Contains(c.Args, "--output="+parts) || !slices.Contains(merge.Spec.Template.Spec.Containers[0].Args, parts) {
		t.Errorf("the shards go to another folder than %s, or merge reads another", parts)
	}
	checkPod(t, &j.Spec.Template.Spec)
	checkPod(t, &merge.Spec.Template.Spec)
}

// checkPod wants what needs no right to have none.
func checkPod(t *testing.T, pod *core.PodSpec) {
	t.Helper()
	if pod.RestartPolicy != core.RestartPolicyNever || pod.SecurityContext == nil || !*pod.SecurityContext.RunAsNonRoot || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Errorf("restart %s, context %+v", pod.RestartPolicy, pod.SecurityContext)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range append(slices.Clone(pod.InitContainers), pod.Containers...) {
		if s := c.SecurityContext; s == nil || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("container %s: more privileges than it needs: %+v", c.Name, s)
		}
		if c.Resources.Limits.Memory().IsZero() {
			t.Errorf("container %s: no limit of memory", c.Name)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("container %s: mount %s: no such volume", c.Name, m.Name)
			}
		}
	}
}

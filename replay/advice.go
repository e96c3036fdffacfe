package replay

import (
	"strings"

	"mayfly/detector"
	"mayfly/profile"
)

// advice says what to do about a finding, first things first: what would be lost,
// what may have left, what may have stayed. mayfly does none of it.
func advice(f *detector.Finding, items []profile.Item) []string {
	who := detector.ShortID(f.Mayfly.ContainerID)
	all := []string{"Stop it without losing what it knows: pause container " + who + " (docker pause, crictl: freeze its cgroup), do not kill it: memory and files stay as they are.",
		"Cut it off: a NetworkPolicy that allows nothing for its pod, or docker network disconnect."}
	has := func(kinds ...string) (values []string) {
		for _, item := range items {
			for _, kind := range kinds {
				if item.Kind == kind {
					values = append(values, plain(item.Value))
				}
			}
		}
		return values
	}
	if files := has(profile.WriteExec); len(files) > 0 {
		all = append(all, "Keep a copy of what was dropped before the container goes: "+list(files)+" (docker cp works on a paused container; a memfd lives in /proc/PID/fd only).")
	}
	if peers := has(profile.Connect); len(peers) > 0 {
		all = append(all, "Find out who is at "+list(peers)+", and which other containers spoke to them (mayfly inspect, flow logs).")
	}
	if reads := secrets(items); len(reads) > 0 {
		all = append(all, "Take what was read for known to the attacker and change it: "+list(reads)+".")
	}
	if priv := has(profile.Priv, profile.Cap); len(priv) > 0 {
		all = append(all, "It asked for "+list(priv)+": look whether it reached the host or other containers, and take from it the rights that it does not need.")
	}
	if writes := has(profile.Write); len(writes) > 0 {
		all = append(all, "Look at what it wrote ("+list(writes)+"), above all on volumes: they outlive the container.")
	}
	if len(items) == 0 {
		all = append(all, "Nothing that it did is new, only how much and in which order: compare with a release, a batch job or a load test at that time before you take it for an attack.")
	}
	return append(all, "If it was meant (a release, an operator with docker exec): train again with this time as normal, or label it.")
}

// secrets are the reads that a technique of stealing credentials is known for.
func secrets(items []profile.Item) (values []string) {
	for _, item := range items {
		if t, ok := profile.TechniqueOf(item); ok && item.Kind == profile.Read && strings.Contains(t.Tactic, "credential") {
			values = append(values, plain(item.Value))
		}
	}
	return values
}

// list joins the first few of many.
func list(values []string) string {
	const most = 5
	if len(values) > most {
		return strings.Join(values[:most], ", ") + ", …"
	}
	return strings.Join(values, ", ")
}

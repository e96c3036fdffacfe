package runtimes

import (
	"maps"
	"slices"
	"strings"

	"mayfly/trace"
)

// Merge returns what known and more tell of a container together: what is full
// counts more than what is partial, and of equals the later; what one does not
// say, the other may, unless Docker has described the container. So it is with each
// label: of a pod's container, containerd has its own and CRI those of the pod besides.
// known may be nil. Neither is changed.
func Merge(known, more *trace.Container) *trace.Container {
	if known == nil {
		return more
	}
	below, above := *known, *more
	if whole(&below) && above.Facts != trace.FactsFull {
		below, above = above, below
	}
	if whole(&above) && below.Facts != trace.FactsFull {
		below = trace.Container{StartedNS: below.StartedNS, FinishedNS: below.FinishedNS}
	} else if known.Facts == trace.FactsFull && more.Facts != trace.FactsFull || known.Facts == more.Facts && before(more, known) {
		below, above = above, below
	}
	if startedAfter(&above, &below) {
		below.FinishedNS = nil // of an earlier run
	}
	labels := addLabels(below.Labels, above.Labels)
	trace.Overlay(&below, &above)
	below.Labels = labels
	return &below
}

// addLabels returns labels with more of them, which count more; all are key=value.
func addLabels(labels, more []string) []string {
	if len(labels) == 0 || slices.Equal(labels, more) {
		return more
	}
	byKey := map[string]string{}
	for _, label := range slices.Concat(labels, more) {
		key, _, _ := strings.Cut(label, "=")
		byKey[key] = label
	}
	return slices.Sorted(maps.Values(byKey))
}

// whole says that a description leaves nothing out: what it does not have the
// container has not. Docker's configuration of a container is such; the OCI
// configuration below it also has what Docker adds to each.
func whole(c *trace.Container) bool {
	return c.Facts == trace.FactsFull && (c.Runtime == Docker || c.Runtime == Podman)
}

// before says whether a was asked for before b was: the same run of a container,
// not yet ended.
func before(a, b *trace.Container) bool {
	if a.FinishedNS != nil || b.FinishedNS == nil {
		return false
	}
	return a.StartedNS == nil || b.StartedNS != nil && *a.StartedNS <= *b.StartedNS
}

func startedAfter(a, b *trace.Container) bool {
	return a.StartedNS != nil && b.FinishedNS != nil && *a.StartedNS > *b.FinishedNS
}

// Package runtimes asks container runtimes what their containers are: Docker and
// podman by Docker's API, containerd by its own, and whatever speaks the
// Kubernetes Container Runtime Interface (CRI-O, containerd). Facts of each
// container come out on a channel, as rows of the containers table without what
// only the kernel knows (times of rows, cgroups).
//
//	sources := runtimes.DefaultSources()
//	runtimes.Watch(ctx, sources, facts, log) // returns at once
//
// Each runtime is asked by a goroutine of its own, with a back-off of its own;
// nothing waits for any of them. A runtime that goes away is told once to the log,
// and again when it is back.
//
// Facts are full (trace.FactsFull) when the runtime described the container, and
// partial when only an event or a list named it. Several of one container may
// come, in any order and from several runtimes: Merge puts them together.
package runtimes

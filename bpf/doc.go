// Package bpf owns the kernel side of the recorder: mayfly.bpf.c, the objects
// compiled from it for amd64 and arm64, and how they are loaded and attached.
//
// What comes out is three ring buffers, of security events, of other events and of
// system-call sequences, whose records have the layout of the Go types that
// bpf2go wrote (MayflyEvent, MayflySequence); a map of what each container
// produced and lost; one of what it lately sent; maps of the containers seen and of
// the cgroups above them; and one that package record, which reads them all, fills
// with the containers that it wants nothing more of.
//
//	probes, err := bpf.Load(bpf.DefaultOptions())
//	defer probes.Close()
//	err = probes.Attach()
//
// The objects are committed, so that a build needs no clang; regenerate them
// with clang 14 after a change of the C side.
package bpf

//go:generate go tool bpf2go -target amd64,arm64 -type event -type sequence -type sock_names -type exe_file Mayfly mayfly.bpf.c -- -O2 -g -mcpu=v3 -Wall -Werror

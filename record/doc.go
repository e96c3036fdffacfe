// Package record records what containers do: it loads the kernel side (package
// bpf), reads its rings, finds out which container is which, and writes a trace.
//
// Kernel events and runs of system calls come in; the tables of package trace go
// out, sealed once a minute. What was produced and did not reach the trace is
// counted, by container and class, and written into the losses table.
//
//	opts := record.DefaultOptions()
//	opts.Dir = "trace"
//	summary, err := record.Run(ctx, opts) // until ctx ends
//
// It needs root or two capabilities (see Check), a kernel with BTF, and nothing of a container
// runtime: where one answers (package runtimes), its facts of each container are added. BLINDSPOTS.md
// says what a recording cannot show.
package record

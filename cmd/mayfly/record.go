package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mayfly/record"
	"mayfly/record/runtimes"
)

const recordLong = `Record what containers do, with eBPF, into a trace: a directory of Parquet files.

Of each container it records events with their arguments (programs run, files
opened, renamed and removed, sockets, changes of identity, mounts, ptrace, kernel
modules, namespaces) and every system call of every thread as sequences. Events
that could not be kept are counted, by container, in the trace itself. Where a
container runtime answers, its facts of each container are added: Docker, podman,
containerd or a CRI runtime (Kubernetes), at their usual sockets or where --runtime
says; nothing waits for them.

It needs root and a kernel with BTF. It stops at SIGINT, SIGTERM or after
--duration; then it writes what is still in the kernel and seals the files. Until
then a file is complete once a minute (--rotate), and what is newer is on disk
within a second: after kill -9 or a power cut the next recorder seals it and notes
the gap. A disk that is full or fails does not end the recording; what could not be
written is counted. With --retain and --retain-age the oldest files make room.

Example:
  mayfly record -o trace --duration 30s
  mayfly ingest trace -o features.parquet

`

// recordOptions are the flags of mayfly record.
type recordOptions struct {
	record.Options
	duration time.Duration
	runtimes []string
	verbose  bool
}

func newRecordCommand() *cobra.Command {
	opts := recordOptions{Options: record.DefaultOptions()}
	opts.Recorder = "mayfly " + version()
	cmd := &cobra.Command{
		Use:   "record -o DIR",
		Short: "Record what containers do into a trace (root)",
		Long:  recordLong + exitStatuses,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runRecord(cmd.Context(), opts, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&opts.Dir, "output", "o", "", "trace directory to write into")
	f.BoolVar(&opts.All, "all", false, "record the host's processes too, not only containers'")
	f.BoolVar(&opts.BPF.Setup, "runtime-setup", false, "record what a runtime does in a container before its program starts")
	f.DurationVar(&opts.duration, "duration", 0, "stop after this long (0: until a signal)")
	f.DurationVar(&opts.Rotate, "rotate", opts.Rotate, "complete files at multiples of this on the wall clock")
	f.StringArrayVar(&opts.runtimes, "runtime", nil, "ask this container runtime, as docker=unix:///run/docker.sock (docker, podman, containerd or cri; repeatable; default: the usual sockets)")
	f.BoolVar(&opts.NoRuntime, "no-runtime", false, "ask no container runtime")
	f.Var((*byteSize)(&opts.RetainBytes), "retain", "delete the oldest complete files above this size, as 10GiB (0: keep all)")
	f.DurationVar(&opts.RetainAge, "retain-age", 0, "delete complete files older than this (0: keep all)")
	f.StringVar(&opts.Host, "host", "", "name of this machine in the trace (default: its host name)")
	f.BoolVarP(&opts.verbose, "verbose", "v", false, "print what happens to stderr")
	return cmd
}

func runRecord(ctx context.Context, opts recordOptions, stderr io.Writer) error {
	switch {
	case opts.Dir == "":
		return usageErrorf("record: no trace directory; give one with -o DIR")
	case opts.Rotate < time.Second:
		return usageErrorf("record: --rotate %v: want a second or more", opts.Rotate)
	case opts.RetainAge < 0:
		return usageErrorf("record: --retain-age %v: want more than 0", opts.RetainAge)
	case opts.duration < 0:
		return usageErrorf("record: --duration %v: want more than 0", opts.duration)
	}
	for _, text := range opts.runtimes {
		source, err := runtimes.ParseSource(text)
		if err != nil {
			return usageErrorf("record: --%v", err)
		}
		opts.Runtimes = append(opts.Runtimes, source)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if opts.verbose {
		opts.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	what := "containers"
	if opts.All {
		what = "containers and the host"
	}
	opts.Ready = func() {
		fmt.Fprintf(stderr, "mayfly: recording %s into %s\n", what, opts.Dir)
		if opts.duration > 0 {
			time.AfterFunc(opts.duration, cancel)
		}
	}
	summary, err := record.Run(ctx, opts.Options)
	if errors.Is(err, record.ErrCannotRecord) {
		return err
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	printSummary(stderr, summary)
	return nil
}

func printSummary(w io.Writer, s record.Summary) {
	fmt.Fprintf(w, "mayfly: recorded %d events, %d calls in %d sequences, %d processes of %d containers in %v\n",
		s.Events, s.Calls, s.Sequences, s.Processes, s.Containers, s.Duration.Round(time.Millisecond))
	if len(s.Lost) == 0 {
		fmt.Fprintln(w, "mayfly: lost nothing")
		return
	}
	var lost []string
	for _, class := range slices.Sorted(maps.Keys(s.Lost)) {
		lost = append(lost, fmt.Sprintf("%d of %d records of %s", s.Lost[class], s.Produced[class], class))
	}
	fmt.Fprintf(w, "mayfly: lost %s; the trace's losses table says of which containers\n", strings.Join(lost, ", "))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mayfly/record"
	"mayfly/record/redact"
	"mayfly/record/runtimes"
	"mayfly/trace"
)

const recordLong = `Record what containers do, with eBPF, into a trace: a directory of Parquet files.

Of each container it records events with their arguments (programs run, files
opened, renamed and removed, sockets, changes of identity, mounts, ptrace, kernel
modules, namespaces) and every system call of every thread as sequences. Events
that could not be kept are counted, by container, in the trace itself. Where a
container runtime answers, its facts of each container are added: Docker, podman,
containerd or a CRI runtime (Kubernetes), at their usual sockets and at DOCKER_HOST, or
where --runtime says; nothing waits for them.

--select narrows the recording to containers by name, image, label, pod, namespace,
owner or runtime: --select 'image=docker.io/library/nginx*' --select 'label=app=web'
--select '!namespace=kube-system'. In a pattern * stands for any characters and ? for
one. Several terms of one key are alternatives, terms of different keys must all
hold, and what a term with ! matches is excluded. A container is held back until
enough is known of it, for 10 seconds and 32 MiB of all containers at most; then what
is known decides until more is, and where that is nothing it is recorded and marked as
unknown. What was left out is counted in the losses table, as no loss (class
deselected). With --all the host's processes are recorded besides.

It needs root, or the capabilities CAP_BPF and CAP_PERFMON and, to name programs
that run already, CAP_SYS_PTRACE; and a kernel with BTF (see mayfly doctor). Once
it records it gives all of that up and makes no other system calls than a recorder
needs. Passwords, tokens and keys in command lines are replaced by <redacted>
before they are written. On a terminal it shows how it is doing; elsewhere its log
is JSON.

It stops at SIGINT, SIGTERM or after
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
	duration   time.Duration
	runtimes   []string
	selects    []string
	verbose    bool
	log        string
	noConfine  bool
	noRedact   bool
	patterns   []string
	metrics    string
	metricFile string
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
	f.StringArrayVar(&opts.runtimes, "runtime", nil, "ask this container runtime, as docker=unix:///run/docker.sock (docker, podman, containerd or cri; repeatable; default: the usual sockets, and DOCKER_HOST)")
	f.StringArrayVar(&opts.selects, "select", nil, "record only containers that match [!]KEY=PATTERN, as image=docker.io/library/nginx* (repeatable)")
	f.BoolVar(&opts.NoRuntime, "no-runtime", false, "ask no container runtime")
	f.Var((*byteSize)(&opts.RetainBytes), "retain", "delete the oldest complete files above this size, as 10GiB (0: keep all)")
	f.DurationVar(&opts.RetainAge, "retain-age", 0, "delete complete files older than this (0: keep all)")
	f.Var((*byteSize)(&opts.BPF.Budget), "container-budget", "bytes a second that one container may send of each class before its records are lost, and counted (0: only its share of the rings)")
	f.StringVar(&opts.Host, "host", "", "name of this machine in the trace (default: its host name)")
	f.StringArrayVar(&opts.patterns, "redact-pattern", nil, "also replace what this regular expression finds in command lines (may be repeated)")
	f.BoolVar(&opts.noRedact, "no-redact", false, "leave secrets in command lines")
	f.BoolVar(&opts.noConfine, "no-confine", false, "keep all privileges while recording")
	f.StringVar(&opts.metrics, "metrics", "", "serve Prometheus metrics at [ADDRESS]:PORT, on the loopback address unless one is given")
	f.StringVar(&opts.metricFile, "metrics-textfile", "", "write Prometheus metrics to this .prom file, for node_exporter")
	f.StringVar(&opts.log, "log", "auto", "form of the log: text, json, or auto: text on a terminal, else json")
	f.BoolVarP(&opts.verbose, "verbose", "v", false, "log what happens in detail")
	return cmd
}

// check refuses flags that make no sense, and fills in what follows from the rest.
func (opts *recordOptions) check() (err error) {
	switch {
	case opts.Dir == "":
		return usageErrorf("record: no trace directory; give one with -o DIR")
	case opts.Rotate < time.Second:
		return usageErrorf("record: --rotate %v: want a second or more", opts.Rotate)
	case opts.RetainAge < 0:
		return usageErrorf("record: --retain-age %v: want more than 0", opts.RetainAge)
	case opts.duration < 0:
		return usageErrorf("record: --duration %v: want more than 0", opts.duration)
	case opts.log != "auto" && opts.log != "text" && opts.log != "json":
		return usageErrorf("record: --log %q: want auto, text or json", opts.log)
	case opts.noRedact && len(opts.patterns) > 0:
		return usageErrorf("record: --no-redact and --redact-pattern exclude each other")
	}
	if opts.Select, err = record.ParseSelection(opts.selects); err != nil {
		return usageErrorf("record: --%v", err)
	}
	if opts.NoRuntime && len(opts.runtimes) > 0 {
		return usageErrorf("record: --runtime and --no-runtime exclude each other")
	}
	if opts.NoRuntime && len(opts.selects) > 0 {
		return usageErrorf("record: --select asks container runtimes; leave out --no-runtime")
	}
	dockerHost := os.Getenv("DOCKER_HOST")
	if opts.NoRuntime {
		dockerHost = ""
	}
	if opts.Runtimes, err = runtimeSources(opts.runtimes, dockerHost); err != nil {
		return usageErrorf("record: %w", err)
	}
	if !opts.noRedact {
		if opts.Redact, err = redact.New(redact.Options{Patterns: opts.patterns}); err != nil {
			return usageErrorf("record: %w", err)
		}
	}
	if opts.metrics != "" {
		if opts.metrics, err = listenAddress(opts.metrics); err != nil {
			return err
		}
	}
	if opts.metricFile != "" {
		opts.WriteDirs = append(opts.WriteDirs, filepath.Dir(opts.metricFile))
		return checkTextfile("record", opts.metricFile)
	}
	return nil
}

// runtimeSources are the runtimes that flags name or, where they name none, those
// at the usual sockets and at dockerHost, which is where the docker command would
// ask; "" is its default.
func runtimeSources(flags []string, dockerHost string) ([]runtimes.Source, error) {
	var sources []runtimes.Source
	for _, text := range flags {
		source, err := runtimes.ParseSource(text)
		if err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
		sources = append(sources, source)
	}
	if len(flags) > 0 || dockerHost == "" {
		return sources, nil
	}
	source, err := runtimes.ParseSource(runtimes.Docker + "=" + dockerHost)
	if err != nil {
		return nil, fmt.Errorf("DOCKER_HOST: %w; say what to ask with --runtime", err)
	}
	return append(runtimes.DefaultSources(), source), nil
}

func runRecord(ctx context.Context, opts recordOptions, stderr io.Writer) error {
	if err := opts.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	boundRecordMemory()
	syscall.Umask(0o077) // whatever is made from here on is the owner's alone
	opts.Confine = !opts.noConfine
	out := newWatcher(stderr, &opts)
	if err := out.open(&opts); err != nil {
		return err
	}
	defer out.close()
	opts.Log, opts.Watch = out.log, out.watch
	opts.Ready = func() {
		what := "containers"
		if opts.All {
			what = "containers and the host"
		}
		out.say("recording", slog.String("what", what), slog.String("trace", opts.Dir))
		out.notify.ready()
		if opts.duration > 0 {
			time.AfterFunc(opts.duration, cancel)
		}
		context.AfterFunc(ctx, out.notify.stopping)
	}
	summary, err := record.Run(ctx, opts.Options)
	out.close()
	if errors.Is(err, record.ErrCannotRecord) {
		return err
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	out.summary(summary)
	return nil
}

func printSummary(w io.Writer, s record.Summary) {
	fmt.Fprintf(w, "mayfly: recorded %d events, %d calls in %d sequences, %d processes of %d containers in %v\n",
		s.Events, s.Calls, s.Sequences, s.Processes, s.Containers, s.Duration.Round(time.Millisecond))
	if n := s.Produced[trace.LossDeselected]; n > 0 {
		fmt.Fprintf(w, "mayfly: left out %d records of containers that are not selected\n", n)
	}
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

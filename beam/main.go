package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/spf13/cobra"
)

const rootLong = `mayfly-beam does what mayfly ingest, train and replay do, with the same flags and
the same bytes, as a pipeline of Apache Beam. INPUT and output are paths that every
worker sees, or URLs: s3://BUCKET/KEY, gs://BUCKET/KEY, azblob://CONTAINER/KEY.

Without --endpoint the pipeline runs in this process, on Beam's Prism. Elsewhere:

  mayfly-beam ingest s3://logs/fleet/ -o s3://logs/features.parquet \
      --runner universal --endpoint JOBSERVICE:8099 \
      --environment_type EXTERNAL --environment_config WORKERPOOL:50000

Flags with an underscore, and those of one word that mayfly does not have, are
Beam's; docs/beam.md says which matter on which engine.

Exit status: 0 fine, 1 failure, 2 wrong use, 3 partial (some inputs were rejected).`

// Exit statuses are mayfly's.
const (
	statusFailure = 1
	statusUsage   = 2
	statusPartial = 3
)

func main() {
	if slices.ContainsFunc(os.Args[1:], func(arg string) bool { return arg == "--worker" || arg == "--worker=true" }) {
		flag.Parse()
		beam.Init() // serves, and ends the process
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var status statusError
	switch {
	case errors.As(err, &status):
	case strings.HasPrefix(err.Error(), "required flag(s)"): // cobra has no type for it
		status = statusError{statusUsage, err}
	default:
		status = statusError{statusFailure, err}
	}
	if status.err != nil {
		fmt.Fprintf(stderr, "mayfly-beam: %s\n", strings.ReplaceAll(status.err.Error(), "\n", "; "))
	}
	return status.status
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "mayfly-beam",
		Short:         "mayfly's ingest, train and replay as pipelines of Apache Beam",
		Long:          rootLong,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newIngestCommand(), newTrainCommand(), newReplayCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageErrorf("%w (see %s -h)", err, cmd.CommandPath())
	})
	for _, cmd := range root.Commands() {
		check := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageErrorf("%s: %w (see %s -h)", cmd.Name(), err, cmd.CommandPath())
			}
			return nil
		}
	}
	flags := root.PersistentFlags()
	flags.StringVar(&staging, "staging", "", "`folder`, by path or URL, for what passes between workers; where the output is a path: beside it")
	flags.AddGoFlagSet(flag.CommandLine)
	return root
}

// statusError is an error with an exit status other than failure. With a nil err
// nothing is printed.
type statusError struct {
	status int
	err    error
}

func (e statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e statusError) Unwrap() error { return e.err }

func usageErrorf(format string, args ...any) error {
	return statusError{statusUsage, fmt.Errorf(format, args...)}
}

// version is as mayfly's own: both are built from one checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

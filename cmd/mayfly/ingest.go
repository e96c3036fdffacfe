package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mayfly/ingest"
)

const ingestLong = `Deal the rows of traces out to windows of features: one window per container and
width of time in which the container did anything. The FEATURES file holds
observations only (counts, system calls, trigrams, items seen); what is learned
of them is learned by train, so that a file is made once and used for any split.

A TRACE is a directory that mayfly record wrote, or one Parquet file of it.
Several are merged by time. A trace that cannot be read ends the command and
leaves no output; with --skip-bad it is left out and counted.

  mayfly ingest trace/ -o features.parquet
  mayfly ingest monday/ tuesday/ -o week.parquet --width 1s --skip-bad

` + exitStatuses

type ingestOptions struct {
	ingest.Options
	width, lateness time.Duration
}

func newIngestCommand() *cobra.Command {
	opts := ingestOptions{width: time.Second, lateness: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "ingest TRACE... -o FEATURES",
		Short: "Turn traces into windows of features",
		Long:  ingestLong,
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runIngest(cmd, opts, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.Output, "output", "o", "", "FEATURES file to write (Parquet)")
	flags.DurationVar(&opts.width, "width", opts.width, "width of a window, 1ms to 24h")
	flags.DurationVar(&opts.lateness, "lateness", opts.lateness, "how much later than a newer row a row may come, up to 24h")
	flags.BoolVar(&opts.HostToo, "host-too", false, "make windows of the host's own processes too")
	flags.BoolVar(&opts.SkipBad, "skip-bad", false, "leave out traces that cannot be read (exit status 3)")
	return cmd
}

func runIngest(cmd *cobra.Command, opts ingestOptions, args []string) error {
	const day = 24 * time.Hour
	switch {
	case opts.Output == "":
		return usageErrorf("ingest: no output: name a file with -o (see mayfly ingest -h)")
	case opts.width < time.Millisecond || opts.width > day:
		return usageErrorf("ingest: --width: got %v, want 1ms to 24h", opts.width)
	case opts.lateness < 0 || opts.lateness > day:
		return usageErrorf("ingest: --lateness: got %v, want 0s to 24h", opts.lateness)
	}
	if err := checkOutput(opts.Output, args...); err != nil {
		return err
	}
	opts.WidthNS, opts.LatenessNS = opts.width.Nanoseconds(), opts.lateness.Nanoseconds()
	if opts.LatenessNS == 0 {
		opts.LatenessNS = -1 // none; 0 would mean the default
	}
	opts.Creator = "mayfly ingest " + version()
	report, err := ingest.Run(cmd.Context(), args, opts.Options)
	if err != nil {
		return err
	}
	printIngest(cmd.ErrOrStderr(), report, opts.Output)
	if len(report.Bad) > 0 {
		return statusError{statusPartial, nil}
	}
	return nil
}

// printIngest says on stderr what became of the traces.
func printIngest(w io.Writer, r *ingest.Report, output string) {
	for _, bad := range r.Bad {
		fmt.Fprintf(w, "mayfly: left out: %s\n", oneLine(bad.Err))
	}
	fmt.Fprintf(w, "mayfly: %s: %d windows of %d containers from %d rows in %d files\n",
		output, r.Windows, r.Containers, r.Rows, r.Files)
	if r.HostRows > 0 {
		fmt.Fprintf(w, "mayfly: %d rows of the host left out (--host-too takes them)\n", r.HostRows)
	}
	for _, loss := range []struct {
		n    int64
		what string
	}{
		{r.LateRows, "rows came late (--lateness) and are missing in part"},
		{r.BadTimes, "rows have a time that cannot be"},
		{r.FullRows, "rows found no room among the open windows"},
		{r.Lost, "records were lost by the recorder; their windows say so (n_lost)"},
		{r.GapWindows, "windows touch a gap of the recording, as they say (missing)"},
	} {
		if loss.n > 0 {
			fmt.Fprintf(w, "mayfly: warning: %d %s\n", loss.n, loss.what)
		}
	}
}

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mayfly/profile"
	"mayfly/trace"
)

const profileBuildLong = `Make a profile of what containers did in some traces: directories that mayfly
record wrote, or single Parquet files of them.

The same traces give the same bytes, in whatever order they are given, and profiles
that were made of them one by one are merged to the same bytes too. Memory does not
grow with the length of the traces. What was lost while they were recorded stands in
the profile, and mayfly rules will not pass over it.

  mayfly record -o monday --duration 8h
  mayfly profile build monday -o monday.json
  mayfly profile show monday.json

`

type profileBuildOptions struct {
	output  string
	width   time.Duration
	skipBad bool
}

func newProfileBuildCommand() *cobra.Command {
	opts := profileBuildOptions{width: time.Second}
	cmd := &cobra.Command{
		Use:   "build TRACE... -o PROFILE",
		Short: "Make a profile of traces",
		Long:  profileBuildLong + exitStatuses,
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runProfileBuild(cmd, opts, args) },
	}
	f := cmd.Flags()
	f.StringVarP(&opts.output, "output", "o", "", "profile to write (JSON)")
	f.DurationVar(&opts.width, "width", opts.width, "width of the windows that evidence is counted in, 1ms to 24h")
	f.BoolVar(&opts.skipBad, "skip-bad", false, "leave out files that cannot be read (exit status 3)")
	return cmd
}

func runProfileBuild(cmd *cobra.Command, opts profileBuildOptions, args []string) error {
	switch {
	case opts.output == "":
		return usageErrorf("profile build: no output: name a file with -o (see mayfly profile build -h)")
	case opts.width < time.Millisecond || opts.width > 24*time.Hour:
		return usageErrorf("profile build: --width: got %v, want 1ms to 24h", opts.width)
	}
	if err := checkOutput(opts.output, args...); err != nil {
		return err
	}
	var traces []*trace.Trace
	partial := false
	for _, path := range args {
		t, bad, err := trace.OpenSound(path)
		if err == nil && len(bad) > 0 && !opts.skipBad {
			err = bad[0]
		}
		if err != nil {
			return err
		}
		for _, err := range bad {
			partial = true
			fmt.Fprintf(cmd.ErrOrStderr(), "mayfly: left out: %s\n", oneLine(err))
		}
		traces = append(traces, t)
	}
	if err := checkTraces(traces); err != nil {
		return err
	}
	ctx, done := withProgress(cmd.Context(), cmd.ErrOrStderr(), "profile build", eventRows(traces...), 1)
	p, err := profile.Build(ctx, traces, profile.BuildOptions{WindowNS: opts.width.Nanoseconds()})
	done()
	if err != nil {
		return err
	}
	if len(p.Workloads) == 0 {
		return fmt.Errorf("profile: no containers in %s", args[0])
	}
	if err := writeProfile(opts.output, p); err != nil {
		return err
	}
	tellProfile(cmd.ErrOrStderr(), p)
	if partial {
		return statusError{statusPartial, nil}
	}
	return nil
}

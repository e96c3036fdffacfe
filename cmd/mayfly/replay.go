package main

import (
	"fmt"

	"mayfly/detector"
	"mayfly/replay"
	"mayfly/trace"

	"github.com/spf13/cobra"
)

const replayLong = `Replay scores traces with a detector and writes a finding, one JSON line in the
shape of Falco's alerts, for each attack: windows above the threshold that belong
together. It says what, where, when, the features that carried it with what was
usual, and the event rows behind it.

Windows of a container belong together over silences of up to a minute
(or the longer time scale, where that is longer). One that
brings something new, which none before it in the attack did, begins a finding of
its own, unless the last one that did was right before it. A finding is written
when nothing followed it for that long or twice the longer time scale (20 windows)
after its beginning, whichever comes first, and when the recorder stops. What goes
on after that is a further finding that says which one it "continues", each
twice as long as the one before, up to 2,560 windows.

With --state the same command can run from cron: each window is scored once, some
seconds after the files that hold it are sealed, and a finding that may still go on
is held in the state. Without it everything is scored, and written at the end.

A damaged file is left out and named; the exit status is 3 then.

  mayfly replay web.mayfly trace/ -o findings.jsonl
  mayfly replay web.mayfly trace/ -o findings.jsonl --state web.state --exit-code 10

Exit status: 0 fine, 1 failure, 2 wrong use, 3 partial (some inputs were rejected),
and the one of --exit-code when there are findings and nothing was rejected.`

type replayOptions struct {
	replay.Options
	exitCode int
}

func newReplayCommand() *cobra.Command {
	var opts replayOptions
	cmd := &cobra.Command{
		Use:   "replay DETECTOR TRACE...",
		Short: "Score traces with a detector, into findings",
		Long:  replayLong,
		Args:  cobra.MinimumNArgs(2),
		RunE:  func(cmd *cobra.Command, args []string) error { return runReplay(cmd, args, opts) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.OutputPath, "output", "o", "", "findings `file`; stdout when not given")
	flags.StringVar(&opts.StatePath, "state", "", "`file` that remembers what has been scored")
	flags.IntVar(&opts.exitCode, "exit-code", 0, "exit `status` when there are findings")
	flags.IntVar(&opts.Threads, "threads", 0, "threads to use; 0: one per processor; no influence on the result")
	return cmd
}

func runReplay(cmd *cobra.Command, args []string, opts replayOptions) error {
	if opts.exitCode < 0 || opts.exitCode > 125 {
		return usageErrorf("replay: --exit-code: want 0 to 125, got %d", opts.exitCode)
	}
	if err := checkThreadCount("replay", opts.Threads); err != nil {
		return err
	}
	d, err := detector.Load(args[0])
	if err != nil {
		return err
	}
	var traces []*trace.Trace
	var rejected []error
	for _, path := range args[1:] {
		t, bad, err := trace.OpenSound(path)
		if err != nil {
			if len(args) == 2 {
				return err
			}
			bad = append(bad, err)
		} else {
			traces = append(traces, t)
		}
		rejected = append(rejected, bad...)
	}
	if err := checkTraces(traces); err != nil {
		return err
	}
	inputs := args[:1:1]
	for _, t := range traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				inputs = append(inputs, f.Path)
			}
		}
	}
	if err := checkOutputs([]output{{path: opts.OutputPath}, {path: opts.StatePath}}, inputs...); err != nil {
		return err
	}
	opts.Output = cmd.OutOrStdout()
	report, err := replay.Run(cmd.Context(), d, traces, opts.Options)
	if err != nil {
		return err
	}
	rejected = append(rejected, report.Rejected...)
	w := cmd.ErrOrStderr()
	for _, err := range rejected {
		fmt.Fprintf(w, "mayfly: left out: %s\n", oneLine(err))
	}
	fmt.Fprintf(w, "mayfly: %d windows of %d containers scored in %d files (%d files scored before, %d windows wait): %d findings\n",
		report.Windows, report.Containers, report.Files, report.Before, report.Waiting, report.Findings)
	if report.Open > 0 {
		fmt.Fprintf(w, "mayfly: %d findings may still go on: the state holds them, a later run writes them\n", report.Open)
	}
	if report.Unlearned > 0 {
		fmt.Fprintf(w, "mayfly: %d more alarms are of workloads that were not learned: one finding for each container says so\n", report.Unlearned)
	}
	if report.Lost > 0 || report.LateRows > 0 {
		fmt.Fprintf(w, "mayfly: %d records were lost and %d rows came too late: what they did was not scored\n", report.Lost, report.LateRows)
	}
	if report.GapWindows > 0 {
		fmt.Fprintf(w, "mayfly: %d of these windows touch a gap of the recording: that nothing was found there says little\n", report.GapWindows)
	}
	for i := range report.Workloads {
		if c := &report.Workloads[i]; c.Verdict != replay.AsLearned {
			fmt.Fprintf(w, "mayfly: %s\n", c.Words())
		}
	}
	if report.LateFiles > 0 {
		fmt.Fprintf(w, "mayfly: %d files came when their time had been scored without them: their windows were left out\n", report.LateFiles)
	}
	switch {
	case len(rejected) > 0 || report.LateFiles > 0:
		return statusError{statusPartial, nil}
	case report.Findings > 0 && opts.exitCode != 0:
		return statusError{opts.exitCode, nil}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mayfly/cmd/flags"
	"mayfly/detector"
	"mayfly/replay"
	"mayfly/sink"
	"mayfly/trace"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// statusBusy is the exit status of a run that found another one at work.
const statusBusy = 4

const replayLong = `Replay scores traces with a detector and writes a finding for each attack: windows
above the threshold that belong together. It says what, where, when, the features
that carried it with what was usual, and the event rows behind it. The form is a
JSON line in the shape of Falco's alerts, or that of --format: a table for people,
ocsf (Detection Finding), sarif (one document).

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
--follow does so by itself, each time that the traces have grown, until it is
ended. --since passes over what is older.

With --webhook each finding is sent to a receiver that takes Falco's JSON
(Falcosidekick at /). The findings file is the spool: what a receiver that is away
did not take is sent by a later run, and FILE.sent says how far it got. What it
refuses for good goes to FILE.refused.

--report writes what this run found as one HTML page: findings with what carried
them, each container's scores over time, drift, losses.

--plan writes for each finding what to do, as files that a person or a robot applies:
DIR/ID/README.md in plain words, pause.sh and resume.sh, quarantine.sh with its
NetworkPolicy where the container is a pod's, and the evidence: the finding, the
container's rows around it as a trace, its workload's profile, SHA256SUMS. mayfly
carries none of it out. A finding that is written has its plan; the same finding has
the same one.

With --shard I/N the command scores every Nth host of the traces only, into a folder
that all N share; mayfly merge writes the findings of all.

A damaged file is left out and named; the exit status is 3 then.

  mayfly replay web.mayfly trace/ -o findings.jsonl
  mayfly replay web.mayfly trace/ --format table
  mayfly replay web.mayfly trace/ -o findings.jsonl --state web.state --exit-code 10
  mayfly replay web.mayfly trace/ -o findings.jsonl --state web.state --plan plans/
  mayfly replay web.mayfly trace/ -o findings.jsonl --state web.state --follow \
      --webhook http://falcosidekick:2801/ --metrics-textfile /var/lib/node_exporter/mayfly.prom

Exit status: 0 fine, 1 failure, 2 wrong use, 3 partial (some inputs were rejected, or
findings wait for the receiver), 4 busy (another replay is at work with the state:
nothing was done), and the one of --exit-code when there are findings and nothing
was rejected.`

type replayOptions struct {
	replay.Options
	exitCode int
	since    string
	follow   bool
	every    time.Duration
	webhook  sink.Webhook
	headers  []string
	metrics  string
	report   string
	shard    string
	flags    *pflag.FlagSet
	stderr   io.Writer
}

func newReplayCommand() *cobra.Command {
	opts := replayOptions{every: 5 * time.Second, webhook: sink.Webhook{Retries: 4}}
	cmd := &cobra.Command{
		Use:   "replay DETECTOR TRACE...",
		Short: "Score traces with a detector, into findings",
		Long:  replayLong,
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.flags = cmd.Flags()
			return runReplay(cmd.Context(), args, opts, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.OutputPath, "output", "o", "", "findings `file`; stdout when not given")
	flags.StringVar(&opts.Format, "format", sink.NDJSON, "`form` of the findings: "+strings.Join(sink.Formats(), ", "))
	flags.StringVar(&opts.StatePath, "state", "", "`file` that remembers what has been scored")
	flags.StringVar(&opts.since, "since", "", "pass over what is older: a `time` (2026-01-02T15:04:05Z) or an age (36h)")
	flags.BoolVar(&opts.follow, "follow", false, "go on with what comes, until ended (wants --state)")
	flags.DurationVar(&opts.every, "every", opts.every, "how often --follow looks for new files")
	flags.StringVar(&opts.webhook.URL, "webhook", "", "send findings to this `URL` (wants --state and -o)")
	flags.StringArrayVar(&opts.headers, "webhook-header", nil, "`NAME: VALUE` to send along, or NAME: @FILE for a secret (several times for several)")
	flags.DurationVar(&opts.webhook.Timeout, "webhook-timeout", 10*time.Second, "how long the receiver may take for an answer")
	flags.StringVar(&opts.report, "report", "", "write the run as one HTML page to this `file`, for people")
	flags.StringVar(&opts.PlanDir, "plan", "", "write a response plan for each finding into this `folder`; nothing of it is carried out")
	flags.StringVar(&opts.metrics, "metrics-textfile", "", "write how the run went to this `file` (.prom), for node_exporter")
	addShard(flags, &opts.shard)
	flags.IntVar(&opts.exitCode, "exit-code", 0, "exit `status` when there are findings")
	flags.IntVar(&opts.Threads, "threads", 0, "threads to use; 0: one per processor; no influence on the result")
	return cmd
}

// check refuses flags that cannot be meant, and makes of them what they stand for.
func (o *replayOptions) check(now time.Time) (err error) {
	if o.exitCode < 0 || o.exitCode > 125 {
		return usageErrorf("replay: --exit-code: want 0 to 125, got %d", o.exitCode)
	}
	if err := checkThreadCount("replay", o.Threads); err != nil {
		return err
	}
	if _, err := sink.NewEncoder(o.Format, ""); err != nil {
		return usageErrorf("replay: --format: %w", err)
	}
	switch {
	case o.follow && o.StatePath == "":
		return usageErrorf("replay: --follow wants --state, which remembers what has been scored")
	case o.every < 100*time.Millisecond || o.every > 24*time.Hour:
		return usageErrorf("replay: --every: want 100ms to 24h, got %v", o.every)
	case o.StatePath != "" && o.OutputPath != "" && !sink.Grows(o.Format):
		return usageErrorf("replay: --format %s: its file cannot grow from run to run, which --state is for; leave one out, or print to stdout", o.Format)
	case o.webhook.URL != "" && (o.OutputPath == "" || o.StatePath == "" || o.Format != sink.NDJSON):
		return usageErrorf("replay: --webhook wants -o and --state, and findings as %s: the file keeps what the receiver has not taken", sink.NDJSON)
	case o.webhook.URL == "" && len(o.headers) > 0:
		return usageErrorf("replay: --webhook-header without --webhook")
	}
	if o.webhook.URL != "" {
		if err := o.webhook.Check(); err != nil {
			return usageErrorf("replay: %w", err)
		}
		if o.webhook.Header, err = readHeaders(o.headers); err != nil {
			return err
		}
	}
	if o.metrics != "" {
		if err := checkTextfile("replay", o.metrics); err != nil {
			return err
		}
	}
	if o.SinceNS, err = flags.Since(o.since, now); err != nil {
		return statusError{statusUsage, err}
	}
	return nil
}

// readHeaders reads NAME: VALUE, and NAME: @FILE for what a list of processes must
// not show.
func readHeaders(texts []string) (http.Header, error) {
	h := http.Header{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") {
			return nil, usageErrorf("replay: --webhook-header: want NAME: VALUE")
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("webhook header %s: %w", name, err)
			}
			value = strings.TrimSpace(string(content))
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return nil, usageErrorf("replay: --webhook-header %s: more than one line", name)
		}
		h.Add(name, value)
	}
	return h, nil
}

func runReplay(ctx context.Context, args []string, opts replayOptions, stdout, stderr io.Writer) error {
	if err := opts.check(time.Now()); err != nil {
		return err
	}
	d, err := detector.Load(args[0])
	if err != nil {
		return err
	}
	opts.Output, opts.Creator, opts.stderr = stdout, version(), stderr
	if opts.shard != "" {
		return runReplayShard(ctx, d, args[1:], opts)
	}
	if opts.follow {
		return followTraces(ctx, d, args, opts, stderr)
	}
	_, err = replayOnce(ctx, d, args, opts, stderr)
	return err
}

// runReplayShard does one part of the work.
func runReplayShard(ctx context.Context, d *detector.Detector, traces []string, opts replayOptions) error {
	part, err := parseShard("replay", opts.shard, opts.OutputPath, opts.flags, "state", "follow", "webhook", "report", "plan", "metrics-textfile", "format", "exit-code")
	if err != nil {
		return err
	}
	if _, err := time.ParseDuration(opts.since); err == nil {
		return usageErrorf("replay: --since %s: with --shard want a time, for shards begin at different ones and must agree", opts.since)
	}
	ctx, done := withProgress(ctx, opts.stderr, "replay", 0, 1)
	report, err := replay.RunShard(ctx, d, traces, part, opts.OutputPath, opts.Options)
	done()
	if err != nil {
		return err
	}
	printReplay(opts.stderr, report, report.Rejected)
	if len(report.Rejected) > 0 {
		return statusError{statusPartial, nil}
	}
	return nil
}

// replayOnce scores what is there now, sends findings, and writes the metrics of it.
func replayOnce(ctx context.Context, d *detector.Detector, args []string, opts replayOptions, stderr io.Writer) (run replayRun, err error) {
	run.begin = time.Now()
	report, rejected, err := scoreTraces(ctx, d, args, opts)
	run.report, run.rejected = report, len(rejected)
	if err == nil {
		if !opts.follow || report.Files > 0 || len(rejected) > 0 {
			printReplay(stderr, report, rejected)
		}
		if opts.webhook.URL != "" {
			run.delivery, run.deliveryErr = opts.webhook.Deliver(ctx, opts.OutputPath)
			printDelivery(stderr, run.delivery, run.deliveryErr)
		}
	}
	switch {
	case errors.Is(err, replay.ErrBusy):
		run.outcome, err = busy, statusError{statusBusy, err}
	case err != nil:
		run.outcome = failed
	case len(rejected) > 0 || report.LateFiles > 0 || run.deliveryErr != nil || run.delivery.Refused > 0:
		run.outcome, err = partial, statusError{statusPartial, nil}
	default:
		run.outcome = clean
		if report.Findings > 0 && opts.exitCode != 0 {
			err = statusError{opts.exitCode, nil}
		}
	}
	run.seconds = time.Since(run.begin).Seconds()
	if opts.metrics != "" {
		if bad := run.writeTextfile(opts.metrics); bad != nil {
			return run, errors.Join(err, bad)
		}
	}
	return run, err
}

// scoreTraces opens the traces as they are now and scores them. What could not be
// read is in rejected.
func scoreTraces(ctx context.Context, d *detector.Detector, args []string, opts replayOptions) (report *replay.Report, rejected []error, err error) {
	var traces []*trace.Trace
	for _, path := range args[1:] {
		t, bad, err := trace.OpenSound(path)
		if err != nil {
			if len(args) == 2 {
				return nil, nil, err
			}
			bad = append(bad, err)
		} else {
			traces = append(traces, t)
		}
		rejected = append(rejected, bad...)
	}
	if err := checkTraces(traces); err != nil {
		return nil, nil, err
	}
	inputs := args[:1:1]
	for _, t := range traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				inputs = append(inputs, f.Path)
			}
		}
	}
	if err := checkOutputs([]output{{path: opts.OutputPath}, {path: opts.StatePath}, {path: opts.metrics}, {path: opts.report}}, inputs...); err != nil {
		return nil, nil, err
	}
	opts.Page = opts.report != ""
	watched, done := ctx, func() {}
	if !opts.follow {
		watched, opts.Planned, done = withPlannedProgress(ctx, opts.stderr, "replay")
	}
	report, err = replay.Run(watched, d, traces, opts.Options)
	done()
	if err != nil {
		return nil, nil, err
	}
	if opts.report != "" {
		page := output{opts.report, func(w io.Writer) error {
			return report.Page.WriteHTML(w, report, d, filepath.Base(args[0]), version())
		}}
		if err := writeOutputs("", []output{page}); err != nil {
			return nil, nil, err
		}
	}
	return report, append(rejected, report.Rejected...), nil
}

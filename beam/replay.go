package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"mayfly/cmd/flags"
	"mayfly/detector"
	"mayfly/replay"
	"mayfly/sink"
	"mayfly/trace"
)

func init() {
	register.DoFn2x3[context.Context, []byte, int, []byte, error](&replayPart{})
	register.DoFn3x1[context.Context, int, func(*[]byte) bool, error](&replayFinish{})
}

// replayPart scores a unit.
type replayPart struct {
	Folder, Detector string
	SinceNS          int64
	Threads          int
}

// replayState is what a unit became: its findings lie in a part.
type replayState struct {
	Part  string        `json:"part"`
	Tally *replay.Tally `json:"tally"`
}

// ProcessElement is called by Beam.
func (f *replayPart) ProcessElement(ctx context.Context, in []byte) (int, []byte, error) {
	out, err := step(ctx, f.Folder, in, f.score)
	return 0, out, err
}

func (f *replayPart) score(ctx context.Context, u *unit) (*replayState, error) {
	d, err := loadDetector(ctx, f.Detector)
	if err != nil {
		return nil, err
	}
	state := &replayState{}
	if state.Part, err = part(f.Folder, u.Host, ".jsonl"); err != nil {
		return nil, err
	}
	return state, u.withTraces(ctx, true, func(in hostTraces) error {
		return withOutput(ctx, state.Part, func(path string) error {
			out, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600))
			if err != nil {
				return err
			}
			defer func() { _ = out.Cleanup() }() // nothing to do once it has its name
			if state.Tally, err = replay.ScoreHost(ctx, d, in.traces, replay.Options{SinceNS: f.SinceNS, Threads: max(1, f.Threads)}, out); err != nil {
				return err
			}
			for _, bad := range in.bad {
				if file := (*trace.FileError)(nil); errors.As(bad, &file) {
					state.Tally.Rejected = append(state.Tally.Rejected, replay.Rejection{Path: file.Path, Why: file.Err.Error()})
				}
			}
			for i := range state.Tally.Rejected {
				r := &state.Tally.Rejected[i]
				r.Path = in.name(r.Path)
			}
			return out.CloseAtomicallyReplace()
		})
	})
}

// detectors are those that this process has loaded, by place: engines begin many
// bundles, each of few units.
var detectors sync.Map

func loadDetector(ctx context.Context, place string) (*detector.Detector, error) {
	if d, ok := detectors.Load(place); ok {
		return d.(*detector.Detector), nil
	}
	var d *detector.Detector
	err := withInput(ctx, place, func(path string) (err error) {
		d, err = detector.Load(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	detectors.Store(place, d)
	return d, nil
}

// replayFinish makes the findings file.
type replayFinish struct {
	Folder, Result, Output string
	Format, Version        string
}

// replayResult is what the command tells of.
type replayResult struct {
	Report   replay.Report      `json:"report"`
	Rejected []replay.Rejection `json:"rejected"`
}

// ProcessElement is called by Beam.
func (f *replayFinish) ProcessElement(ctx context.Context, _ int, states func(*[]byte) bool) error {
	all, err := gather[replayState](states)
	if err != nil {
		return err
	}
	_, err = tell(ctx, f.Folder, func() (any, error) { return nil, f.finish(ctx, all) })
	return err
}

func (f *replayFinish) finish(ctx context.Context, all []replayState) error {
	var tallies []*replay.Tally
	var parts []string
	for _, s := range all {
		tallies, parts = append(tallies, s.Tally), append(parts, s.Part)
	}
	tally, err := mergeAll(tallies, func(a, b *replay.Tally) (*replay.Tally, error) { a.Merge(b); return a, nil })
	if err == nil {
		err = tally.Check()
	}
	if err != nil {
		return err
	}
	err = withInputs(ctx, parts, func(paths []string) error {
		runs := &replay.Runs{}
		defer runs.Close()
		for _, path := range paths {
			if err := addRun(runs, path); err != nil {
				return err
			}
		}
		return withOutput(ctx, f.Output, func(path string) error { return f.write(runs, path) })
	})
	if err != nil {
		return err
	}
	return writeJSON(ctx, f.Result, replayResult{*tally.Finish(), tally.Rejected})
}

func addRun(runs *replay.Runs, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	return runs.Add(in)
}

// write writes the findings in their form, in order.
func (f *replayFinish) write(runs *replay.Runs, path string) error {
	encoder, err := sink.NewEncoder(f.Format, f.Version)
	if err != nil {
		return err
	}
	out, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = out.Cleanup() }() // nothing to do once it has its name
	if _, err := out.Write(encoder.Begin(nil)); err != nil {
		return err
	}
	var line []byte
	err = runs.Each(func(found *replay.Found) error {
		if line, err = encoder.Append(line[:0], found.Finding); err != nil {
			return err
		}
		_, err := out.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := out.Write(encoder.End(nil)); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

func newReplayCommand() *cobra.Command {
	var opts replayOptions
	cmd := &cobra.Command{
		Use:   "replay DETECTOR TRACE...",
		Short: "Score traces with a detector, into findings, as mayfly replay does without --state",
		Args:  cobra.MinimumNArgs(2),
		RunE:  func(cmd *cobra.Command, args []string) error { return runReplay(cmd, opts, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.output, "output", "o", "", "findings `file`; stdout when not given")
	flags.StringVar(&opts.format, "format", sink.NDJSON, "`form` of the findings: "+strings.Join(sink.Formats(), ", "))
	flags.StringVar(&opts.since, "since", "", "pass over what is older: a `time` (2026-01-02T15:04:05Z) or an age (36h)")
	flags.IntVar(&opts.exitCode, "exit-code", 0, "exit `status` when there are findings")
	return cmd
}

type replayOptions struct {
	output, format, since string
	exitCode              int
}

func runReplay(cmd *cobra.Command, opts replayOptions, args []string) (err error) {
	if opts.exitCode < 0 || opts.exitCode > 125 {
		return usageErrorf("replay: --exit-code: want 0 to 125, got %d", opts.exitCode)
	}
	if _, err := sink.NewEncoder(opts.format, ""); err != nil {
		return usageErrorf("replay: --format: %w", err)
	}
	ctx := cmd.Context()
	places, err := placesOf(args)
	if err != nil {
		return err
	}
	part := replayPart{Detector: places[0]}
	if part.SinceNS, err = flags.Since(opts.since, time.Now()); err != nil {
		return statusError{statusUsage, err}
	}
	if err := checkOutput(opts.output, places); err != nil {
		return err
	}
	if _, err := loadDetector(ctx, part.Detector); err != nil {
		return err
	}
	work, err := units(ctx, places[1:])
	if err != nil {
		return err
	}
	j, err := newJob(opts.output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close(ctx)) }()
	part.Folder = j.folder
	finish := replayFinish{Folder: j.folder, Result: j.result, Format: opts.format, Version: version()}
	if opts.output == "" {
		finish.Output, err = below(j.folder, "findings")
	} else {
		finish.Output, err = absolute(opts.output)
	}
	if err != nil {
		return err
	}
	p, s := newPipeline()
	units, err := elements(s, work)
	if err != nil {
		return err
	}
	beam.ParDo0(s, &finish, beam.GroupByKey(s, beam.ParDo(s, &part, units)))
	var r replayResult
	if err := j.run(ctx, "replay", p, cmd.ErrOrStderr(), &r); err != nil {
		return err
	}
	if opts.output == "" {
		if err := printPlace(ctx, finish.Output, cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	for _, bad := range r.Rejected {
		cmd.PrintErrf("mayfly-beam: left out: %s: %s\n", bad.Path, bad.Why)
	}
	cmd.PrintErrf("mayfly-beam: %d findings from %d windows of %d containers\n", r.Report.Findings, r.Report.Windows, r.Report.Containers)
	switch {
	case len(r.Rejected) > 0 || r.Report.LateFiles > 0:
		return statusError{statusPartial, nil}
	case r.Report.Findings > 0 && opts.exitCode != 0:
		return statusError{opts.exitCode, nil}
	}
	return nil
}

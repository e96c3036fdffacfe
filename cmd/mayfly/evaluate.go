package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"mayfly/evaluate"
)

const evaluateLong = `Evaluate a detector on windows: AUROC and AUPRC with intervals, detection rate at
fixed false-positive rates, alarms per container-hour on normal windows, and for
each labelled attack whether it was found and how fast.

Labels are a CSV file: container,from,to,attack with RFC 3339 times; container is
an id (12 digits or more) or a name. A window counts as attack when it shares any
time with a label of its container. Windows in the minute after a label
(--aftermath) count as neither: what the attacker started may still run. Without
labels every window is taken as normal, and only alarm rates come out. Windows
that the detector learned from are found by container and time, left out of every
figure, and counted.

--protocol trains its own detectors, and measures them by a protocol:
  docker-cve  one detector per CVE, trained on its train segments only, the
              threshold from those alone (--fpr or --alarms-per-container-day), as
              the dataset's authors did; with --baselines, methods of the literature
              that need no order of calls
  adfa-ld     one class: trained on the 833 training traces, validation against
              attacks; supervised: a random forest, tested on a kind of attack that
              it has never seen. Beside both, methods of the literature
              (--baselines), several --seeds, and what attacks within the learning
              time cost (--poison 0.05; with --trim 0.05 where the oddest are set aside)
  holdout     FEATURES and --labels of your own: a share of the containers is
              measured on (--holdout), the rest is learned from
  leave-one-attack-out
              the same for each attack in turn: all containers that it touched, and
              a share of those that none did, are measured on
A container stands on one side of a split. Containers that do the very same on both
sides are refused unless --allow-leakage.

  mayfly evaluate web.mayfly features.parquet --labels labels.csv -o report/
  mayfly evaluate --protocol docker-cve --data docker-cve/ --fpr 0.01
  mayfly evaluate --protocol adfa-ld --data adfa-ld/ --baselines
  mayfly evaluate --protocol leave-one-attack-out features.parquet --labels labels.csv --fpr 0.01

` + exitStatuses

// evaluateOptions are the flags of evaluate.
type evaluateOptions struct {
	labels, output, json, report string
	format                       string
	aftermath                    time.Duration
	resamples                    int
	seed                         uint64
	threads                      int

	protocol, data string
	engine         string
	fpr, alarms    float64
	seeds          int
	baselines      bool
	poison, trim   float64
	holdout        float64
	leakage        bool
}

func newEvaluateCommand() *cobra.Command {
	defaults := evaluate.DefaultMeasureOptions()
	var o evaluateOptions
	cmd := &cobra.Command{
		Use:   "evaluate DETECTOR FEATURES... [--labels FILE] | evaluate --protocol NAME …",
		Short: "Measure a detector against labels",
		Long:  evaluateLong,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case o.protocol == "holdout" || o.protocol == "leave-one-attack-out":
				if len(args) == 0 {
					return fmt.Errorf("--protocol %s: want FEATURES files", o.protocol)
				}
			case o.protocol != "" && len(args) > 0:
				return fmt.Errorf("--protocol trains its own detectors: want no arguments, got %d", len(args))
			case o.protocol == "" && len(args) < 2:
				return fmt.Errorf("want a detector and a FEATURES file, got %d argument(s)", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			if o.protocol != "" {
				return o.runProtocol(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			ctx, done := withProgress(cmd.Context(), cmd.ErrOrStderr(), "evaluate", featureRows(args[1:]), 1)
			defer done()
			return o.run(ctx, args[0], args[1:], cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.labels, "labels", "", "file of labelled attacks (container,from,to,attack)")
	f.StringVarP(&o.output, "output", "o", "", "folder for report.json and report.html")
	f.StringVar(&o.json, "json", "", "file for the report as JSON")
	f.StringVar(&o.report, "report", "", "file for the report as one HTML page")
	f.StringVar(&o.format, "format", "table", "what is printed: table or json")
	f.DurationVar(&o.aftermath, "aftermath", defaults.Aftermath, "time after a label that counts as neither normal nor attack")
	f.IntVar(&o.resamples, "resamples", defaults.Bootstrap.Resamples, "samples drawn for the intervals")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the intervals, and of training with --protocol")
	f.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads; the result is the same at any number")
	f.StringVar(&o.protocol, "protocol", "", "measure by a protocol: "+protocolNames())
	f.StringVar(&o.data, "data", "", "folder of the dataset")
	f.StringVar(&o.engine, "engine", "isolation", "with --protocol: `name` of the engine, isolation or golearn, or with labels random")
	f.Float64Var(&o.fpr, "fpr", 0, "with --protocol: false-positive rate to spend, fixed on training windows (default 0.01)")
	f.Float64Var(&o.alarms, "alarms-per-container-day", 0, "with --protocol: the same, as alarms per container and day")
	f.IntVar(&o.seeds, "seeds", 1, "with --protocol: seeds to go through, for a mean and a standard deviation")
	f.BoolVar(&o.baselines, "baselines", false, "with --protocol: measure methods of the literature beside mayfly")
	f.Float64Var(&o.trim, "trim", 0, "with --protocol: share of the training windows, the oddest, to set aside (see train)")
	f.Float64Var(&o.poison, "poison", 0, "with --protocol: share of attacks to put into the learning time as normal, and what that costs")
	f.Float64Var(&o.holdout, "holdout", 0.3, "with --protocol holdout, leave-one-attack-out: share of the containers to measure on")
	f.BoolVar(&o.leakage, "allow-leakage", false, "measure although a container stands on both sides of a split")
	return cmd
}

func (o *evaluateOptions) check(cmd *cobra.Command) error {
	switch {
	case o.format != "table" && o.format != "json":
		return usageErrorf("evaluate: --format: want table or json, got %q", o.format)
	case o.aftermath < 0:
		return usageErrorf("evaluate: --aftermath: want no less than 0, got %v", o.aftermath)
	case o.resamples < 0 || o.resamples > 100_000:
		return usageErrorf("evaluate: --resamples: want 0 to 100000, got %d", o.resamples)
	case o.threads < 1:
		return usageErrorf("evaluate: --threads: want at least 1, got %d", o.threads)
	}
	return o.checkProtocol(cmd)
}

// run measures a detector on FEATURES files.
func (o *evaluateOptions) run(ctx context.Context, detectorPath string, features []string, stdout io.Writer) error {
	opts := evaluate.DefaultOptions()
	opts.Labels, opts.Threads, opts.Version = o.labels, o.threads, version()
	opts.Measure.Aftermath = o.aftermath
	opts.Measure.Bootstrap.Resamples, opts.Measure.Bootstrap.Seed = o.resamples, o.seed
	var (
		r   *evaluate.Report
		err error
	)
	toJSON, toHTML := func(w io.Writer) error { return r.WriteJSON(w) }, func(w io.Writer) error { return r.WriteHTML(w) }
	outputs := []output{{o.json, toJSON}, {o.report, toHTML}}
	if o.output != "" {
		outputs = append(outputs, output{filepath.Join(o.output, "report.json"), toJSON}, output{filepath.Join(o.output, "report.html"), toHTML})
	}
	asked := outputs
	if _, err := os.Stat(o.output); errors.Is(err, fs.ErrNotExist) {
		asked = outputs[:2] // the folder is made with what is in it
	}
	if err := checkOutputs(asked, append([]string{detectorPath, o.labels}, features...)...); err != nil {
		return err
	}
	r, err = evaluate.Run(ctx, detectorPath, features, opts)
	if err != nil {
		return err
	}
	if err := writeOutputs(o.output, outputs); err != nil {
		return err
	}
	if o.format == "json" {
		return r.WriteJSON(stdout)
	}
	return r.WriteTable(stdout)
}

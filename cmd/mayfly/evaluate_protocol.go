package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mayfly/datasets/adfald"
	"mayfly/datasets/dockercve"
	"mayfly/detector"
	"mayfly/evaluate"
)

// protocol is one word of --protocol.
type protocol struct {
	name  string
	flags []string // that it takes, beside those that every protocol does
	run   func(*evaluateOptions, context.Context, []string, io.Writer, io.Writer) error
}

// tables is what a report can be written as.
type tables interface {
	WriteJSON(io.Writer) error
	WriteTable(io.Writer) error
}

func protocols() []protocol {
	return []protocol{
		{"docker-cve", []string{"data", "engine", "fpr", "alarms-per-container-day", "baselines", "trim"}, (*evaluateOptions).runDockerCVE},
		{"adfa-ld", []string{"data", "seeds", "baselines", "poison", "trim"}, (*evaluateOptions).runADFALD},
		{"holdout", ofSplits, (*evaluateOptions).runSplit},
		{"leave-one-attack-out", ofSplits, (*evaluateOptions).runSplit},
	}
}

func protocolNames() string {
	var names []string
	for _, p := range protocols() {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// ofSplits are the flags of the protocols over FEATURES and labels of one's own.
var ofSplits = []string{"labels", "aftermath", "engine", "fpr", "alarms-per-container-day", "holdout", "seeds", "baselines", "poison", "trim", "allow-leakage"}

// ofProtocols are the flags that some protocol takes and a plain evaluation does not.
var ofProtocols = []string{"data", "engine", "fpr", "alarms-per-container-day", "seeds", "baselines", "poison", "trim", "holdout", "allow-leakage"}

// checkProtocol says what is wrong with flags that belong to a protocol, or to
// none.
func (o *evaluateOptions) checkProtocol(cmd *cobra.Command) error {
	changed := cmd.Flags().Changed
	if o.protocol == "" {
		for _, flag := range ofProtocols {
			if changed(flag) {
				return usageErrorf("evaluate: --%s belongs to --protocol", flag)
			}
		}
		return nil
	}
	at := slices.IndexFunc(protocols(), func(p protocol) bool { return p.name == o.protocol })
	if at < 0 {
		return usageErrorf("evaluate: --protocol: want one of %s, got %q", protocolNames(), o.protocol)
	}
	p := protocols()[at]
	takes := func(flag string) bool { return slices.Contains(p.flags, flag) }
	switch {
	case takes("data") && o.data == "":
		return usageErrorf("evaluate: --protocol %s: want --data, the folder of the dataset", p.name)
	case takes("labels") && o.labels == "":
		return usageErrorf("evaluate: --protocol %s: want --labels, the file of labelled attacks", p.name)
	case o.engine != detector.Isolation && o.engine != detector.Golearn && (o.engine != detector.Random || !takes("labels")):
		return usageErrorf("evaluate: --engine: want isolation or golearn (random with labels), got %q", o.engine)
	case !(o.holdout > 0 && o.holdout < 1):
		return usageErrorf("evaluate: --holdout: want more than 0 and less than 1, got %g", o.holdout)
	case changed("fpr") && changed("alarms-per-container-day"):
		return usageErrorf("evaluate: want either --fpr or --alarms-per-container-day")
	case changed("fpr") && !(o.fpr > 0 && o.fpr < 1):
		return usageErrorf("evaluate: --fpr: want more than 0 and less than 1, got %g", o.fpr)
	case changed("alarms-per-container-day") && !(o.alarms > 0):
		return usageErrorf("evaluate: --alarms-per-container-day: want more than 0, got %g", o.alarms)
	case o.seeds < 1 || o.seeds > 100:
		return usageErrorf("evaluate: --seeds: want 1 to 100, got %d", o.seeds)
	case !(o.trim >= 0 && o.trim <= 0.5):
		return usageErrorf("evaluate: --trim: want a share from 0 to 0.5, got %g", o.trim)
	case o.trim > 0 && o.engine == detector.Random:
		return usageErrorf("evaluate: --trim does not go with --engine random: it learns what is odd from labels")
	case !(o.poison >= 0 && o.poison <= 0.5):
		return usageErrorf("evaluate: --poison: want a share from 0 to 0.5, got %g", o.poison)
	}
	for _, flag := range slices.Concat(ofProtocols, []string{"labels", "report", "output", "aftermath"}) {
		if changed(flag) && !takes(flag) {
			return usageErrorf("evaluate: --%s does not go with --protocol %s", flag, p.name)
		}
	}
	return nil
}

// runProtocol measures by the protocol that was named.
func (o *evaluateOptions) runProtocol(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	boundTrainMemory()
	if err := checkOutputs([]output{{path: o.json}}); err != nil {
		return err
	}
	for _, p := range protocols() {
		if p.name == o.protocol {
			return p.run(o, ctx, args, stdout, stderr)
		}
	}
	return usageErrorf("evaluate: --protocol: want one of %s, got %q", protocolNames(), o.protocol)
}

// write writes a report to --json and to stdout.
func (o *evaluateOptions) write(r tables, stdout io.Writer) error {
	if err := writeOutputs("", []output{{o.json, r.WriteJSON}}); err != nil {
		return err
	}
	if o.format == "json" {
		return r.WriteJSON(stdout)
	}
	return r.WriteTable(stdout)
}

// detectorOptions are the options of every protocol's detectors.
func (o *evaluateOptions) detectorOptions() detector.Options {
	opts := detector.DefaultOptions()
	opts.Engine, opts.Seed, opts.Version, opts.Trim = o.engine, o.seed, version(), o.trim
	switch {
	case o.alarms > 0:
		opts.Budget = detector.Budget{AlarmsPerContainerDay: o.alarms}
	case o.fpr > 0:
		opts.Budget = detector.Budget{FalsePositiveRate: o.fpr}
	default:
		opts.Budget = detector.Budget{FalsePositiveRate: 0.01}
	}
	return opts
}

func (o *evaluateOptions) bootstrap() evaluate.BootstrapOptions {
	b := evaluate.DefaultBootstrapOptions()
	b.Seed, b.Resamples, b.Threads = o.seed, o.resamples, o.threads
	return b
}

func (o *evaluateOptions) runDockerCVE(ctx context.Context, _ []string, stdout, stderr io.Writer) error {
	set, err := dockercve.Open(o.data)
	if err != nil {
		return err
	}
	step, done := stepProgress(ctx, stderr, "CVEs")
	opts := evaluate.DockerCVEOptions{Detector: o.detectorOptions(), Threads: o.threads, Baselines: o.baselines,
		Bootstrap: o.bootstrap(), Progress: step}
	r, err := evaluate.DockerCVE(ctx, set, opts)
	done()
	if err != nil {
		return err
	}
	return o.write(r, stdout)
}

func (o *evaluateOptions) runADFALD(ctx context.Context, _ []string, stdout, stderr io.Writer) error {
	set, err := adfald.Open(o.data)
	if err != nil {
		return err
	}
	opts := evaluate.DefaultADFALDOptions()
	step, done := stepProgress(ctx, stderr, "models")
	opts.Detector, opts.Bootstrap, opts.Progress = o.detectorOptions(), o.bootstrap(), step
	opts.Detector.Threads, opts.Seeds, opts.Baselines, opts.Poison = o.threads, o.seeds, o.baselines, o.poison
	r, err := evaluate.ADFALD(ctx, set, opts)
	done()
	if err != nil {
		return err
	}
	return o.write(r, stdout)
}

func (o *evaluateOptions) runSplit(ctx context.Context, features []string, stdout, stderr io.Writer) error {
	opts := evaluate.SplitOptions{Detector: o.detectorOptions(), Labels: o.labels, LeaveOut: o.protocol != "holdout", Holdout: o.holdout,
		Seeds: o.seeds, Baselines: o.baselines, Poison: o.poison, AllowLeakage: o.leakage, Measure: evaluate.DefaultMeasureOptions()}
	opts.Detector.Threads, opts.Measure.Aftermath, opts.Measure.Bootstrap = o.threads, o.aftermath, o.bootstrap()
	var done func()
	if opts.LeaveOut {
		opts.Progress, done = stepProgress(ctx, stderr, "splits")
	} else {
		ctx, done = withProgress(ctx, stderr, "evaluate", 0, 1)
	}
	r, err := evaluate.RunSplit(ctx, features, opts)
	done()
	if err != nil {
		return err
	}
	return o.write(r, stdout)
}

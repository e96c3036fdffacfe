package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"mayfly/cmd/flags"
	"mayfly/detector"
	"mayfly/feature"
	"mayfly/rule"
	"mayfly/shard"
	"mayfly/train"

	"github.com/spf13/cobra"
)

const trainLong = `Train makes a detector from features that ingest wrote: an isolation forest on
windows taken as normal, or a random forest on windows that labels tell apart.
Windows within a label are never learned as normal. The engine golearn is the
isolation forest of that library, for comparison: slow, all missing values filled in,
its trees kept in the detector like our own.

With a split, what comes last is held back for evaluate: whole containers, or
every container's time after one moment. The detector remembers what it has seen,
so evaluate cannot use it by mistake.

The threshold follows from the false alarms that you are ready to spend, and from
training windows alone, each scored by a forest that did not see it; the container,
or minute of a host, that would alarm most counts twice, for the next may be like it.

Where somebody may have been inside already, --trim 0.01 sets the oddest windows of
the learning time aside, lists them, and learns from the rest; what resembles them
will alarm beyond the budget. --max-container-windows keeps one container from
making up most of what is learned.

Of a workload with more windows than --max-workload-windows whole containers are
learned from that chance picks, the same however the work is parted. With --shard I/N
the command goes through every Nth row group of the features only and keeps the windows
of such containers, in a folder that all N share; mayfly merge learns from them.

  mayfly train features.parquet -o web.mayfly
  mayfly train features.parquet -o web.mayfly --export onnx
  mayfly train features.parquet -o web.mayfly --labels labels.csv --engine random --split container --holdout 0.5

` + exitStatuses

type trainOptions struct {
	train.Options
	out    string
	labels string
	export string
	shard  string
}

func newTrainCommand() *cobra.Command {
	opts := trainOptions{Options: train.DefaultOptions()}
	cmd := &cobra.Command{
		Use:   "train FEATURES... -o DETECTOR",
		Short: "Make a detector from features",
		Long:  trainLong,
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runTrain(cmd, args, opts) },
	}
	set := cmd.Flags()
	set.StringVarP(&opts.out, "output", "o", "", "detector `file` to write (required)")
	set.StringVar(&opts.export, "export", "", "also write the forest in this `form`, beside the detector: onnx")
	set.StringVar(&opts.labels, "labels", "", "labels `file`: container,from,to,attack")
	flags.AddTrain(set, &opts.Options)
	addShard(set, &opts.shard)
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

func runTrain(cmd *cobra.Command, args []string, opts trainOptions) error {
	if err := flags.SetTrain(cmd.Flags(), &opts.Options, version()); err != nil {
		return statusError{statusUsage, err}
	}
	exported := ""
	if opts.export != "" {
		if err := checkExport(opts.export); err != nil {
			return usageErrorf("train: export: %w", err)
		}
		exported = opts.out + "." + opts.export
	}
	var part shard.Spec
	var err error
	if opts.shard != "" {
		part, err = parseShard("train", opts.shard, opts.out, cmd.Flags(), "export")
	} else {
		err = checkOutputs([]output{{path: opts.out}, {path: exported}}, append([]string{opts.labels}, args...)...)
	}
	if err != nil {
		return err
	}
	if opts.labels != "" {
		labels, err := feature.OpenLabels(opts.labels)
		if err != nil {
			return err
		}
		opts.Labels = labels
	}
	if opts.shard != "" {
		return runTrainShard(cmd, args, part, opts)
	}
	boundTrainMemory()
	ctx, done := withProgress(cmd.Context(), cmd.ErrOrStderr(), "train", featureRows(args), trainPasses)
	trained, err := train.Run(ctx, args, opts.Options)
	done()
	if err != nil {
		return err
	}
	if err := trained.Save(opts.out); err != nil {
		return err
	}
	if err := writeOutputs("", []output{onnxOutput(trained, exported)}); err != nil {
		return err
	}
	printTrained(cmd, opts.out, &trained.Manifest)
	return nil
}

// runTrainShard does one part of the work.
func runTrainShard(cmd *cobra.Command, args []string, part shard.Spec, opts trainOptions) error {
	windows, passes := featureRows(args), 2
	if windows <= opts.MaxWorkloadWindows {
		passes = 1 // there is nothing to choose
	}
	ctx, done := withProgress(cmd.Context(), cmd.ErrOrStderr(), "train", windows/int64(part.Count), passes) // about an Nth of all
	sample, err := train.RunShard(ctx, args, part, opts.out, opts.Options)
	done()
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "mayfly: %s: kept %d of %d windows to learn from\n", filepath.Join(opts.out, part.Name()), sample.Kept(), sample.Total())
	return nil
}

// trainPasses are how often training goes through the windows: what there is, what is
// known, scales, forest.
const trainPasses = 4

func printTrained(cmd *cobra.Command, path string, m *detector.Manifest) {
	w, n := cmd.ErrOrStderr(), m.Training
	fmt.Fprintf(w, "mayfly: %s: %s forest on %d windows of %v from %d containers", path, m.Engine, n.Windows, time.Duration(m.WidthNS), n.Containers)
	if n.Attack > 0 {
		fmt.Fprintf(w, ", %d of them in attacks", n.Attack)
	}
	fmt.Fprintf(w, "; %d set aside, %d held back\n", n.SetAside, n.HeldOut)
	fmt.Fprintf(w, "mayfly: threshold %.4f for %s\n", m.Threshold, budget(m.Budget))
	printTrimmed(w, m)
	printCompleteness(w, m.Completeness)
	if n.Unsampled > 0 {
		fmt.Fprintf(w, "mayfly: %d windows more are of containers that were not learned from: a workload has more than --max-workload-windows\n", n.Unsampled)
	}
	if n.Sampled > 0 {
		fmt.Fprintf(w, "mayfly: the forest and the threshold come from a uniform sample of %d of these windows\n", n.Sampled)
	}
	if n.Lost > 0 {
		fmt.Fprintf(w, "mayfly: %d records were lost within these windows: what they did is not learned\n", n.Lost)
	}
	if n.GapWindows > 0 {
		fmt.Fprintf(w, "mayfly: %d of these windows (%.1f %%) touch a gap of their recording: what was done then may be missing\n",
			n.GapWindows, 100*float64(n.GapWindows)/float64(n.Windows))
	}
}

// printTrimmed names the oddest windows that were set aside.
func printTrimmed(w io.Writer, m *detector.Manifest) {
	const most = 5
	if m.Training.Capped > 0 {
		fmt.Fprintf(w, "mayfly: %d windows not learned from: more than %d of their container\n", m.Training.Capped, m.MaxContainerWindows)
	}
	if m.Training.Trimmed == 0 {
		return
	}
	if m.Trim > 0 {
		fmt.Fprintf(w, "mayfly: %d windows set aside as the oddest: look at them; what resembles them will alarm\n", m.Training.Trimmed)
	} else {
		fmt.Fprintf(w, "mayfly: %d windows set aside, odder by far than any of another container: look at them; what resembles them will alarm\n", m.Training.Trimmed)
	}
	for _, o := range m.Oddest[:min(most, len(m.Oddest))] {
		fmt.Fprintf(w, "mayfly:   %s, container %s, %s: score %.4f", rule.Printable(o.Workload), rule.Printable(detector.ShortID(o.ContainerID)),
			time.Unix(0, o.FromNS).UTC().Format(time.RFC3339Nano), o.Score)
		for i, item := range o.New[:min(3, len(o.New))] {
			fmt.Fprintf(w, "%s%s", []string{"; new: ", ", "}[min(i, 1)], rule.Printable(item))
		}
		fmt.Fprintln(w)
	}
	if more := m.Training.Trimmed - int64(min(most, len(m.Oddest))); more > 0 {
		fmt.Fprintf(w, "mayfly:   and %d more (%d in the detector's manifest.json)\n", more, len(m.Oddest))
	}
}

// printCompleteness says of each workload how much was probably not seen of it,
// of those first that are known least.
func printCompleteness(w io.Writer, all []detector.Completeness) {
	const most = 10
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b detector.Completeness) int { return cmp.Compare(b.NewPerWindow, a.NewPerWindow) })
	for _, c := range all[:min(most, len(all))] {
		fmt.Fprintf(w, "mayfly: %s: did %d things in %d windows of %d containers; one more window would add %.2g",
			rule.Printable(c.Workload), c.Items, c.Windows, c.Containers, c.NewPerWindow)
		if c.UnseenShare < 0 {
			fmt.Fprint(w, "; what another container would add is not known")
		} else {
			fmt.Fprintf(w, ", one more container %.2g (%.1f %% of what it does)", c.NewPerContainer, 100*c.UnseenShare)
		}
		if c.NewLately > 0 {
			fmt.Fprintf(w, "; %d came in the last fifth of the time", c.NewLately)
		}
		fmt.Fprintln(w)
	}
	if more := len(all) - most; more > 0 {
		fmt.Fprintf(w, "mayfly: and %d more workloads\n", more)
	}
}

// budget says what was wished for and, where it matters, what is to be had.
func budget(b detector.Budget) string {
	wish, unit, vouch := b.AlarmsPerContainerDay, "alarms per container-day", "so short a time vouches"
	if b.FalsePositiveRate > 0 {
		wish, unit, vouch = b.FalsePositiveRate, "of normal windows", "so few windows vouch"
	}
	s := fmt.Sprintf("%g %s", wish, unit)
	if b.Resolved > wish {
		s += fmt.Sprintf("; %s for %.3g at best: train on more", vouch, b.Resolved)
	}
	return s
}

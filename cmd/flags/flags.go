// Package flags holds the flags that several programs of mayfly have, with the same
// names, defaults, words and checks. What is wrong with a command line is an error
// that begins with the command's name; which exit status that is, its program knows.
package flags

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"mayfly/ingest"
	"mayfly/train"
)

// Windows are the flags that say how ingest makes windows.
type Windows struct {
	HostToo         bool
	width, lateness time.Duration
}

// Add adds the flags, with their defaults.
func (w *Windows) Add(flags *pflag.FlagSet) {
	flags.DurationVar(&w.width, "width", time.Second, "width of a window, 1ms to 24h")
	flags.DurationVar(&w.lateness, "lateness", 5*time.Second, "how much later than a newer row a row may come, up to 24h")
	flags.BoolVar(&w.HostToo, "host-too", false, "make windows of the host's own processes too")
}

// Set checks the flags and sets the options that they stand for.
func (w *Windows) Set(opts *ingest.Options) error {
	const day = 24 * time.Hour
	switch {
	case w.width < time.Millisecond || w.width > day:
		return fmt.Errorf("ingest: --width: got %v, want 1ms to 24h", w.width)
	case w.lateness < 0 || w.lateness > day:
		return fmt.Errorf("ingest: --lateness: got %v, want 0s to 24h", w.lateness)
	}
	opts.WidthNS, opts.LatenessNS, opts.HostToo = w.width.Nanoseconds(), w.lateness.Nanoseconds(), w.HostToo
	if opts.LatenessNS == 0 {
		opts.LatenessNS = -1 // none; 0 would mean the default
	}
	return nil
}

// AddTrain adds the flags of train that opts stand for, which has the defaults.
func AddTrain(flags *pflag.FlagSet, opts *train.Options) {
	d := &opts.Detector
	flags.StringVar(&d.Engine, "engine", d.Engine, "`name` of the engine: isolation, random or golearn")
	flags.DurationVar(&opts.Aftermath, "aftermath", opts.Aftermath, "time after a label that is learned as neither")
	flags.StringVar(&opts.Split.By, "split", opts.Split.By, "what to hold back: none, container or time")
	flags.Float64Var(&opts.Split.Holdout, "holdout", 0.3, "`share` of the windows to hold back")
	flags.Float64Var(&d.Budget.AlarmsPerContainerDay, "alarms-per-container-day", d.Budget.AlarmsPerContainerDay, "false alarms to spend; those of a container within a minute are one")
	flags.Float64Var(&d.Budget.FalsePositiveRate, "fpr", 0, "the same as a `share` of normal windows; takes the place of alarms per day")
	flags.IntVar(&d.Forest.NEstimators, "n-estimators", d.Forest.NEstimators, "`number` of trees")
	flags.IntVar(&d.Forest.MaxSamples, "max-samples", d.Forest.MaxSamples, "windows per tree of an isolation forest")
	flags.IntVar(&d.MaxWindows, "max-windows", d.MaxWindows, "windows to hold in memory, of normal time and of attacks each; beyond, a sample")
	flags.IntVar(&d.MaxContainerWindows, "max-container-windows", 0, "windows of one container to learn from, stretches of its time by chance; 0: all")
	flags.Int64Var(&opts.MaxWorkloadWindows, "max-workload-windows", opts.MaxWorkloadWindows, "windows of one workload to learn from; beyond, whole containers by chance")
	flags.Float64Var(&d.Trim, "trim", 0, "`share` of the windows, the oddest, to set aside and list before learning")
	flags.Uint64Var(&d.Seed, "seed", d.Seed, "seed of all chance")
	flags.IntVar(&d.Threads, "threads", 0, "threads to use; 0: one per processor; no influence on the result")
}

// SetTrain checks what AddTrain's flags were set to, and sets what follows from them;
// version is the program's.
func SetTrain(flags *pflag.FlagSet, opts *train.Options, version string) error {
	d := &opts.Detector
	if flags.Changed("fpr") {
		if d.Budget.FalsePositiveRate == 0 { // which would mean no wish
			return errors.New("train: --fpr: want more than 0 and less than 1, got 0")
		}
		if flags.Changed("alarms-per-container-day") {
			return errors.New("train: give --fpr or --alarms-per-container-day, not both")
		}
		d.Budget.AlarmsPerContainerDay = 0
	}
	if err := Threads("train", d.Threads); err != nil {
		return err
	}
	d.Random.NEstimators, d.Version = d.Forest.NEstimators, version
	if err := opts.Check(); err != nil {
		return fmt.Errorf("train: %w (see mayfly train -h)", err)
	}
	if opts.Split.By == train.SplitNone && flags.Changed("holdout") {
		return errors.New("train: --holdout holds nothing back without --split container or time")
	}
	return nil
}

// Since reads the flag --since of replay: a time, or an age before now; "" is 0.
func Since(text string, now time.Time) (ns int64, err error) {
	if text == "" {
		return 0, nil
	}
	if age, err := time.ParseDuration(text); err == nil && age > 0 {
		return now.Add(-age).UnixNano(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		at, err := time.Parse(layout, text)
		switch {
		case err != nil:
		case at.Year() < 1970 || at.Year() >= 2262:
			return 0, fmt.Errorf("replay: --since %q: want a time from 1970 to 2261", text)
		default:
			return at.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("replay: --since %q: want a time such as 2026-01-02T15:04:05Z or 2026-01-02 (UTC), or an age such as 36h", text)
}

// Threads refuses a number of threads that cannot be meant; 0 is one per processor.
func Threads(command string, threads int) error {
	if threads < 0 {
		return fmt.Errorf("%s: --threads: want 0 or more, got %d", command, threads)
	}
	return nil
}

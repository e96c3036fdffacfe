package detector

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"mayfly/feature"
	"mayfly/forest"

	"github.com/apache/arrow/go/v17/arrow"
)

// Training is what a detector learns from.
type Training struct {
	// Windows yields records of feature.Schema, the windows of a container in
	// time order; a record is valid until the next one is asked for. It is called
	// more than once and must yield the same each time.
	Windows func(ctx context.Context) iter.Seq2[arrow.Record, error]

	// Class tells what is known of a window. Nil: all are normal.
	Class func(w *feature.Window) Class
}

// Class is what is known of a training window.
type Class uint8

// The classes. What is normal is learned from normal windows alone; what an
// attack left behind is learned as neither.
const (
	Normal Class = iota
	Attack
	Neither

	trimmed // among the oddest (Options.Trim)
	capped  // of a container with more windows than Options.MaxContainerWindows
)

// Options say how a detector is made.
type Options struct {
	Engine  string // Isolation, Random or Golearn; default Isolation
	Seed    uint64
	Threads int // below 1: all processors; no influence on the result
	Budget  Budget
	Learn   feature.LearnOptions
	Forest  forest.IsolationOptions // its Seed and Threads are those above
	Random  forest.RandomOptions    // likewise

	// MaxWindows is how many windows of each class, normal and attack, the
	// forest and the threshold are made from, at least 1; default 2^20. Where
	// there are more, a uniform sample of them. What is normal (Space) is always
	// learned from all.
	MaxWindows int

	// MaxContainerWindows is how many normal windows of one container anything is
	// learned from, at least 0; 0, the default: all. Where there are more, whole
	// stretches of its time that the seed chooses (see capContainers).
	MaxContainerWindows int

	// Trim is the share of normal windows that are set aside as the oddest before
	// the detector is made, [0, 0.5]; default 0. Not for random forests. It keeps
	// what an intruder did within the learning time from passing for normal, and
	// costs false alarms: what resembles a window set aside will alarm beyond the
	// budget.
	Trim float64

	// Families grows isolation forests over families of features instead of one
	// over all, and lets the rarest score count (see ensemble); default on.
	Families bool
	Version  string // of the program, for the manifest
}

// DefaultOptions ask for an isolation forest and one false alarm per container
// and day.
func DefaultOptions() Options {
	isolation := forest.DefaultIsolationOptions()
	isolation.Box = true // what no training window did must count, and the more the farther
	return Options{
		Engine: Isolation,
		Budget: Budget{AlarmsPerContainerDay: 1},
		Learn:  feature.DefaultLearnOptions,
		Forest: isolation, Families: true,
		Random: forest.DefaultRandomOptions(),

		MaxWindows: 1 << 20,
	}
}

// Check says what is wrong with the options, before anything is read.
func (o Options) Check() error {
	if _, err := newModel(o.Engine); err != nil {
		return err
	}
	trees := o.Forest.NEstimators
	if o.Engine == Random {
		trees = o.Random.NEstimators
	}
	switch {
	case trees < 1 || trees > 65536:
		return fmt.Errorf("trees: want 1 to 65536, got %d", trees)
	case o.Forest.MaxSamples < 2 || o.Forest.MaxSamples > 1<<24:
		return fmt.Errorf("windows per tree: want 2 to %d, got %d", 1<<24, o.Forest.MaxSamples)
	case o.MaxWindows < 1 || o.MaxWindows > 1<<30:
		return fmt.Errorf("windows in memory: want 1 to %d, got %d", 1<<30, o.MaxWindows)
	}
	switch {
	case !(o.Trim >= 0 && o.Trim <= 0.5):
		return fmt.Errorf("trim: want a share from 0 to 0.5, got %g", o.Trim)
	case o.Trim > 0 && o.Engine == Random:
		return errors.New("trim: a random forest learns what is odd from labels: want engine isolation or golearn")
	case o.MaxContainerWindows < 0:
		return fmt.Errorf("windows of a container: want at least 1, or 0 for all, got %d", o.MaxContainerWindows)
	}
	return o.Budget.check()
}

// calibrationFolds is into how many parts the training windows are cut to set
// the threshold: each part is scored by a forest that grew from the others.
const calibrationFolds = 4

// Fit makes a detector. Memory grows with the number of training windows up to
// MaxWindows: four bytes for each of the space's features.
//
// The threshold follows from the budget and from training windows alone. They
// are cut into parts by container, workload by workload (by time, where a workload
// has too few containers), and each
// part is scored by a forest that did not see it, with what is new in it measured
// against the other parts (feature.Space.NewTrainingEncoder); only the scales are
// learned from all of them. So what the threshold rests on is nearly as new to the
// scorer as tomorrow's windows will be; the container or minute that alarms most counts
// twice (see threshold). Windows by which one container stands alone
// are set aside and listed (see alone.go), and the detector is made anew.
func Fit(ctx context.Context, t Training, opts Options) (*Detector, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	if opts.MaxContainerWindows > 0 {
		var err error
		if t, err = t.capContainers(ctx, opts); err != nil {
			return nil, err
		}
	}
	if opts.Trim > 0 {
		return t.fitTrimmed(ctx, opts)
	}
	d, rows, h, err := t.fit(ctx, opts)
	if err != nil || opts.Engine == Random {
		return d, err
	}
	if at := rows.alone(h); len(at) > 0 {
		odd := rows.scored(h.only(at))
		rows, h = nil, nil // their memory is wanted
		return t.fitWithout(ctx, opts, odd)
	}
	return d, nil
}

// fit makes a detector from what is left of the windows, and tells how odd those
// are that it grew from.
func (t Training) fit(ctx context.Context, opts Options) (*Detector, *rows, *held, error) {
	space, err := feature.Learn(ctx, t.of(ctx, Normal), opts.Learn)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("learn what is normal: %w", err)
	}
	rows, err := t.encode(ctx, space, opts)
	if err != nil {
		return nil, nil, nil, err
	}
	d := &Detector{Space: space, Manifest: Manifest{
		Format: format, Version: Version, Engine: opts.Engine, Mayfly: opts.Version, Seed: opts.Seed,
		WidthNS: rows.widthNS, Training: rows.counts, Trained: rows.spans(),
		NEstimators: opts.Forest.NEstimators, MaxSamples: opts.Forest.MaxSamples,
		LongWindows: space.LongWindows, Split: Split{By: "none"}, MaxContainerWindows: opts.MaxContainerWindows,
	}}
	if opts.Engine == Random {
		d.Manifest.NEstimators, d.Manifest.MaxSamples = opts.Random.NEstimators, 0
	}
	var h *held
	if d.model, h, err = rows.model(opts, space); err != nil {
		return nil, nil, nil, err
	}
	d.Manifest.Threshold, d.Manifest.Budget = threshold(rows.scored(h), opts.Budget, rows.days(), d.EpisodeGapNS(), rows.widthNS)
	d.Manifest.Expected, d.Manifest.Completeness = rows.expected(), completeness(space.Profile)
	return d, rows, h, nil
}

func (t Training) class(w *feature.Window) Class {
	if t.Class == nil {
		return Normal
	}
	return t.Class(w)
}

// of yields the training windows of some classes.
func (t Training) of(ctx context.Context, classes ...Class) iter.Seq2[arrow.Record, error] {
	return feature.Filter(t.Windows(ctx), func(w *feature.Window) bool { return slices.Contains(classes, t.class(w)) })
}

// encode turns the training windows into rows. Attacks are rows of their own
// class for a random forest, and no rows for an isolation forest: it does not
// even see them pass, or they would stay in the longer time scales.
func (t Training) encode(ctx context.Context, space *feature.Space, opts Options) (*rows, error) {
	r := newRows(len(space.Features()), opts.MaxWindows, opts.Seed)
	if err := t.look(ctx, opts.Engine, r); err != nil {
		return nil, err
	}
	encoder, err := space.NewTrainingEncoder()
	if err != nil {
		return nil, err
	}
	windows := t.of(ctx, Normal)
	if opts.Engine == Random {
		windows = t.of(ctx, Normal, Attack)
	}
	var w feature.Window
	for rec, err := range windows {
		if err != nil {
			return nil, err
		}
		if err := r.add(rec, &w, encoder, t.class); err != nil {
			return nil, err
		}
	}
	if r.counts.Normal == 0 {
		return nil, errors.New("no training windows outside the labelled attacks")
	}
	if opts.Engine == Random && r.counts.Attack == 0 {
		return nil, errors.New("a random forest learns from labelled attacks, and no training window lies in one: give labels, or another split")
	}
	r.settle()
	if n := int64(len(r.class)); n < r.counts.Windows {
		r.counts.Sampled = n
	}
	return r, nil
}

// look notes when the training time was, and counts the windows that are not
// learned from.
func (t Training) look(ctx context.Context, engine string, r *rows) error {
	for w, err := range feature.Each(t.Windows(ctx)) {
		if err != nil {
			return err
		}
		r.see(w)
		switch c := t.class(w); {
		case c == Neither || c == Attack && engine != Random:
			r.counts.SetAside++
		case c == trimmed:
			r.counts.Trimmed++
		case c == capped:
			r.counts.Capped++
		}
	}
	return nil
}

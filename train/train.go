package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mayfly/detector"
	"mayfly/feature"

	"github.com/apache/arrow/go/v17/arrow"
)

// Options say what is learned from, and how.
type Options struct {
	Detector detector.Options
	Labels   []feature.Label // of attacks; nil: every window is taken as normal
	Split    Split

	// Aftermath is for how long after a label a container is learned from as
	// neither: what the attacker started may still run. Default 1 minute; never
	// less than the longer time scale.
	Aftermath time.Duration

	// MaxWorkloadWindows is how many windows of one workload anything is learned
	// from, at least 1; where there are more, whole containers by Sample.
	MaxWorkloadWindows int64
}

// DefaultOptions learn an isolation forest from every window.
func DefaultOptions() Options {
	return Options{Detector: detector.DefaultOptions(), Split: Split{By: SplitNone}, Aftermath: time.Minute,
		MaxWorkloadWindows: 1 << 24} // 194 days of one container, by the second
}

// Check says what is wrong with the options, before anything is read.
func (o Options) Check() error {
	if o.Aftermath < 0 {
		return fmt.Errorf("aftermath: want no less than 0, got %v", o.Aftermath)
	}
	if o.MaxWorkloadWindows < 1 {
		return fmt.Errorf("windows of a workload: want at least 1, got %d", o.MaxWorkloadWindows)
	}
	return cmp.Or(o.Split.check(), o.Detector.Check())
}

// Run makes a detector from FEATURES files. The windows are read several times
// and never held; what grows with them is four bytes per window and feature, up to
// the bounds of the options. Files are taken in the order of their first window, so
// the order in which they are named does not matter. A container whose time overlaps
// in two of them is refused: the same windows would count twice.
func Run(ctx context.Context, paths []string, opts Options) (*detector.Detector, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	files, err := open(paths)
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	sources, rows := make([]Source, len(files)), int64(0)
	for i, f := range files {
		sources[i] = Source{Name: filepath.Base(f.Path), SHA256: f.sha256, Windows: f.Rows,
			FromNS: f.Provenance.Counts.FromNS, WidthNS: f.Provenance.WidthNS, Records: f.Windows}
		rows += f.Rows
	}
	if err := sorted(sources); err != nil { // before any of them is read
		return nil, err
	}
	if rows <= opts.MaxWorkloadWindows {
		return Fit(ctx, sources, nil, opts) // no workload can have more
	}
	sample := NewSample(opts.Detector.Seed, opts.MaxWorkloadWindows)
	if _, err := sample.Choose(rows, windows(ctx, sources)); err != nil {
		return nil, err
	}
	return Fit(ctx, sources, sample, opts)
}

// Source is the windows of one FEATURES file, or those of them that a Sample keeps.
type Source struct {
	Name    string // of the file, for the detector's manifest; its base name
	SHA256  string // of the file, in hex
	Windows int64  // in the file
	FromNS  int64  // start of its first window
	WidthNS int64  // of each window

	// Records yields the windows in the order of the file; of those that the sample
	// does not keep, any may be missing. It is called several times.
	Records func(context.Context) iter.Seq2[arrow.Record, error]
}

// Fit makes a detector from windows, of which sample, that has counted all of them,
// chooses; nil takes all. The same files and sample give the same detector, whoever
// counted and wherever the windows were put together again.
func Fit(ctx context.Context, sources []Source, sample *Sample, opts Options) (*detector.Detector, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, errors.New("no features to train on")
	}
	sources = slices.Clone(sources)
	if err := sorted(sources); err != nil {
		return nil, err
	}
	all, unsampled := func(ctx context.Context) iter.Seq2[arrow.Record, error] { return windows(ctx, sources) }, int64(0)
	if sample != nil {
		unsampled = sample.Total() - sample.Kept()
	}
	if unsampled > 0 {
		all = func(ctx context.Context) iter.Seq2[arrow.Record, error] {
			return feature.Filter(windows(ctx, sources), sample.Keeps)
		}
	}
	seen, err := look(all(ctx), opts.Split.By == SplitTime)
	if err != nil {
		return nil, err
	}
	chosen, err := opts.Split.choose(seen)
	if err != nil {
		return nil, err
	}
	training := detector.Training{
		Windows: func(ctx context.Context) iter.Seq2[arrow.Record, error] {
			return feature.Filter(all(ctx), chosen.train)
		},
	}
	if len(opts.Labels) > 0 {
		training.Class = newLabelIndex(opts.Labels, opts.aftermath(sources[0].WidthNS)).class
	}
	d, err := detector.Fit(ctx, training, opts.Detector)
	if err != nil {
		return nil, err
	}
	d.Manifest.Split = opts.Split.manifest()
	if len(opts.Labels) > 0 {
		d.Manifest.Labels = len(opts.Labels)
		d.Manifest.AftermathNS = opts.aftermath(d.Manifest.WidthNS).Nanoseconds()
	}
	n := &d.Manifest.Training
	n.HeldOut = seen.windows - n.Windows - n.SetAside - n.Trimmed - n.Capped
	n.Unsampled = unsampled
	for _, s := range sources {
		d.Manifest.Inputs = append(d.Manifest.Inputs, detector.Input{Name: s.Name, SHA256: s.SHA256, Windows: s.Windows})
	}
	return d, nil
}

// sorted sorts sources, and refuses those that cannot be learned from together.
func sorted(sources []Source) error {
	slices.SortFunc(sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.FromNS, b.FromNS), cmp.Compare(a.SHA256, b.SHA256))
	})
	for i, s := range sources {
		if first := &sources[0]; s.WidthNS != first.WidthNS {
			return fmt.Errorf("%s: windows of %d ns, %s has %d ns", s.Name, s.WidthNS, first.Name, first.WidthNS)
		}
		if i > 0 && s.SHA256 == sources[i-1].SHA256 {
			return fmt.Errorf("%s: holds the same windows as %s, which is given too", s.Name, sources[i-1].Name)
		}
	}
	return nil
}

// aftermath is at least as long as the longer time scale holds an attack.
func (o Options) aftermath(widthNS int64) time.Duration {
	long := cmp.Or(o.Detector.Learn.LongWindows, feature.DefaultLearnOptions.LongWindows)
	return max(o.Aftermath, time.Duration(int64(long)*widthNS))
}

// input is one open FEATURES file.
type input struct {
	*feature.File
	sha256 string
}

func open(paths []string) (files []input, err error) {
	if len(paths) == 0 {
		return nil, errors.New("no features to train on")
	}
	for _, path := range paths {
		f, err := feature.OpenFile(path)
		if err != nil {
			return files, err
		}
		files = append(files, input{File: f})
		if f.Rows == 0 {
			return files, fmt.Errorf("%s: no windows in it", path)
		}
		if files[len(files)-1].sha256, err = f.SHA256(); err != nil {
			return files, err
		}
	}
	return files, nil
}

// windows yields the windows of all sources.
func windows(ctx context.Context, sources []Source) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		for _, s := range sources {
			for rec, err := range s.Records(ctx) {
				if !yield(rec, err) || err != nil {
					return
				}
			}
		}
	}
}

// look passes over the windows once, for the split.
func look(windows iter.Seq2[arrow.Record, error], byTime bool) (*survey, error) {
	seen := newSurvey()
	for w, err := range feature.Each(windows) {
		if err != nil {
			return nil, err
		}
		if err := seen.add(w, byTime); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// labelIndex finds the labels of a container without trying all of them for
// each window.
type labelIndex struct {
	labels    []feature.Label
	aftermath time.Duration
	known     map[containerKey][]feature.Label
}

func newLabelIndex(labels []feature.Label, aftermath time.Duration) *labelIndex {
	return &labelIndex{labels, aftermath, map[containerKey][]feature.Label{}}
}

// class tells what the labels know of a window. Not safe for concurrent use.
func (x *labelIndex) class(w *feature.Window) detector.Class {
	key := containerKey{w.ContainerName, w.ContainerID}
	mine, ok := x.known[key]
	if !ok {
		for _, l := range x.labels {
			if l.Names(w.ContainerID, w.ContainerName) {
				mine = append(mine, l)
			}
		}
		x.known[containerKey{strings.Clone(w.ContainerName), strings.Clone(w.ContainerID)}] = mine
	}
	class := detector.Normal
	for _, l := range mine {
		if l.Covers(w) {
			return detector.Attack
		}
		l.ToNS += x.aftermath.Nanoseconds()
		if l.Covers(w) {
			class = detector.Neither
		}
	}
	return class
}

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
}

// DefaultOptions learn an isolation forest from every window.
func DefaultOptions() Options {
	return Options{Detector: detector.DefaultOptions(), Split: Split{By: SplitNone}, Aftermath: time.Minute}
}

// Check says what is wrong with the options, before anything is read.
func (o Options) Check() error {
	if o.Aftermath < 0 {
		return fmt.Errorf("aftermath: want no less than 0, got %v", o.Aftermath)
	}
	return cmp.Or(o.Split.check(), o.Detector.Check())
}

// Run makes a detector from FEATURES files. The windows are read several times
// and never held; what grows with them is four bytes per window and feature.
// Files are taken in the order of their first window, so the order in which
// they are named does not matter. A container whose time overlaps in two of them
// is refused: the same windows would count twice.
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
	seen, err := look(ctx, files, opts.Split.By == SplitTime)
	if err != nil {
		return nil, err
	}
	chosen, err := opts.Split.choose(seen)
	if err != nil {
		return nil, err
	}
	training := detector.Training{
		Windows: func(ctx context.Context) iter.Seq2[arrow.Record, error] {
			return feature.Filter(windows(ctx, files), chosen.train)
		},
	}
	if len(opts.Labels) > 0 {
		training.Class = newLabelIndex(opts.Labels, opts.aftermath(files[0].Provenance.WidthNS)).class
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
	for _, f := range files {
		d.Manifest.Inputs = append(d.Manifest.Inputs, detector.Input{Name: filepath.Base(f.Path), SHA256: f.sha256, Windows: f.Rows})
	}
	return d, nil
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
	slices.SortFunc(files, func(a, b input) int {
		return cmp.Or(cmp.Compare(a.Provenance.Counts.FromNS, b.Provenance.Counts.FromNS), cmp.Compare(a.sha256, b.sha256))
	})
	for i, f := range files {
		if w := files[0].Provenance.WidthNS; f.Provenance.WidthNS != w {
			return files, fmt.Errorf("%s: windows of %d ns, %s has %d ns", f.Path, f.Provenance.WidthNS, files[0].Path, w)
		}
		if i > 0 && f.sha256 == files[i-1].sha256 {
			return files, fmt.Errorf("%s: holds the same windows as %s, which is given too", f.Path, files[i-1].Path)
		}
	}
	return files, nil
}

// windows yields the windows of all files.
func windows(ctx context.Context, files []input) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		for _, f := range files {
			for rec, err := range f.Windows(ctx) {
				if !yield(rec, err) || err != nil {
					return
				}
			}
		}
	}
}

// look passes over the windows once, for the split.
func look(ctx context.Context, files []input, byTime bool) (*survey, error) {
	seen := &survey{lives: map[containerKey]*lifetime{}}
	for w, err := range feature.Each(windows(ctx, files)) {
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

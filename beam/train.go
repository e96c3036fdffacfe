package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"mayfly/cmd/flags"
	"mayfly/feature"
	"mayfly/train"
)

func init() {
	register.DoFn4x1[context.Context, []byte, func(int, []byte), func([]byte), error](&trainDescribe{})
	register.DoFn2x3[context.Context, []byte, int, []byte, error](&trainPart{})
	register.DoFn3x1[context.Context, int, func(*[]byte) bool, error](&trainFinish{})
	register.Emitter2[int, []byte]()
	register.Emitter1[[]byte]()
}

// windows are some of the windows of a FEATURES file: those of one row group, or all.
type windows struct {
	Place string `json:"place"`
	File  int    `json:"file"`  // its number on the command line
	Group int    `json:"group"` // below 0: all
}

// trainState is what is known of a FEATURES file as a whole, or of a unit of it.
type trainState struct {
	File   int           `json:"file"`
	Whole  *wholeFile    `json:"whole,omitempty"`
	Group  int           `json:"group"`          // of the unit, as in windows
	Part   string        `json:"part,omitempty"` // a spill of the windows that Sample keeps
	Sample *train.Sample `json:"sample,omitempty"`
}

// wholeFile is a train.Source but for its windows.
type wholeFile struct {
	Name    string `json:"name"`
	SHA256  string `json:"sha256"`
	Windows int64  `json:"windows"`
	FromNS  int64  `json:"from_ns"`
	WidthNS int64  `json:"width_ns"`
}

// trainDescribe looks at a FEATURES file and parts it into units. An object has been
// copied for that, so that it is one unit and done at once.
type trainDescribe struct {
	Folder string
	Seed   uint64
	Most   int64 // windows of a workload
}

// ProcessElement is called by Beam.
func (f *trainDescribe) ProcessElement(ctx context.Context, in []byte, states func(int, []byte), units func([]byte)) error {
	_, err := tell(ctx, f.Folder, func() (any, error) {
		var w windows
		if err := json.Unmarshal(in, &w); err != nil {
			return nil, err
		}
		return nil, withInput(ctx, w.Place, func(path string) error { return f.describe(ctx, &w, path, states, units) })
	})
	return err
}

func (f *trainDescribe) describe(ctx context.Context, w *windows, path string, states func(int, []byte), units func([]byte)) error {
	in, err := feature.OpenFile(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	if in.Rows == 0 {
		return fmt.Errorf("%s: no windows in it", path)
	}
	sum, err := in.SHA256()
	if err != nil {
		return err
	}
	emit := func(state *trainState) error {
		content, err := json.Marshal(state)
		if err == nil {
			states(0, content)
		}
		return err
	}
	err = emit(&trainState{File: w.File, Whole: &wholeFile{baseName(w.Place), sum, in.Rows, in.Provenance.Counts.FromNS, in.Provenance.WidthNS}})
	if err != nil {
		return err
	}
	if _, ok := localPath(w.Place); !ok {
		state, err := (&trainPart{Folder: f.Folder, Seed: f.Seed, Most: f.Most}).sample(ctx, w, in)
		if err != nil {
			return err
		}
		return emit(state)
	}
	for g := range in.Groups() {
		unit, err := json.Marshal(windows{w.Place, w.File, g})
		if err != nil {
			return err
		}
		units(unit)
	}
	return nil
}

// baseName is what train calls a file.
func baseName(place string) string {
	if file, ok := localPath(place); ok {
		return filepath.Base(file)
	}
	if u, err := url.Parse(place); err == nil {
		return path.Base(u.Path)
	}
	return place
}

// trainPart samples the containers of a unit and leaves the windows of those that are
// in: whoever is out of a part's sample is out of that of the whole.
type trainPart struct {
	Folder string
	Seed   uint64
	Most   int64
}

// ProcessElement is called by Beam.
func (f *trainPart) ProcessElement(ctx context.Context, in []byte) (int, []byte, error) {
	out, err := step(ctx, f.Folder, in, func(ctx context.Context, w *windows) (*trainState, error) {
		var state *trainState
		err := withInput(ctx, w.Place, func(path string) error {
			in, err := feature.OpenFile(path)
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }() // only read
			state, err = f.sample(ctx, w, in)
			return err
		})
		return state, err
	})
	return 0, out, err
}

func (f *trainPart) sample(ctx context.Context, w *windows, in *feature.File) (*trainState, error) {
	state := &trainState{File: w.File, Group: w.Group, Sample: train.NewSample(f.Seed, f.Most)}
	var err error
	if state.Part, err = part(f.Folder, fmt.Sprintf("%d/%d", w.File, w.Group), ".windows"); err != nil {
		return nil, err
	}
	records := func() iter.Seq2[arrow.Record, error] {
		return in.WindowsOf(ctx, func(group int) bool { return w.Group < 0 || group == w.Group })
	}
	keep, err := state.Sample.Choose(in.Rows, records())
	if err != nil {
		return nil, err
	}
	return state, withOutput(ctx, state.Part, func(path string) error {
		out, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600))
		if err != nil {
			return err
		}
		defer func() { _ = out.Cleanup() }() // nothing is left to do after the rename
		if _, err := feature.WriteSpill(out, feature.Filter(records(), keep)); err != nil {
			return err
		}
		return out.CloseAtomicallyReplace()
	})
}

// trainFinish makes the detector.
type trainFinish struct {
	Folder, Result, Output string
	Options                train.Options
}

// ProcessElement is called by Beam.
func (f *trainFinish) ProcessElement(ctx context.Context, _ int, states func(*[]byte) bool) error {
	all, err := gather[trainState](states)
	if err != nil {
		return err
	}
	_, err = tell(ctx, f.Folder, func() (any, error) { return nil, f.finish(ctx, all) })
	return err
}

func (f *trainFinish) finish(ctx context.Context, all []trainState) error {
	files := map[int]*wholeFile{}
	var units []trainState
	var samples []*train.Sample
	for _, s := range all {
		if s.Whole != nil {
			files[s.File] = s.Whole
		} else {
			units, samples = append(units, s), append(samples, s.Sample)
		}
	}
	sample, err := mergeAll(samples, func(a, b *train.Sample) (*train.Sample, error) { return a, a.Merge(b) })
	if err != nil {
		return err
	}
	sample.Cut()
	slices.SortFunc(units, func(a, b trainState) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Group, b.Group)) })
	places := make([]string, len(units))
	for i := range units {
		places[i] = units[i].Part
	}
	return withInputs(ctx, places, func(paths []string) error {
		parts := map[int][]string{} // of each file, in the order of its windows
		for i, path := range paths {
			parts[units[i].File] = append(parts[units[i].File], path)
		}
		var ready []train.Source
		for i := range len(files) {
			s := files[i]
			ready = append(ready, train.Source{Name: s.Name, SHA256: s.SHA256, Windows: s.Windows, FromNS: s.FromNS, WidthNS: s.WidthNS,
				Records: func(ctx context.Context) iter.Seq2[arrow.Record, error] { return windowsIn(ctx, parts[i]) }})
		}
		d, err := train.Fit(ctx, ready, sample, f.Options)
		if err != nil {
			return err
		}
		if err := withOutput(ctx, f.Output, d.Save); err != nil {
			return err
		}
		return writeJSON(ctx, f.Result, &d.Manifest)
	})
}

// windowsIn reads spills one after the other.
func windowsIn(ctx context.Context, paths []string) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		for _, path := range paths {
			for rec, err := range feature.SpillFile(ctx, path) {
				if !yield(rec, err) || err != nil {
					return
				}
			}
		}
	}
}

func newTrainCommand() *cobra.Command {
	opts, output, labels := train.DefaultOptions(), "", ""
	cmd := &cobra.Command{
		Use:   "train FEATURES... -o DETECTOR",
		Short: "Make a detector from features, as mayfly train does",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runTrain(cmd, opts, output, labels, args) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "detector `file` to write (required)")
	cmd.Flags().StringVar(&labels, "labels", "", "labels `file`: container,from,to,attack")
	flags.AddTrain(cmd.Flags(), &opts)
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

func runTrain(cmd *cobra.Command, opts train.Options, output, labels string, args []string) (err error) {
	if err := flags.SetTrain(cmd.Flags(), &opts, version()); err != nil {
		return statusError{statusUsage, err}
	}
	ctx := cmd.Context()
	if labels != "" {
		err := withInput(ctx, labels, func(path string) (err error) {
			opts.Labels, err = feature.OpenLabels(path)
			return err
		})
		if err != nil {
			return err
		}
	}
	places, err := placesOf(args)
	if err != nil {
		return err
	}
	if err := checkOutput(output, places); err != nil {
		return err
	}
	finish := trainFinish{Options: opts}
	if finish.Output, err = absolute(output); err != nil {
		return err
	}
	j, err := newJob(output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close(ctx)) }()
	finish.Folder, finish.Result = j.folder, j.result
	var files []windows
	for i, place := range places {
		files = append(files, windows{place, i, -1})
	}
	p, s := newPipeline()
	units, err := elements(s, files)
	if err != nil {
		return err
	}
	describe := trainDescribe{Folder: j.folder, Seed: opts.Detector.Seed, Most: opts.MaxWorkloadWindows}
	states, groups := beam.ParDo2(s, &describe, units)
	parts := beam.ParDo(s, &trainPart{Folder: describe.Folder, Seed: describe.Seed, Most: describe.Most}, beam.Reshuffle(s, groups))
	beam.ParDo0(s, &finish, beam.GroupByKey(s, beam.Flatten(s, states, parts)))
	var r struct {
		Training  struct{ Windows, Containers int64 } `json:"training"`
		Threshold float64                             `json:"threshold"`
	}
	if err := j.run(ctx, "train", p, cmd.ErrOrStderr(), &r); err != nil {
		return err
	}
	cmd.PrintErrf("mayfly-beam: %s: learned from %d windows of %d containers; threshold %.4f\n", output, r.Training.Windows, r.Training.Containers, r.Threshold)
	return nil
}

// printPlace copies what lies at a place.
func printPlace(ctx context.Context, place string, to io.Writer) error {
	return withInput(ctx, place, func(path string) error {
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = in.Close() }() // only read
		_, err = io.Copy(to, in)
		return err
	})
}

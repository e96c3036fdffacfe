package evaluate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/detector"
	"mayfly/feature"
)

// Options say what is measured, and how.
type Options struct {
	Labels  string // path of a file of labels; "" for none
	Measure MeasureOptions
	Threads int    // below 1: all processors; no influence on the result
	Version string // of the program, for the provenance
}

// DefaultOptions measure without labels.
func DefaultOptions() Options { return Options{Measure: DefaultMeasureOptions(), Threads: 1} }

// Run measures a detector file on FEATURES files. Several files are read one
// after the other, and each container's windows must follow in time. Errors name
// the file and the cause.
func Run(ctx context.Context, detectorPath string, features []string, opts Options) (*Report, error) {
	d, err := detector.Load(detectorPath)
	if err != nil {
		return nil, err
	}
	var labels []feature.Label
	if opts.Labels != "" {
		if labels, err = feature.OpenLabels(opts.Labels); err != nil {
			return nil, err
		}
	}
	files, rows := make([]*feature.File, 0, len(features)), int64(0)
	defer func() {
		for _, f := range files {
			_ = f.Close() // was only read
		}
	}()
	for _, path := range features {
		f, err := feature.OpenFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		rows += f.Rows
	}
	var reading string
	windows, err := score(ctx, d, chain(ctx, files, &reading), labels, opts.Threads, min(rows, 1<<22))
	if err != nil {
		return nil, within(reading, err)
	}
	opts.Measure.Bootstrap.Threads = opts.Threads
	long := time.Duration(int64(d.Space.LongWindows) * d.Manifest.WidthNS)
	opts.Measure.Aftermath = max(opts.Measure.Aftermath, long) // an attack stays in the longer time scale
	r, err := Measure(windows, labels, opts.Measure)
	if err != nil {
		return nil, err
	}
	if b := d.Manifest.Budget; b.Resolved > max(b.AlarmsPerContainerDay, b.FalsePositiveRate) {
		r.Notes = append(r.Notes, fmt.Sprintf("the detector's alarm budget is finer than its %d training windows, or their time, can vouch for: its threshold is their highest score", d.Manifest.Training.Normal))
	}
	return r, r.Provenance.fill(d, detectorPath, files, labels, opts)
}

// chain yields the records of the files one after the other; reading is the path
// of the file at hand, empty with an error, which names it.
func chain(ctx context.Context, files []*feature.File, reading *string) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		for _, f := range files {
			*reading = f.Path
			for rec, err := range f.Windows(ctx) {
				if err != nil {
					*reading = ""
				}
				if !yield(rec, err) {
					return
				}
			}
		}
	}
}

// within names the file of an error that does not name it, if there is one.
func within(path string, err error) error {
	if path == "" {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// fill says what was measured on what. Files are named without their folders:
// the same bytes give the same report wherever they lie.
func (p *Provenance) fill(d *detector.Detector, path string, files []*feature.File, labels []feature.Label, opts Options) error {
	m := &d.Manifest
	var err error
	if p.SHA256, err = d.SHA256(); err != nil {
		return err
	}
	p.Mayfly, p.Detector = opts.Version, filepath.Base(path)
	p.Engine, p.Seed, p.WidthNS, p.Budget = m.Engine, m.Seed, m.WidthNS, m.Budget
	p.Training, p.Trained = m.Training, append([]detector.Input{}, m.Inputs...)
	p.Inputs = []detector.Input{}
	for _, f := range files {
		sum, err := f.SHA256()
		if err != nil {
			return err
		}
		p.Inputs = append(p.Inputs, detector.Input{Name: filepath.Base(f.Path), SHA256: sum, Windows: f.Rows})
	}
	if opts.Labels != "" {
		sum, err := sha256File(opts.Labels)
		if err != nil {
			return err
		}
		p.Labels = &detector.Input{Name: filepath.Base(opts.Labels), SHA256: sum, Windows: int64(len(labels))}
	}
	p.Split = "by container and time: windows that share time with what the detector learned from are left out"
	return nil
}

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

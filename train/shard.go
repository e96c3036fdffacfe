package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/shard"

	"github.com/apache/arrow/go/v17/arrow"
)

// Stage is what shards of train call their command.
const Stage = "train"

// work is what all shards of one training have in common.
type work struct {
	Options  Options    `json:"options"` // Threads is 0
	Features []features `json:"features"`
}

// features is a FEATURES file as a shard sees it that reads some of its row groups.
type features struct {
	Name       string `json:"name"` // base name
	Bytes      int64  `json:"bytes"`
	Windows    int64  `json:"windows"`
	FromNS     int64  `json:"from_ns"`
	WidthNS    int64  `json:"width_ns"`
	TailSHA256 string `json:"tail_sha256"` // of its last 64 KiB, where the footer is
}

// state is what else a shard gives.
type state struct {
	Sample *Sample        `json:"sample"`
	SHA256 map[int]string `json:"sha256"` // of the features, by place, that the shard hashed whole
	Parts  []int          `json:"parts"`  // of the member's outputs: whose windows they hold, by place
}

// RunShard does one part of Run into the folder dir: it goes through every Count-th
// row group of the FEATURES files, writes the windows that its own Sample keeps, and
// last the member that says so. Nothing is learned yet; FitShards does that. The same
// part leaves the same bytes, however often it is done.
func RunShard(ctx context.Context, paths []string, spec shard.Spec, dir string, opts Options) (*Sample, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errors.New("no features to train on")
	}
	opts.Detector.Threads = 0
	m := &shard.Member{Mayfly: opts.Detector.Version, Stage: Stage, Index: spec.Index, Count: spec.Count}
	w := work{Options: opts}
	s := state{Sample: NewSample(opts.Detector.Seed, opts.MaxWorkloadWindows), SHA256: map[int]string{}, Parts: []int{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	group := 0 // of all files
	owns := make([]func(int) bool, len(paths))
	for i, path := range paths {
		f, described, err := describe(path)
		if err != nil {
			return nil, err
		}
		base := group
		owns[i] = func(g int) bool { return spec.Has(base + g) }
		group += f.Groups()
		if err = w.add(path, described); err == nil {
			err = count(ctx, f, owns[i], s.Sample)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		if spec.Has(i) {
			sum, err := shard.Sum(path)
			if err != nil {
				return nil, err
			}
			s.SHA256[i] = sum.SHA256
			m.Inputs = append(m.Inputs, sum)
		}
	}
	s.Sample.Cut()
	for i, path := range paths {
		name := fmt.Sprintf("%s.%d.features.parquet", spec.Name(), i)
		n, err := keepOf(ctx, path, owns[i], s.Sample, filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if n > 0 {
			m.Outputs, s.Parts = append(m.Outputs, shard.File{Name: name}), append(s.Parts, i)
		}
	}
	var err error
	if m.Work, err = json.Marshal(w); err != nil {
		return nil, err
	}
	if m.State, err = json.Marshal(s); err != nil {
		return nil, err
	}
	return s.Sample, m.Write(dir)
}

// add takes one more file into the work, unless it does not go with those before.
func (w *work) add(path string, f *features) error {
	for _, before := range w.Features {
		switch {
		case before.WidthNS != f.WidthNS:
			return fmt.Errorf("%s: windows of %d ns, %s has %d ns", path, f.WidthNS, before.Name, before.WidthNS)
		case before.TailSHA256 == f.TailSHA256 && before.Bytes == f.Bytes:
			return fmt.Errorf("%s: holds the same windows as %s, which is given too", path, before.Name)
		}
	}
	w.Features = append(w.Features, *f)
	return nil
}

func describe(path string) (*feature.File, *features, error) {
	f, err := feature.OpenFile(path)
	if err != nil {
		return nil, nil, err
	}
	tail, bytes, err := tailSHA256(path)
	if err == nil && f.Rows == 0 {
		err = fmt.Errorf("%s: no windows in it", path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, &features{Name: filepath.Base(path), Bytes: bytes, Windows: f.Rows,
		FromNS: f.Provenance.Counts.FromNS, WidthNS: f.Provenance.WidthNS, TailSHA256: tail}, nil
}

func tailSHA256(path string) (sum string, size int64, err error) {
	in, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = in.Close() }() // only read
	info, err := in.Stat()
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	from := max(0, info.Size()-64<<10)
	if _, err := io.Copy(h, io.NewSectionReader(in, from, info.Size()-from)); err != nil {
		return "", 0, fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), info.Size(), nil
}

func count(ctx context.Context, f *feature.File, groups func(int) bool, into *Sample) error {
	for w, err := range feature.Each(f.WindowsOf(ctx, groups)) {
		if err != nil {
			return err
		}
		into.Add(w)
	}
	return nil
}

// keepOf writes what a sample keeps of some row groups, and says how many windows
// that is; of none there is no file.
func keepOf(ctx context.Context, path string, groups func(int) bool, sample *Sample, to string) (n int64, err error) {
	f, err := feature.OpenFile(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only read
	out, err := feature.CreatePart(to)
	if err != nil {
		return 0, err
	}
	for w, err := range feature.Each(f.WindowsOf(ctx, groups)) {
		if err == nil && sample.Keeps(w) {
			n++
			err = out.Append(w)
		}
		if err != nil {
			return 0, errors.Join(err, out.Abort())
		}
	}
	if n == 0 {
		return 0, errors.Join(out.Abort(), os.RemoveAll(to))
	}
	return n, out.Close(&feature.Provenance{WidthNS: f.Provenance.WidthNS})
}

// FitShards makes the detector of all shards in dir: the same bytes as Run without
// shards. It fits on this machine, from windows that the sample bounds; threads are
// those to use, 0 one per processor.
func FitShards(ctx context.Context, dir string, members []shard.Member, threads int) (*detector.Detector, error) {
	var w work
	if err := json.Unmarshal(members[0].Work, &w); err != nil {
		return nil, fmt.Errorf("%s: %w", members[0].Spec().Name(), err)
	}
	w.Options.Detector.Threads = threads
	var sample *Sample
	parts, sums := make([][]string, len(w.Features)), make([]string, len(w.Features))
	for i := range members {
		m := &members[i]
		var s state
		if err := json.Unmarshal(m.State, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Spec().Name(), err)
		}
		if s.Sample == nil || len(s.Parts) != len(m.Outputs) {
			return nil, fmt.Errorf("%s: no state of a training", m.Spec().Name())
		}
		for k, at := range s.Parts {
			if at < 0 || at >= len(parts) {
				return nil, fmt.Errorf("%s: windows of file %d of %d", m.Spec().Name(), at, len(parts))
			}
			parts[at] = append(parts[at], m.Path(dir, k))
		}
		for at, sum := range s.SHA256 {
			if at >= 0 && at < len(sums) {
				sums[at] = sum
			}
		}
		if sample == nil {
			sample = s.Sample
		} else if err := sample.Merge(s.Sample); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Spec().Name(), err)
		}
	}
	sample.Cut()
	temp, err := os.MkdirTemp(dir, ".fit-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	var sources []Source
	for i, f := range w.Features {
		if sums[i] == "" {
			return nil, fmt.Errorf("%s: no shard says what %s is", dir, f.Name)
		}
		joined := filepath.Join(temp, fmt.Sprintf("%d.parquet", i))
		if err := Join(ctx, parts[i], sample, joined, f.WidthNS); err != nil {
			return nil, err
		}
		sources = append(sources, Source{Name: f.Name, SHA256: sums[i], Windows: f.Windows, FromNS: f.FromNS, WidthNS: f.WidthNS, Records: recordsOf(joined)})
	}
	return Fit(ctx, sources, sample, w.Options)
}

// Join makes one file of the windows that the sample of all keeps of one FEATURES file,
// which shards have left in parts: widthNS is what the file says of its windows, 0 nothing.
func Join(ctx context.Context, parts []string, sample *Sample, to string, widthNS int64) error {
	out, err := feature.CreateFile(to)
	if err != nil {
		return err
	}
	err = feature.MergeFiles(ctx, parts, filepath.Dir(to), func(w *feature.Window) error {
		if !sample.Keeps(w) {
			return nil
		}
		return out.Append(w)
	})
	if err != nil {
		return errors.Join(err, out.Abort())
	}
	return out.Close(&feature.Provenance{WidthNS: widthNS})
}

// recordsOf reads a FEATURES file from its begin each time.
func recordsOf(path string) func(context.Context) iter.Seq2[arrow.Record, error] {
	return func(ctx context.Context) iter.Seq2[arrow.Record, error] {
		return func(yield func(arrow.Record, error) bool) {
			f, err := feature.OpenFile(path)
			if err != nil {
				yield(nil, err)
				return
			}
			defer func() { _ = f.Close() }() // only read
			for rec, err := range f.Windows(ctx) {
				if !yield(rec, err) {
					return
				}
			}
		}
	}
}

package train

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/shard"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/renameio/v2"
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
	Parts  []part         `json:"parts"`  // what the member's outputs hold, beside them
}

// part is the windows of one FEATURES file that a shard keeps: a spill for each row
// group of which it keeps any.
type part struct {
	File   int     `json:"file"` // by place
	Groups []group `json:"groups"`
}

type group struct {
	Group  int   `json:"group"`  // row group of the FEATURES file
	Offset int64 `json:"offset"` // where its spill lies in the part
	Bytes  int64 `json:"bytes"`
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
	s := state{Sample: NewSample(opts.Detector.Seed, opts.MaxWorkloadWindows), SHA256: map[int]string{}, Parts: []part{}}
	groups, total := 0, int64(0) // of all files
	owns := make([]func(int) bool, len(paths))
	for i, path := range paths {
		described, n, err := describe(path)
		if err != nil {
			return nil, err
		}
		if err := w.add(path, described); err != nil {
			return nil, err
		}
		base := groups
		owns[i] = func(g int) bool { return spec.Has(base + g) }
		groups, total = groups+n, total+described.Windows
		if spec.Has(i) {
			sum, err := shard.Sum(path)
			if err != nil {
				return nil, err
			}
			s.SHA256[i] = sum.SHA256
			m.Inputs = append(m.Inputs, sum)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	keep, err := s.Sample.Choose(total, owned(ctx, paths, owns))
	if err != nil {
		return nil, err
	}
	for i, path := range paths {
		name := fmt.Sprintf("%s.%d.windows", spec.Name(), i)
		kept, err := keepOf(ctx, path, owns[i], keep, filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if len(kept) > 0 {
			m.Outputs, s.Parts = append(m.Outputs, shard.File{Name: name}), append(s.Parts, part{i, kept})
		}
	}
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

func describe(path string) (described *features, groups int, err error) {
	f, err := feature.OpenFile(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // only read
	if f.Rows == 0 {
		return nil, 0, fmt.Errorf("%s: no windows in it", path)
	}
	tail, bytes, err := tailSHA256(path)
	return &features{Name: filepath.Base(path), Bytes: bytes, Windows: f.Rows,
		FromNS: f.Provenance.Counts.FromNS, WidthNS: f.Provenance.WidthNS, TailSHA256: tail}, f.Groups(), err
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

// owned yields the windows of a shard's row groups; one file is open at a time.
func owned(ctx context.Context, paths []string, owns []func(group int) bool) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		for i, path := range paths {
			f, err := feature.OpenFile(path)
			if err != nil {
				yield(nil, err)
				return
			}
			for rec, err := range f.WindowsOf(ctx, owns[i]) {
				if !yield(rec, err) || err != nil {
					_ = f.Close() // only read
					return
				}
			}
			_ = f.Close() // only read
		}
	}
}

// keepOf writes what is kept of some row groups of a FEATURES file, and says where it
// is; of nothing there is no file.
func keepOf(ctx context.Context, path string, owns func(group int) bool, keep func(*feature.Window) bool, to string) (kept []group, err error) {
	f, err := feature.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	out, err := renameio.NewPendingFile(to, renameio.WithPermissions(0o600))
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Cleanup() }() // nothing is left to do after the rename
	at := int64(0)
	for g := range f.Groups() {
		if !owns(g) {
			continue
		}
		records := f.WindowsOf(ctx, func(group int) bool { return group == g })
		n, err := feature.WriteSpill(out, feature.Filter(records, keep))
		if err != nil {
			return nil, err
		}
		end, err := out.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			kept = append(kept, group{g, at, end - at})
		}
		at = end
	}
	if len(kept) == 0 {
		if err := os.Remove(to); !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, nil
	}
	return kept, out.CloseAtomicallyReplace()
}

// FitShards makes the detector of all shards in dir: the same bytes as Run without
// shards. It fits on this machine, from windows that the sample bounds and that are
// read where they are in each pass; threads are those to use, 0 one per processor.
// planned is told how many windows a pass has; nil is not told.
func FitShards(ctx context.Context, dir string, members []shard.Member, threads int, planned func(windows int64)) (*detector.Detector, error) {
	var w work
	if err := json.Unmarshal(members[0].Work, &w); err != nil {
		return nil, fmt.Errorf("%s: %w", members[0].Spec().Name(), err)
	}
	w.Options.Detector.Threads = threads
	var sample *Sample
	sums, spills := make([]string, len(w.Features)), make([][]spill, len(w.Features))
	for i := range members {
		m := &members[i]
		var s state
		if err := json.Unmarshal(m.State, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Spec().Name(), err)
		}
		if s.Sample == nil || len(s.Parts) != len(m.Outputs) {
			return nil, fmt.Errorf("%s: no state of a training", m.Spec().Name())
		}
		for k, p := range s.Parts {
			if p.File < 0 || p.File >= len(spills) {
				return nil, fmt.Errorf("%s: windows of file %d of %d", m.Spec().Name(), p.File, len(spills))
			}
			for _, g := range p.Groups {
				spills[p.File] = append(spills[p.File], spill{m.Path(dir, k), g})
			}
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
	var sources []Source
	for i, f := range w.Features {
		if sums[i] == "" {
			return nil, fmt.Errorf("%s: no shard says what %s is", dir, f.Name)
		}
		records, err := inOrder(spills[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", dir, f.Name, err)
		}
		sources = append(sources, Source{Name: f.Name, SHA256: sums[i], Windows: f.Windows, FromNS: f.FromNS, WidthNS: f.WidthNS, Records: records})
	}
	if planned != nil {
		planned(sample.Kept())
	}
	return Fit(ctx, sources, sample, w.Options)
}

// spill is where the windows of a row group lie.
type spill struct {
	path string
	group
}

// inOrder yields the windows of spills, row group by row group: one is open at a time.
func inOrder(spills []spill) (func(context.Context) iter.Seq2[arrow.Record, error], error) {
	slices.SortFunc(spills, func(a, b spill) int { return cmp.Compare(a.Group, b.Group) })
	for i := 1; i < len(spills); i++ {
		if spills[i].Group == spills[i-1].Group {
			return nil, fmt.Errorf("its row group %d is in %s and in %s", spills[i].Group, filepath.Base(spills[i-1].path), filepath.Base(spills[i].path))
		}
	}
	return func(ctx context.Context) iter.Seq2[arrow.Record, error] {
		return func(yield func(arrow.Record, error) bool) {
			for _, s := range spills {
				for rec, err := range feature.Spilled(ctx, s.path, s.open) {
					if !yield(rec, err) || err != nil {
						return
					}
				}
			}
		}
	}, nil
}

func (s *spill) open() (io.ReadCloser, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, s.Offset, s.Bytes), f}, nil
}

package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"mayfly/detector"
	"mayfly/feature"

	"github.com/google/renameio/v2"
)

// batchWindows is how many windows are scored at a time.
const batchWindows = 1024

// maxPending is for how many findings evidence is gathered in one reading.
const maxPending = 4096

// pass is one attempt at the whole of a run. It touches nothing but memory and
// a temporary file until commit.
type pass struct {
	d         *detector.Detector
	sum       string
	recording *feature.Recording
	opts      Options
	plan      *plan

	scorer  *detector.Scorer
	builder *feature.Builder
	pending []*pendingFinding
	lines   []byte // findings, as JSON lines

	report     Report
	containers map[containerKey]bool
	lastEnd    map[containerKey]int64 // of each container's last finding
}

type containerKey struct{ host, id string }

// pendingFinding is a window above the threshold, before its evidence is there.
type pendingFinding struct {
	finding detector.Finding
	key     containerKey
	fresh   map[string]bool // items never seen in training
}

func newPass(d *detector.Detector, sum string, recording *feature.Recording, opts Options) *pass {
	return &pass{
		d: d, sum: sum, recording: recording, opts: opts,
		scorer: d.NewScorer(opts.Threads), builder: feature.NewBuilder(),
		containers: map[containerKey]bool{}, lastEnd: map[containerKey]int64{},
	}
}

// run scores all windows of the plan's files.
func (p *pass) run(ctx context.Context) error {
	defer p.builder.Release()
	windows := feature.WindowerOptions{WidthNS: p.d.Manifest.WidthNS, LatenessNS: p.opts.LatenessNS}
	report, err := p.recording.Windows(ctx, windows, func(w *feature.Window) error {
		p.builder.Append(w)
		if p.builder.Len() < batchWindows {
			return nil
		}
		return p.score(ctx)
	})
	if err != nil {
		return err
	}
	p.report.LateRows = report.LateRows
	if err := p.score(ctx); err != nil {
		return err
	}
	return p.flush(ctx)
}

// score scores the windows gathered so far.
func (p *pass) score(ctx context.Context) error {
	rec := p.builder.Record()
	defer rec.Release()
	scored, err := p.scorer.Score(rec)
	if err != nil {
		return err
	}
	defer scored.Release()
	var w feature.Window
	for i := range scored.Windows.Len() {
		scored.Windows.At(i, &w)
		span := p.plan.hosts[w.Host]
		due := span.due(w.EndNS())
		switch {
		case due:
			p.report.Windows++
			p.report.Lost += int64(w.Counters[feature.NLost])
			p.containers[containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}] = true
		case w.EndNS() > span.throughNS:
			p.report.Waiting++
		}
		if !scored.Alarm(i) {
			continue
		}
		if err := p.alarm(scored, i, &w, due); err != nil {
			return err
		}
		if len(p.pending) == maxPending {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush gathers the evidence of the pending findings and writes them.
func (p *pass) flush(ctx context.Context) error {
	if err := p.gather(ctx); err != nil {
		return err
	}
	slices.SortFunc(p.pending, func(a, b *pendingFinding) int {
		return cmp.Or(cmp.Compare(a.finding.Mayfly.FromNS, b.finding.Mayfly.FromNS),
			cmp.Compare(a.key.host, b.key.host), cmp.Compare(a.key.id, b.key.id))
	})
	for _, f := range p.pending {
		var err error
		if p.lines, err = f.finding.AppendJSON(p.lines); err != nil {
			return err
		}
		p.report.Findings++
	}
	p.pending = p.pending[:0]
	return nil
}

func (p *pass) count(into *Report, files int) {
	rejected := into.Rejected
	*into = p.report
	into.Rejected = rejected
	into.Files, into.Before = len(p.plan.fresh), files-len(p.plan.fresh)
	into.LateFiles = len(p.plan.late)
	into.Containers = len(p.containers)
}

// commit writes the findings, then the state that says so.
func (p *pass) commit(s *state) error {
	if p.opts.OutputPath == "" && p.opts.Output != nil {
		if _, err := p.opts.Output.Write(p.lines); err != nil {
			return fmt.Errorf("findings: %w", err)
		}
	}
	if p.opts.StatePath == "" {
		if p.opts.OutputPath == "" {
			return nil
		}
		if err := renameio.WriteFile(p.opts.OutputPath, p.lines, 0o600); err != nil {
			return fmt.Errorf("findings: %w", err)
		}
		return nil
	}
	if p.opts.OutputPath != "" {
		end, known := s.Output[p.opts.OutputPath]
		if !known {
			// What stands there is not ours to cut off: findings of a detector before
			// this one, or of a state that was lost. The state says so before a line
			// is written, or a run that is killed would leave its own for ever.
			var err error
			if end, err = length(p.opts.OutputPath); err != nil {
				return fmt.Errorf("findings: %w", err)
			}
			s.Output[p.opts.OutputPath] = end
			if err := s.write(p.opts.StatePath); err != nil {
				return err
			}
		}
		end, err := appendAt(p.opts.OutputPath, end, p.lines)
		if err != nil {
			return fmt.Errorf("findings: %w", err)
		}
		s.Output[p.opts.OutputPath] = end
	}
	for i := range p.plan.fresh {
		s.host(p.plan.fresh[i].Meta.Host).done(&p.plan.fresh[i])
	}
	for host, due := range p.plan.hosts {
		s.host(host).advance(min(due.throughNS, p.sealedEnd(host)))
	}
	return s.write(p.opts.StatePath)
}

// sealedEnd is the end of the host's last file, for a host whose recorder stopped.
func (p *pass) sealedEnd(host string) int64 {
	var last int64
	for i := range p.plan.files {
		if m := &p.plan.files[i].Meta; m.Host == host {
			last = max(last, m.ToNS)
		}
	}
	return last - last%p.d.Manifest.WidthNS + p.d.Manifest.WidthNS
}

// length is how long a file is, 0 when there is none.
func length(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// appendAt writes lines into a file at an offset, after cutting off what a run
// that was killed left there, and returns where they end. A file that is shorter
// than it was (someone rotated it) is appended to at its end. After an error it is
// as long as it was, and gone when it was not there.
func appendAt(path string, offset int64, lines []byte) (end int64, err error) {
	_, missing := os.Lstat(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	offset = min(offset, info.Size())
	if err := f.Truncate(offset); err != nil {
		return 0, err
	}
	defer func() {
		if err == nil {
			return
		}
		if errors.Is(missing, fs.ErrNotExist) {
			_ = os.Remove(path) // the first error is the one to tell
		} else {
			_ = os.Truncate(path, offset)
		}
	}()
	if _, err := f.WriteAt(lines, offset); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return offset + int64(len(lines)), f.Close()
}

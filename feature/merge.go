package feature

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// Compare orders windows as FEATURES files do: by start, container and host.
// Windows of one recording that compare equal are the same window.
func (w *Window) Compare(o *Window) int {
	return cmp.Or(cmp.Compare(w.StartNS, o.StartNS), strings.Compare(w.ContainerID, o.ContainerID), strings.Compare(w.Host, o.Host))
}

// Merge gives the windows of several sequences to emit in the order of Compare,
// each of which must be in that order already; a window that stands twice is an
// error. The result does not depend on the order of the sequences, nor on how the
// windows were dealt out to them: merges of merges are the merge of all. The window
// is valid until emit returns, whose error ends the work. Memory is one record for
// each sequence.
func Merge(ctx context.Context, parts []iter.Seq2[arrow.Record, error], emit func(*Window) error) error {
	m := &windowMerger{}
	defer m.stop()
	for i, part := range parts {
		next, stop := iter.Pull2(part)
		s := &windowSource{next: next, stop: stop, part: i}
		m.all = append(m.all, s)
		more, err := s.step()
		if err != nil {
			return err
		}
		if more {
			m.push(s)
		}
	}
	for n := 0; len(m.heap) > 0; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		s := m.heap[0]
		if err := emit(&s.window); err != nil {
			return err
		}
		m.last.set(&s.window)
		more, err := s.step()
		if err != nil {
			return err
		}
		if !more {
			m.heap[0] = m.heap[len(m.heap)-1]
			m.heap = m.heap[:len(m.heap)-1]
		}
		m.down(0)
		if len(m.heap) > 0 && !m.last.before(&m.heap[0].window) {
			w := &m.heap[0].window
			return fmt.Errorf("merge: container %.80q of host %.80q: its window of %d ns stands twice, or out of order", w.ContainerID, w.Host, w.StartNS)
		}
	}
	return nil
}

// fanIn is how many files are open at once.
type fanIn struct {
	features int // each in some 2 MB where it is a part (CreatePart)
	spills   int // each in some 0.5 MB
}

// MergeFiles is Merge over FEATURES files, of which there may be any number: where
// they are many, some at a time are first merged into spills in dir, which are removed.
// Memory is bounded by a record and a row group of each file that is open.
func MergeFiles(ctx context.Context, paths []string, dir string, emit func(*Window) error) error {
	return fanIn{16, 128}.merge(ctx, paths, dir, emit)
}

func (most fanIn) merge(ctx context.Context, paths []string, dir string, emit func(*Window) error) (err error) {
	if len(paths) <= most.features {
		return mergeSome(ctx, paths, featuresOf, emit)
	}
	temp, err := os.MkdirTemp(dir, ".merge-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	var spills []string
	made := 0
	join := func(paths []string, open opener) error {
		path := filepath.Join(temp, fmt.Sprint(made))
		made, spills = made+1, append(spills, path)
		return mergeInto(ctx, paths, open, path)
	}
	for some := range slices.Chunk(paths, most.features) {
		if err := join(some, featuresOf); err != nil {
			return err
		}
	}
	for len(spills) > most.spills {
		some := spills[:most.spills]
		if err := join(some, SpillFile); err != nil {
			return err
		}
		for _, path := range some {
			if err := os.Remove(path); err != nil { // its room on disk is wanted
				return err
			}
		}
		spills = spills[len(some):]
	}
	return mergeSome(ctx, spills, SpillFile, emit)
}

// opener yields the windows of a file.
type opener func(ctx context.Context, path string) iter.Seq2[arrow.Record, error]

func mergeSome(ctx context.Context, paths []string, open opener, emit func(*Window) error) error {
	parts := make([]iter.Seq2[arrow.Record, error], len(paths))
	for i, path := range paths {
		parts[i] = open(ctx, path)
	}
	return Merge(ctx, parts, emit)
}

// mergeInto merges files into a spill.
func mergeInto(ctx context.Context, paths []string, open opener, path string) error {
	return spillInto(path, func(emit func(*Window) error) error { return mergeSome(ctx, paths, open, emit) })
}

// featuresOf yields the windows of a FEATURES file in small records.
func featuresOf(ctx context.Context, path string) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		f, err := openFile(path, partBatch)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = f.Close() }() // only read
		f.Windows(ctx)(yield)
	}
}

// windowMerger holds the sequences as a heap, that of the next window on top.
type windowMerger struct {
	all, heap []*windowSource
	last      lastWindow
}

// lastWindow is where the window that was emitted last stood.
type lastWindow struct {
	startNS         int64
	container, host []byte
}

func (l *lastWindow) set(w *Window) {
	l.startNS = w.StartNS
	l.container, l.host = append(l.container[:0], w.ContainerID...), append(l.host[:0], w.Host...)
}

// before compares as Window.Compare does, without making strings.
func (l *lastWindow) before(w *Window) bool {
	switch {
	case l.startNS != w.StartNS:
		return l.startNS < w.StartNS
	case string(l.container) != w.ContainerID:
		return string(l.container) < w.ContainerID
	}
	return string(l.host) < w.Host
}

// windowSource is one sequence and its next window.
type windowSource struct {
	next   func() (arrow.Record, error, bool)
	stop   func()
	part   int
	record *Windows
	row    int
	window Window
}

// step goes on to the next window; false means that there is none.
func (s *windowSource) step() (bool, error) {
	for s.row++; s.record == nil || s.row >= s.record.Len(); s.row = 0 {
		rec, err, ok := s.next()
		if err != nil || !ok {
			return false, err
		}
		if s.record, err = View(rec); err != nil {
			return false, err
		}
		s.row = 0
		if s.record.Len() > 0 {
			break
		}
	}
	s.record.At(s.row, &s.window)
	return true, nil
}

func (m *windowMerger) stop() {
	for _, s := range m.all {
		s.stop()
	}
}

func (m *windowMerger) less(i, j int) bool {
	a, b := m.heap[i], m.heap[j]
	return cmp.Or(a.window.Compare(&b.window), cmp.Compare(a.part, b.part)) < 0
}

func (m *windowMerger) push(s *windowSource) {
	m.heap = append(m.heap, s)
	for i := len(m.heap) - 1; i > 0 && m.less(i, (i-1)/2); i = (i - 1) / 2 {
		m.heap[i], m.heap[(i-1)/2] = m.heap[(i-1)/2], m.heap[i]
	}
}

func (m *windowMerger) down(i int) {
	for {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(m.heap) && m.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

// Merge joins what two sets of hosts were made into. It is associative and
// commutative, for hosts that are in one of them only; b is not changed.
func (p *Provenance) Merge(b *Provenance) error {
	if p.WidthNS != b.WidthNS || p.LateNS != b.LateNS || p.HostToo != b.HostToo || p.Creator != b.Creator {
		return errors.New("provenance: windows that were not made in one way")
	}
	p.Inputs = slices.Concat(p.Inputs, b.Inputs)
	p.SortInputs()
	p.BadInputs += b.BadInputs
	p.Counts.merge(&b.Counts)
	return nil
}

// SortInputs puts the inputs into an order that is their own: by host, table, path
// below the trace and content.
func (p *Provenance) SortInputs() {
	slices.SortFunc(p.Inputs, func(a, b InputFile) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Rel, b.Rel), cmp.Compare(a.SHA256, b.SHA256))
	})
}

func (c *Counts) merge(b *Counts) {
	if c.Windows == 0 || b.Windows > 0 && b.FromNS < c.FromNS {
		c.FromNS = b.FromNS
	}
	c.ToNS = max(c.ToNS, b.ToNS)
	c.Containers += b.Containers
	c.WindowerReport.merge(&b.WindowerReport)
}

func (r *WindowerReport) merge(b *WindowerReport) {
	r.Rows += b.Rows
	r.HostRows += b.HostRows
	r.LateRows += b.LateRows
	r.BadTimes += b.BadTimes
	r.FullRows += b.FullRows
	r.EarlyClose += b.EarlyClose
	r.Windows += b.Windows
	r.Lost += b.Lost
	r.LossRows += b.LossRows
	r.LossFull += b.LossFull
	r.Gaps += b.Gaps
	r.GapWindows += b.GapWindows
}

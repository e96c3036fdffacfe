package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/page"
)

// maxReasons is how many facts are named for the peak of an attack, beside the
// feature that carried most.
const maxReasons = 4

// maxDescribed is among how many new items those are chosen.
const maxDescribed = 64

// Score scores records of feature.Schema, the windows of a container in time
// order. Windows that the detector learned from are marked: they are scored,
// because what looks back over time needs them, and measured nowhere. Labels
// choose the windows for which reasons are kept and change no score. threads
// below 1 means all processors; scores do not depend on it.
func Score(ctx context.Context, d *detector.Detector, records iter.Seq2[arrow.Record, error], labels []feature.Label, threads int) (*Windows, error) {
	return score(ctx, d, records, labels, threads, 0)
}

// score is Score with room for as many windows as there are.
func score(ctx context.Context, d *detector.Detector, records iter.Seq2[arrow.Record, error], labels []feature.Label, threads int, windows int64) (*Windows, error) {
	s := &scoring{
		detector: d, scorer: d.NewScorer(threads), learned: learnedSpans(d.Manifest.Trained),
		labels: labels, peaks: make([]peak, len(labels)),
		index: map[Container]int32{}, out: &Windows{Threshold: d.Manifest.Threshold, Rows: make([]Scored, 0, windows)},
	}
	for rec, err := range records {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.add(rec); err != nil {
			return nil, err
		}
	}
	reasons := map[int][]string{}
	for _, p := range s.peaks {
		if p.reasons != nil {
			reasons[p.row] = p.reasons
		}
	}
	s.out.Carried = func(row int) []string { return reasons[row] }
	return s.out, nil
}

// scoring is the state of one Score.
type scoring struct {
	detector *detector.Detector
	scorer   *detector.Scorer
	learned  map[Container][]detector.Span
	labels   []feature.Label
	peaks    []peak // beside labels
	index    map[Container]int32
	named    [][]int // labels that name a container, beside out.Containers
	lastNS   []int64 // end of the last window, likewise
	out      *Windows
}

// peak is the highest window of a label so far.
type peak struct {
	row     int
	score   float64
	reasons []string
}

func (s *scoring) add(rec arrow.Record) error {
	scored, err := s.scorer.Score(rec)
	if err != nil {
		return err
	}
	defer scored.Release()
	var w feature.Window
	for i := range scored.Windows.Len() {
		scored.Windows.At(i, &w)
		row := Scored{Container: s.container(&w), StartNS: w.StartNS, WidthNS: w.WidthNS, Score: float64(scored.Scores[i])}
		if row.StartNS < s.lastNS[row.Container] {
			return fmt.Errorf("container %.64q: a window at %s UTC comes after one that ends at %s: windows want to be in time order, each once",
				w.ContainerID, page.Clock(row.StartNS), page.Clock(s.lastNS[row.Container]))
		}
		s.lastNS[row.Container] = row.EndNS()
		row.Trained = s.wasLearned(&w)
		s.out.Rows = append(s.out.Rows, row)
		s.out.Lost += int64(w.Counters[feature.NLost])
		if w.Missing&feature.TouchesGap != 0 {
			s.out.GapWindows++
		}
		for _, l := range s.named[row.Container] {
			p := &s.peaks[l]
			if row.Trained || !shares(&row, &s.labels[l]) || p.reasons != nil && row.Score <= p.score {
				continue
			}
			p.row, p.score = len(s.out.Rows)-1, row.Score
			if p.reasons, err = s.carried(scored, i, &w); err != nil {
				return err
			}
		}
	}
	return nil
}

// container returns the index of the window's container, a new one if need be.
func (s *scoring) container(w *feature.Window) int32 {
	key := Container{w.Host, w.ContainerID, w.ContainerName, w.Workload}
	c, ok := s.index[key]
	if !ok {
		// The window's strings belong to its record.
		key = Container{strings.Clone(key.Host), strings.Clone(key.ID), strings.Clone(key.Name), strings.Clone(key.Workload)}
		c = int32(len(s.out.Containers))
		s.index[key] = c
		s.out.Containers = append(s.out.Containers, key)
		s.lastNS = append(s.lastNS, math.MinInt64)
		s.named = append(s.named, assign(s.out.Containers[c:], s.labels)...)
	}
	return c
}

func learnedSpans(spans []detector.Span) map[Container][]detector.Span {
	learned := map[Container][]detector.Span{}
	for _, span := range spans {
		key := Container{Host: span.Host, ID: span.ContainerID}
		learned[key] = append(learned[key], span)
	}
	for _, of := range learned {
		slices.SortFunc(of, func(a, b detector.Span) int { return int(min(max(a.FromNS-b.FromNS, -1), 1)) })
	}
	return learned
}

// wasLearned reports whether the detector has seen any time of the window.
func (s *scoring) wasLearned(w *feature.Window) bool {
	spans := s.learned[Container{Host: w.Host, ID: w.ContainerID}]
	// The first span that ends after the window begins.
	i, _ := slices.BinarySearchFunc(spans, w.StartNS, func(span detector.Span, start int64) int {
		if span.ToNS <= start {
			return -1
		}
		return 1
	})
	return i < len(spans) && spans[i].FromNS < w.EndNS()
}

// carried says in words what carried window i's score: what is new in it, then
// calls that are not as usual, then the features that shortened its path.
func (s *scoring) carried(scored *detector.Scored, i int, w *feature.Window) ([]string, error) {
	what := s.detector.Space.Describe(w, maxDescribed)
	out := []string{}
	for _, item := range telling(what.Items) {
		out = append(out, cut(item.Item.String())+", never seen")
	}
	for _, call := range what.Calls {
		if len(out) >= maxReasons {
			break
		}
		if call.New {
			out = append(out, fmt.Sprintf("%s %s, never seen", page.Short(call.Seen), call.Name))
		} else {
			out = append(out, fmt.Sprintf("%s %s, usual %s to %s", page.Short(call.Seen), call.Name, page.Short(call.Low), page.Short(call.High)))
		}
	}
	reasons, err := scored.Reasons(i, 1)
	if err != nil {
		return nil, fmt.Errorf("reasons: %w", err)
	}
	for _, r := range reasons {
		out = append(out, fmt.Sprintf("%s %s, usual %s to %s", r.Name, page.Short(r.Seen), page.Short(r.Low), page.Short(r.High)))
	}
	return out, nil
}

// telling chooses among new items: the first of each kind before the second of
// any, kinds that change what runs before kinds that read and write.
func telling(items []feature.NewItem) []feature.NewItem {
	kinds := []string{"write-exec", "exec", "priv", "cap", "connect", "listen", "accept", "bind", "call", "write", "read"}
	nth := map[string]int{}
	type ranked struct {
		round, kind int
		item        feature.NewItem
	}
	var all []ranked
	for _, item := range items {
		kind := slices.Index(kinds, item.Item.Kind)
		if kind < 0 {
			kind = len(kinds)
		}
		all = append(all, ranked{nth[item.Item.Kind], kind, item})
		nth[item.Item.Kind]++
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.round, b.round), cmp.Compare(a.kind, b.kind))
	})
	var out []feature.NewItem
	for _, r := range all[:min(maxReasons, len(all))] {
		out = append(out, r.item)
	}
	return out
}

// cut keeps a name that the recording brought to a length that a table bears.
func cut(name string) string {
	const most = 120
	if len(name) <= most {
		return strings.Clone(name)
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

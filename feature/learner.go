package feature

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/profile"
	"mayfly/trace"
)

// LearnOptions says how a Space is learned.
type LearnOptions struct {
	LongWindows   int // how many window widths the long time scale holds, 2 to 600; default 10
	Folds         int // the least number of parts that training novelty is cross-fitted over, 2 to 64; default 5
	MaxTrigrams   int // different trigrams kept per workload; default 1<<18
	MaxItems      int // different items per workload and kind; default 4096
	MaxContainers int // containers whose long scale is kept at once; default 4096
	MaxWorkloads  int // default 4096; the rest is learned as "unknown"
}

// DefaultLearnOptions are the options where a field is 0.
var DefaultLearnOptions = LearnOptions{LongWindows: 10, Folds: 5, MaxTrigrams: 1 << 18, MaxItems: 4096,
	MaxContainers: 4096, MaxWorkloads: 4096}

func (o LearnOptions) withDefaults() (LearnOptions, error) {
	d := DefaultLearnOptions
	for _, f := range []struct {
		name  string
		value *int
		def   int
		low   int
		high  int
	}{
		{"LongWindows", &o.LongWindows, d.LongWindows, 2, maxLongWindows},
		{"Folds", &o.Folds, d.Folds, 2, 64},
		{"MaxTrigrams", &o.MaxTrigrams, d.MaxTrigrams, 1, maxTrigrams},
		{"MaxItems", &o.MaxItems, d.MaxItems, 1, 1 << 20},
		{"MaxContainers", &o.MaxContainers, d.MaxContainers, 1, 1 << 20},
		{"MaxWorkloads", &o.MaxWorkloads, d.MaxWorkloads, 1, maxWorkloads},
	} {
		if *f.value = cmp.Or(*f.value, f.def); *f.value < f.low || *f.value > f.high {
			return o, fmt.Errorf("%s: got %d, want %d to %d", f.name, *f.value, f.low, f.high)
		}
	}
	return o, nil
}

// Learn learns a Space from training windows, in one pass and in memory that
// grows with what differs (workloads, containers, calls, trigrams, items), not
// with the number of windows. Windows of a container come in time order, as in a
// FEATURES file. The same windows give the same Space. Learn neither keeps nor
// releases the records: each is done with when the next is asked for.
//
// The Space remembers, until it is written, where each thing was seen, so that
// EncodeTraining can measure training windows honestly.
func Learn(ctx context.Context, windows iter.Seq2[arrow.Record, error], opts LearnOptions) (*Space, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("learn: %w", err)
	}
	l := newLearner(opts)
	for rec, err := range windows {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		v, err := View(rec)
		if err != nil {
			return nil, err
		}
		var w Window
		for i := range v.Len() {
			v.At(i, &w)
			if err := l.add(&w); err != nil {
				return nil, fmt.Errorf("learn: row %d: %w", i, err)
			}
		}
	}
	return l.space()
}

// learner gathers what a Space is made of.
type learner struct {
	opts    LearnOptions
	width   int64
	models  map[string]*learning
	tails   *tails
	profile *profile.Builder
	items   []profile.Item // of the window at hand, beside counts
	counts  []uint32
	pair    pairCounts
	roots   roots
}

// learning is one workload in the making.
type learning struct {
	windows    uint64
	missing    Missing // of all windows, joined by and
	containers map[containerKey]*container
	calls      map[trace.Call]*callLearning
	counters   [NumCounters][2]histogram
	families   [numFamilies][2]histogram
	trigrams   map[uint32]*trigramLearning
	items      map[string]*firstSeen
	series     map[string]int          // items of each series
	events     [NumCounters]*firstSeen // where a counter was more than 0
	ageNS      int64                   // of the window at hand, since the first of its container
	joint      jointLearning
	samples    [3]sampler            // by order, by calls, by calls of the long scale
	kept       [3][]*sampled         // what is left of them when the learning is finished
	overflow   uint64                // trigrams that found their set full
	novel      [numNovelKinds]uint64 // windows with an item that no window before had, by kind
}

type callLearning struct {
	firstSeen
	scales [2]histogram // window, long
}

type trigramLearning struct {
	sole
	count   uint64
	windows uint64
}

func newLearner(opts LearnOptions) *learner {
	return &learner{
		opts: opts, models: map[string]*learning{}, tails: newTails(opts.MaxContainers),
		profile: profile.NewBuilder(profile.BuilderOptions{MaxItems: opts.MaxItems, MaxWorkloads: opts.MaxWorkloads}),
	}
}

func (l *learner) model(workload string) *learning {
	m := l.models[workload]
	if m == nil && len(l.models) >= l.opts.MaxWorkloads {
		workload = profile.Unknown
		m = l.models[workload]
	}
	if m == nil {
		m = newLearning()
		l.models[cleanName(workload)] = m
	}
	return m
}

func newLearning() *learning {
	return &learning{containers: map[containerKey]*container{}, calls: map[trace.Call]*callLearning{},
		trigrams: map[uint32]*trigramLearning{}, items: map[string]*firstSeen{}, series: map[string]int{}, missing: missingAll &^ TouchesGap,
		samples: [3]sampler{{}, {}, {}}}
}

func (l *learner) add(w *Window) error {
	if l.width == 0 {
		l.width = w.WidthNS
	}
	if l.width != w.WidthNS {
		return fmt.Errorf("windows of %d ns among windows of %d ns", w.WidthNS, l.width)
	}
	m := l.model(cleanName(w.Workload))
	key := keyOf(w)
	place := m.place(key, w.StartNS)
	m.ageNS = w.StartNS - m.containers[key].from
	long := l.tails.push(key, w, int64(l.opts.LongWindows))
	m.windows++
	m.missing &= w.Missing
	m.addCalls(w, long, place)
	if w.Missing&MissingCalls == 0 {
		long.pair(w, &l.pair)
		m.joint.add(w, &l.pair, place, &l.roots)
	}
	m.sample(w, long, place)
	for c := range w.Counters {
		m.counters[c][0].add(uint64(w.Counters[c]))
		m.counters[c][1].add(long.counter(Counter(c)))
	}
	short := familyCounts(w)
	for f := range short {
		m.families[f][0].add(short[f])
		m.families[f][1].add(long.families[f])
	}
	l.addItems(m, w, place)
	return nil
}

func (m *learning) addCalls(w *Window, long *tail, at place) {
	for i, c := range w.Calls {
		s := m.calls[c]
		if s == nil {
			s = &callLearning{firstSeen: *m.first(at)}
			m.calls[c] = s
		}
		s.see(at, m.ageNS)
		s.scales[0].add(uint64(w.CallCounts[i]))
	}
	for c, n := range long.calls {
		if s := m.calls[c]; s != nil && n > 0 {
			s.scales[1].add(n)
		}
	}
}

func (l *learner) addItems(m *learning, w *Window, at place) {
	for i, t := range w.Trigrams {
		s := m.trigrams[t]
		if s == nil {
			if len(m.trigrams) >= l.opts.MaxTrigrams {
				m.overflow++
				continue
			}
			s = &trigramLearning{sole: sole{place: at, to: at.startNS}}
			m.trigrams[t] = s
		}
		s.see(at)
		s.count += uint64(w.TrigramCounts[i])
		s.windows++
	}
	for c, n := range w.Counters {
		if n == 0 || w.Missing&MissingEvents != 0 {
			continue
		}
		if m.events[c] == nil {
			m.events[c] = m.first(at)
		}
		m.events[c].see(at, m.ageNS)
	}
	l.items = l.items[:0]
	var isNew [numNovelKinds]bool
	for _, text := range w.Items {
		item, err := profile.ParseItem(text)
		if err != nil {
			item = profile.Item{} // left out by the profile; an item no profile knows stays new
		}
		l.items = append(l.items, item)
		if s := m.items[text]; s != nil {
			s.see(at, m.ageNS)
		} else if len(m.items) < l.opts.MaxItems*len(profile.Kinds()) {
			m.items[strings.Clone(text)] = m.first(at)
			form, numbered := item.Series()
			if kind, ok := novelIndex[item.Kind]; ok && (!numbered || m.series[form] < seriesLeast) {
				isNew[kind-newItems] = true
			}
			if numbered {
				m.series[form]++
			}
		}
	}
	for kind, yes := range isNew {
		if yes {
			m.novel[kind]++
		}
	}
	l.counts = append(append(l.counts[:0], w.ItemCounts...), w.CallCounts...)
	for _, c := range w.Calls {
		l.items = append(l.items, profile.Item{Kind: profile.Call, Value: callName(c)})
	}
	l.profile.Add(&profile.Window{Workload: w.Workload, Container: w.ContainerID, Name: w.ContainerName, Host: w.Host,
		StartNS: w.StartNS, EndNS: w.EndNS(), Items: l.items, Counts: l.counts, Lost: int64(w.Counters[NLost]), Gap: w.Missing&TouchesGap != 0})
}

// space finishes the learning.
func (l *learner) space() (*Space, error) {
	if len(l.models) == 0 {
		return nil, errors.New("learn: no windows")
	}
	s := &Space{WidthNS: l.width, LongWindows: l.opts.LongWindows, MaxContainers: l.opts.MaxContainers,
		Profile: l.profile.Profile(), folds: l.opts.Folds, byName: map[string]*model{}}
	all := make([]*learning, 0, len(l.models))
	var trees []*branches
	for _, name := range slices.Sorted(maps.Keys(l.models)) {
		m := l.models[name]
		all = append(all, m)
		model := m.finish(name)
		model.branches = m.tree(l.opts.Folds, int64(l.opts.LongWindows)*l.width)
		s.models, trees = append(s.models, model), append(trees, model.branches)
	}
	s.global = merge(all).finish("")
	s.global.branches = mergeBranches(trees)
	for _, m := range slices.Concat(s.models, []*model{s.global}) {
		m.Branches = m.branches.list
	}
	s.index()
	return s, nil
}

// merge joins workloads into the one that stands for unknown ones.
func merge(all []*learning) *learning {
	if len(all) == 1 {
		return all[0]
	}
	out := newLearning()
	for _, m := range all {
		out.windows += m.windows
		out.missing &= m.missing
		out.overflow += m.overflow
		out.joint.merge(&m.joint)
		for kind, n := range m.novel {
			out.novel[kind] += n
		}
		for c, s := range m.calls {
			to := out.calls[c]
			if to == nil {
				to = &callLearning{}
				out.calls[c] = to
			}
			for i := range to.scales {
				to.scales[i].merge(&s.scales[i])
			}
		}
		for i := range m.counters {
			for j := range m.counters[i] {
				out.counters[i][j].merge(&m.counters[i][j])
			}
		}
		for i := range m.families {
			for j := range m.families[i] {
				out.families[i][j].merge(&m.families[i][j])
			}
		}
		for t, s := range m.trigrams {
			to := out.trigrams[t]
			if to == nil {
				to = &trigramLearning{}
				out.trigrams[t] = to
			}
			to.count += s.count
			to.windows += s.windows
		}
		for i := range out.samples {
			out.samples[i].merge(m.samples[i])
		}
	}
	return out
}

// finish turns sums into ranges.
func (m *learning) finish(name string) *model {
	out := &model{Name: name, Windows: m.windows, Missing: m.missing, TrigramOverflow: m.overflow, NovelWindows: m.novel[:], Joint: m.joint.model(-1), learned: m}
	for _, c := range slices.Sorted(maps.Keys(m.calls)) {
		s := m.calls[c]
		out.Calls = append(out.Calls, callModel{Call: c, Windows: s.scales[0].n,
			Short: s.scales[0].summary(m.windows), Long: s.scales[1].summary(m.windows)})
	}
	for i := range m.counters {
		out.Counters = append(out.Counters, [2]Range{m.counters[i][0].summary(m.windows), m.counters[i][1].summary(m.windows)})
	}
	for i := range m.families {
		out.Families = append(out.Families, [2]Range{m.families[i][0].summary(m.windows), m.families[i][1].summary(m.windows)})
	}
	for _, t := range slices.Sorted(maps.Keys(m.trigrams)) {
		out.Trigrams = append(out.Trigrams, t)
		out.TrigramCounts = append(out.TrigramCounts, uint32(min(m.trigrams[t].count, math.MaxUint32)))
		out.TrigramWindows = append(out.TrigramWindows, uint32(min(m.trigrams[t].windows, math.MaxUint32)))
	}
	out.remember(m.samples)
	return out
}

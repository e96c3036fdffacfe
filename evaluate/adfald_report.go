package evaluate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"mayfly/datasets/adfald"
	"mayfly/detector"
)

// ADFALDReport is the outcome of both protocols.
type ADFALDReport struct {
	Format     string            `json:"format"` // "mayfly adfa-ld"
	Version    int               `json:"version"`
	Seed       uint64            `json:"seed"`
	Seeds      int               `json:"seeds"`
	OneClass   []TraceFigures    `json:"one_class"` // mayfly first
	Supervised SupervisedFigures `json:"supervised"`
	Poison     *PoisonCost       `json:"poison"` // null where nothing was poisoned
	Protocol   string            `json:"protocol"`
}

// TraceFigures are one method's figures by the one-class protocol.
type TraceFigures struct {
	Method       string        `json:"method"`
	Citation     string        `json:"citation"`
	Published    TraceRanking  `json:"published_protocol"`
	Deduplicated TraceRanking  `json:"deduplicated"`
	Seeds        *Spread       `json:"auroc_over_seeds"` // deduplicated; null for one seed, and for methods without chance
	Kinds        []KindFigures `json:"kinds"`            // deduplicated
}

// TraceRanking is how well scores tell attack traces from normal ones.
type TraceRanking struct {
	Normal int      `json:"normal"`
	Attack int      `json:"attack"`
	AUROC  Estimate `json:"auroc"`
	AUPRC  Estimate `json:"auprc"`
	Recall Estimate `json:"recall_at_20"` // at 20 % false alerts among these very traces
	// At the threshold that training alone set.
	FalseAlerts float64 `json:"false_alerts"`
	Found       float64 `json:"recall"`
}

// KindFigures are the figures of one kind of attack against all normal traces.
type KindFigures struct {
	Kind   string   `json:"kind"`
	Traces int      `json:"traces"`
	AUROC  Estimate `json:"auroc"`
	Recall Estimate `json:"recall_at_20"`
}

// Spread is a figure over seeds.
type Spread struct {
	Mean   float64   `json:"mean"`
	SD     float64   `json:"sd"` // of a sample, n - 1
	Values []float64 `json:"values"`
}

func newSpread(values []float64) *Spread {
	if len(values) < 2 {
		return nil
	}
	s := &Spread{Values: values}
	for _, v := range values {
		s.Mean += v / float64(len(values))
	}
	for _, v := range values {
		s.SD += (v - s.Mean) * (v - s.Mean) / float64(len(values)-1)
	}
	s.SD = math.Sqrt(s.SD)
	return s
}

// PoisonCost is what attack traces in the learning time cost.
type PoisonCost struct {
	Share  float64      `json:"share"`  // of the training traces, as asked for
	Traces int          `json:"traces"` // attack traces among them
	Clean  TraceRanking `json:"clean"`  // without them; deduplicated, the same traces measured
	With   TraceRanking `json:"poisoned"`
}

// ADFALD measures by both protocols. The same seed gives the same report at any
// number of threads.
func ADFALD(ctx context.Context, set *adfald.Set, opts ADFALDOptions) (*ADFALDReport, error) {
	if opts.Seeds < 1 || opts.Folds < 2 || !(opts.Poison >= 0 && opts.Poison < 1) {
		return nil, fmt.Errorf("adfa-ld: want at least 1 seed, 2 folds and a share of poison in [0,1), got %d, %d and %g", opts.Seeds, opts.Folds, opts.Poison)
	}
	for _, part := range []adfald.Part{adfald.Training, adfald.Validation, adfald.Attack} {
		if len(set.Part(part)) < 2*opts.Folds {
			return nil, fmt.Errorf("adfa-ld: %d %v traces are too few for %d folds", len(set.Part(part)), part, opts.Folds)
		}
	}
	if len(set.Kinds()) < 2 {
		return nil, fmt.Errorf("adfa-ld: %d kinds of attack: want 2 to leave one out", len(set.Kinds()))
	}
	run := &adfaldRun{set: set, opts: opts}
	run.total = opts.Seeds + opts.Folds + len(set.Kinds())*opts.Folds*supervisedFits
	r := &ADFALDReport{Format: "mayfly adfa-ld", Version: ReportVersion, Seed: opts.Detector.Seed, Seeds: opts.Seeds, Protocol: ADFALDProtocol}
	if err := run.oneClass(ctx, r); err != nil {
		return nil, fmt.Errorf("one class: %w", err)
	}
	if err := run.poison(ctx, r); err != nil {
		return nil, err
	}
	var err error
	if r.Supervised, err = run.supervised(ctx); err != nil {
		return nil, fmt.Errorf("supervised: %w", err)
	}
	return r, nil
}

// adfaldRun is the state of one ADFALD.
type adfaldRun struct {
	set         *adfald.Set
	opts        ADFALDOptions
	done, total int
}

func (a *adfaldRun) step() {
	a.done++
	if a.opts.Progress != nil {
		a.opts.Progress(min(a.done, a.total), a.total)
	}
}

// isolation are the options of the one-class protocol.
func (a *adfaldRun) isolation(seed int) detector.Options {
	o := a.opts.Detector
	o.Engine, o.Seed = detector.Isolation, o.Seed+uint64(seed)
	return o
}

// golearn's forest reads all of mayfly's features; it cannot read traces.
const (
	golearnMethod   = "golearn's isolation forest, mayfly's features"
	golearnCitation = "github.com/sjwhitworth/golearn, trees.IsolationForest (package reference)"
)

// oneClass measures by the one-class protocol.
func (a *adfaldRun) oneClass(ctx context.Context, r *ADFALDReport) error {
	training := adfald.Unique(a.set.Part(adfald.Training))
	all := newTraceRows(a.set.Part(adfald.Validation), a.set.Part(adfald.Attack))
	figures, _, err := a.figures(ctx, mayflyTraces(a.isolation(0), false), training, all)
	if err != nil {
		return err
	}
	figures.Method = "mayfly, isolation forests"
	values := []float64{figures.Deduplicated.AUROC.Value}
	for seed := 1; seed < a.opts.Seeds; seed++ {
		scores, err := mayflyTraces(a.isolation(seed), false)(ctx, training, all.traces)
		if err != nil {
			return err
		}
		a.step()
		unique := all.unique(training)
		ranking, err := unique.rank(pickFloat(scores, unique.from), 0, BootstrapOptions{})
		if err != nil {
			return err
		}
		values = append(values, ranking.AUROC.Value)
	}
	figures.Seeds = newSpread(values)
	r.OneClass = append(r.OneClass, *figures)
	if !a.opts.Baselines {
		return nil
	}
	golearn := a.isolation(0)
	golearn.Engine = detector.Golearn
	figures, _, err = a.figures(ctx, mayflyTraces(golearn, false), training, all)
	if err != nil {
		return fmt.Errorf("golearn: %w", err)
	}
	figures.Method, figures.Citation = golearnMethod, golearnCitation
	r.OneClass = append(r.OneClass, *figures)
	for _, b := range baselines(8) {
		figures, _, err := a.figures(ctx, baselineTraces(b), training, all)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		figures.Method, figures.Citation = b.name, b.citation
		r.OneClass = append(r.OneClass, *figures)
	}
	return nil
}

// figures measures one method.
func (a *adfaldRun) figures(ctx context.Context, m traceMethod, training []adfald.Trace, all *traceRows) (*TraceFigures, []float64, error) {
	scores, err := m(ctx, training, all.traces)
	if err != nil {
		return nil, nil, err
	}
	a.step()
	threshold, err := m.threshold(ctx, training, a.opts.Folds, a.step)
	if err != nil {
		return nil, nil, err
	}
	f := &TraceFigures{}
	if f.Published, err = all.rank(scores, threshold, a.opts.Bootstrap); err != nil {
		return nil, nil, err
	}
	unique := all.unique(training)
	own := pickFloat(scores, unique.from)
	if f.Deduplicated, err = unique.rank(own, threshold, a.opts.Bootstrap); err != nil {
		return nil, nil, err
	}
	f.Kinds, err = unique.kinds(own, a.opts.Bootstrap)
	return f, scores, err
}

// uniqueRows are rows without repeats, with their places among the rows that they
// come from.
type uniqueRows struct {
	traceRows
	from []int
}

// unique leaves out repeats, and normal traces that training has too.
func (r *traceRows) unique(training []adfald.Trace) *uniqueRows {
	seen := map[string]bool{}
	for i := range training {
		seen[training[i].Key()] = true
	}
	u := &uniqueRows{}
	for i := range r.traces {
		key := r.traces[i].Key()
		if seen[key] {
			continue
		}
		seen[key] = true
		u.traces, u.attack, u.cluster = append(u.traces, r.traces[i]), append(u.attack, r.attack[i]), append(u.cluster, r.cluster[i])
		u.from = append(u.from, i)
	}
	return u
}

func pickFloat(values []float64, at []int) []float64 {
	out := make([]float64, len(at))
	for i, from := range at {
		out[i] = values[from]
	}
	return out
}

// rank reads the figures off the scores of rows.
func (r *traceRows) rank(scores []float64, threshold float64, opts BootstrapOptions) (TraceRanking, error) {
	ranking, err := NewRanking(scores, r.attack, r.cluster)
	if err != nil {
		return TraceRanking{}, err
	}
	grid := Grid{FPRs: []float64{falseAlerts}}
	s, intervals := ranking.Summarize(grid), ranking.Bootstrap(grid, opts)
	out := TraceRanking{AUROC: figure(s.AUROC, intervals.AUROC), AUPRC: figure(s.AUPRC, intervals.AUPRC),
		Recall: figure(s.Rates[0].Recall, intervals.Recalls[0])}
	for i, score := range scores {
		above := 0.0
		if score > threshold {
			above = 1
		}
		if r.attack[i] {
			out.Attack++
			out.Found += above
		} else {
			out.Normal++
			out.FalseAlerts += above
		}
	}
	out.Found /= float64(max(out.Attack, 1))
	out.FalseAlerts /= float64(max(out.Normal, 1))
	return out, nil
}

// figure is an estimate, 0 where there is none.
func figure(value float64, interval *[2]float64) Estimate {
	if e := estimate(value, interval); e != nil {
		return *e
	}
	return Estimate{}
}

// kinds ranks each kind of attack against all normal rows.
func (r *traceRows) kinds(scores []float64, opts BootstrapOptions) (out []KindFigures, err error) {
	names := map[string]bool{}
	for i := range r.traces {
		if r.attack[i] {
			names[r.traces[i].Kind] = true
		}
	}
	for _, kind := range sorted(names) {
		var part traceRows
		var own []float64
		for i := range r.traces {
			if !r.attack[i] || r.traces[i].Kind == kind {
				part.attack, part.cluster, own = append(part.attack, r.attack[i]), append(part.cluster, r.cluster[i]), append(own, scores[i])
			}
		}
		ranking, err := part.rank(own, math.Inf(1), opts)
		if err != nil {
			return nil, err
		}
		out = append(out, KindFigures{kind, ranking.Attack, ranking.AUROC, ranking.Recall})
	}
	return out, nil
}

// poison measures what attack traces in the learning time cost: the same traces
// are measured with and without.
func (a *adfaldRun) poison(ctx context.Context, r *ADFALDReport) error {
	if a.opts.Poison == 0 {
		return nil
	}
	training := adfald.Unique(a.set.Part(adfald.Training))
	with, left, err := poisoned(training, adfald.Unique(a.set.Part(adfald.Attack), training), a.opts.Poison)
	if err != nil {
		return err
	}
	rows := newTraceRows(adfald.Unique(a.set.Part(adfald.Validation), training), left)
	cost := &PoisonCost{Share: a.opts.Poison, Traces: len(with) - len(training)}
	method := mayflyTraces(a.isolation(0), true)
	for _, side := range []struct {
		learn []adfald.Trace
		to    *TraceRanking
	}{{training, &cost.Clean}, {with, &cost.With}} {
		scores, err := method(ctx, side.learn, rows.traces)
		if err != nil {
			return fmt.Errorf("poison: %w", err)
		}
		threshold, err := method.threshold(ctx, side.learn, a.opts.Folds, func() {})
		if err != nil {
			return fmt.Errorf("poison: %w", err)
		}
		if *side.to, err = rows.rank(scores, threshold, a.opts.Bootstrap); err != nil {
			return err
		}
	}
	r.Poison = cost
	return nil
}

// leaked names a trace that stands on both sides, "" where there is none.
func leaked(learn, score []adfald.Trace) string {
	known := map[string]bool{}
	for i := range learn {
		known[learn[i].Key()] = true
	}
	if i := slices.IndexFunc(score, func(t adfald.Trace) bool { return known[t.Key()] }); i >= 0 {
		return score[i].ContainerID()
	}
	return ""
}

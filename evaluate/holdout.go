package evaluate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"mayfly/detector"
	"mayfly/feature"
)

// SplitOptions say how FEATURES and labels of one's own are split and measured.
type SplitOptions struct {
	Detector     detector.Options // Seed and Threads count
	Labels       string           // path of a file of labels, which must be there
	LeaveOut     bool             // leave one attack out, instead of holding containers back
	Holdout      float64          // (0,1): share of the containers that are measured on
	Seeds        int              // at least 1
	Baselines    bool
	Poison       float64 // [0,1): share of the training windows that are attacks taken as normal
	AllowLeakage bool
	Measure      MeasureOptions
	Progress     func(done, total int) // told after each split of each seed; may be nil
}

// SplitReport is the outcome of a protocol over FEATURES and labels.
type SplitReport struct {
	Format   string        `json:"format"` // "mayfly split"
	Version  int           `json:"version"`
	Protocol string        `json:"protocol"`
	Engine   string        `json:"engine"`
	Seed     uint64        `json:"seed"`
	Splits   []SplitResult `json:"splits"`
	Seeds    *Spread       `json:"mean_auroc_over_seeds"`
	Leaks    []string      `json:"leaks"` // allowed ones
}

// SplitResult is one split: one attack left out, or the holdout.
type SplitResult struct {
	Name    string        `json:"name"`
	Train   int           `json:"train_containers"`
	Test    int           `json:"test_containers"`
	Methods []SplitFigure `json:"methods"` // mayfly first
}

// SplitFigure is what one method did on the test side. What rests on a threshold
// is null for a baseline, but for golearn's forest.
type SplitFigure struct {
	Method string    `json:"method"`
	AUROC  *Estimate `json:"auroc"`
	AUPRC  *Estimate `json:"auprc"`
	// PrecisionAtK is the share of attack windows among the K highest, K being how
	// many attack windows there are.
	PrecisionAtK *float64 `json:"precision_at_k"`
	FPR          *float64 `json:"fpr"`
	// The LID-DS's figures: attacks with an alarm, and runs of false alarms, each
	// counted once (Grimmer and others, Dataset Report: LID-DS 2021, CRITIS 2022).
	Found                  *int     `json:"attacks_found"`
	Attacks                *int     `json:"attacks"`
	ConsecutiveFalseAlarms *int     `json:"consecutive_false_alarms"`
	MeanTimeToDetectS      *float64 `json:"mean_time_to_detect_s"` // of those found
}

// SplitProtocol is one of the two protocols in a sentence.
func (o *SplitOptions) protocol() string {
	if o.LeaveOut {
		return "leave-one-attack-out: every container that the attack touched is measured on, and a share of those that none did; the rest is learned from"
	}
	return "holdout: a share of the containers is measured on, the rest is learned from"
}

// RunSplit measures detectors made for the purpose. Containers stand on one side
// whole. A split with a leak is refused unless leaks are allowed.
func RunSplit(ctx context.Context, features []string, opts SplitOptions) (*SplitReport, error) {
	if !(opts.Holdout > 0 && opts.Holdout < 1) || opts.Seeds < 1 || !(opts.Poison >= 0 && opts.Poison < 1) {
		return nil, fmt.Errorf("split: want a holdout in (0,1), a seed, and poison in [0,1), got %g, %d and %g", opts.Holdout, opts.Seeds, opts.Poison)
	}
	labels, err := feature.OpenLabels(opts.Labels)
	if err != nil {
		return nil, err
	}
	var files []*feature.File
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
	}
	all, err := survey(ctx, files, labels)
	if err != nil {
		return nil, err
	}
	if len(all.attackNames()) == 0 {
		return nil, fmt.Errorf("%s: no window lies in a label: nothing to measure", opts.Labels)
	}
	return all.run(ctx, opts)
}

func (s *lives) run(ctx context.Context, opts SplitOptions) (*SplitReport, error) {
	r := &SplitReport{Format: "mayfly split", Version: ReportVersion, Protocol: opts.protocol(), Engine: opts.Detector.Engine,
		Seed: opts.Detector.Seed, Leaks: []string{}}
	var means []float64
	for seed := range opts.Seeds {
		own := opts
		own.Detector.Seed += uint64(seed)
		splits, err := s.splits(own)
		if err != nil {
			return nil, err
		}
		mean, n := 0.0, 0.0
		for i, p := range splits {
			leaks := s.leaks(p)
			if len(leaks) > 0 && !opts.AllowLeakage {
				return nil, fmt.Errorf("split %q leaks: %s on both sides (--allow-leakage measures all the same)", p.name, leaks[0])
			}
			result, err := s.measure(ctx, p, own, seed == 0)
			if err != nil {
				return nil, fmt.Errorf("split %q: %w", p.name, err)
			}
			if opts.Progress != nil {
				opts.Progress(seed*len(splits)+i+1, opts.Seeds*len(splits))
			}
			if result.Methods[0].AUROC != nil {
				mean, n = mean+result.Methods[0].AUROC.Value, n+1
			}
			if seed == 0 {
				r.Splits, r.Leaks = append(r.Splits, *result), append(r.Leaks, leaks...)
			}
		}
		if n > 0 {
			means = append(means, mean/n)
		}
	}
	r.Seeds = newSpread(means)
	return r, nil
}

func (s *lives) splits(opts SplitOptions) ([]*split, error) {
	if !opts.LeaveOut {
		return []*split{s.holdout(opts.Holdout, opts.Detector.Seed)}, nil
	}
	var out []*split
	for _, attack := range s.attackNames() {
		p, err := s.leaveOut(attack, opts.Holdout, opts.Detector.Seed, opts.Poison > 0)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// measure fits on one side and measures on the other.
func (s *lives) measure(ctx context.Context, p *split, opts SplitOptions, everything bool) (*SplitResult, error) {
	out := &SplitResult{Name: p.name}
	var labels []feature.Label // of the test side
	for _, l := range s.all {
		if p.test[l] {
			out.Test++
			labels = append(labels, l.labels...)
		} else {
			out.Train++
		}
	}
	if out.Train == 0 || out.Test == 0 {
		return nil, errors.New("one container makes no two sides")
	}
	figures := func(name string, poison map[place]bool) error {
		f, err := s.mayfly(ctx, p, labels, poison, opts)
		if err == nil {
			f.Method = name
			out.Methods = append(out.Methods, *f)
		}
		return err
	}
	if err := figures("mayfly", nil); err != nil {
		return nil, err
	}
	if opts.Poison > 0 {
		poison, err := s.poisoned(ctx, p, opts)
		if err != nil {
			return nil, err
		}
		if err := figures(fmt.Sprintf("mayfly, %d attack windows learned as normal", len(poison)), poison); err != nil {
			return nil, err
		}
	}
	if opts.Baselines && everything {
		more, err := s.baselines(ctx, p, labels, opts)
		if err != nil {
			return nil, err
		}
		out.Methods = append(out.Methods, more...)
	}
	return out, nil
}

// place is one window.
type place struct {
	of      *life
	startNS int64
}

// classOf tells what a window of the training side is learned as.
func (s *lives) classOf(w *feature.Window, l *life, aftermath time.Duration) detector.Class {
	class := detector.Normal
	for _, label := range l.labels {
		if label.Covers(w) {
			return detector.Attack
		}
		label.ToNS += aftermath.Nanoseconds()
		if label.Covers(w) {
			class = detector.Neither
		}
	}
	return class
}

// poisoned chooses attack windows of the training side, in the order of the files,
// until they make up the share.
func (s *lives) poisoned(ctx context.Context, p *split, opts SplitOptions) (map[place]bool, error) {
	chosen, normals := map[place]bool{}, 0
	var candidates []place
	for w, err := range feature.Each(s.records(func(l *life) bool { return !p.test[l] })(ctx)) {
		if err != nil {
			return nil, err
		}
		switch l := s.of(w); s.classOf(w, l, opts.Measure.Aftermath) {
		case detector.Normal:
			normals++
		case detector.Attack:
			if p.poison[l] {
				candidates = append(candidates, place{l, w.StartNS})
			}
		}
	}
	want := int(math.Ceil(opts.Poison / (1 - opts.Poison) * float64(normals)))
	for _, c := range candidates[:min(want, len(candidates))] {
		chosen[c] = true
	}
	if len(chosen) == 0 {
		return nil, errors.New("poison: the training side has no attack window")
	}
	return chosen, nil
}

func (s *lives) mayfly(ctx context.Context, p *split, labels []feature.Label, poison map[place]bool, opts SplitOptions) (*SplitFigure, error) {
	clean := func(l *life) bool { return !p.test[l] && (poison != nil || !opts.LeaveOut || !p.poison[l]) }
	d, err := detector.Fit(ctx, detector.Training{
		Windows: s.records(clean),
		Class: func(w *feature.Window) detector.Class {
			l := s.of(w)
			if poison[place{l, w.StartNS}] {
				return detector.Normal
			}
			return s.classOf(w, l, opts.Measure.Aftermath)
		},
	}, opts.Detector)
	if err != nil {
		return nil, err
	}
	scored, err := Score(ctx, d, s.records(func(l *life) bool { return p.test[l] })(ctx), labels, opts.Detector.Threads)
	if err != nil {
		return nil, err
	}
	return splitFigure(scored, p, labels, opts, true)
}

// splitFigure measures scored windows. Where one attack is left out, the windows of
// others and of their aftermath count as neither.
func splitFigure(w *Windows, p *split, labels []feature.Label, opts SplitOptions, threshold bool) (*SplitFigure, error) {
	if opts.LeaveOut {
		var own, others []feature.Label
		for _, l := range labels {
			if l.Attack == p.name {
				own = append(own, l)
			} else {
				others = append(others, l)
			}
		}
		labels = own
		for i, c := range classify(w, assign(w.Containers, others), others, opts.Measure.Aftermath.Nanoseconds()) {
			w.Rows[i].Trained = c != normal
		}
	}
	report, err := Measure(w, labels, opts.Measure)
	if err != nil {
		return nil, err
	}
	f := &SplitFigure{AUROC: report.AUROC, AUPRC: report.AUPRC}
	classes := classify(w, assign(w.Containers, labels), labels, opts.Measure.Aftermath.Nanoseconds())
	f.PrecisionAtK = precisionAtK(w, classes)
	if !threshold {
		return f, nil
	}
	total, runs := report.Found+report.Missed, consecutiveFalseAlarms(w, classes)
	f.FPR, f.Found, f.Attacks, f.ConsecutiveFalseAlarms = report.AtThreshold.FPR, &report.Found, &total, &runs
	sum, n := 0.0, 0.0
	for _, a := range report.Attacks {
		if a.TimeToDetectS != nil {
			sum, n = sum+*a.TimeToDetectS, n+1
		}
	}
	f.MeanTimeToDetectS = finite(sum / n)
	return f, nil
}

package evaluate

import (
	"context"
	"fmt"

	"mayfly/datasets/adfald"
	"mayfly/detector"
)

// SupervisedFigures are the outcome of leaving one kind of attack out.
type SupervisedFigures struct {
	Method      string        `json:"method"`
	Normal      int           `json:"normal"` // traces
	MeanAUROC   float64       `json:"mean_auroc"`
	Seeds       *Spread       `json:"mean_auroc_over_seeds"`
	Kinds       []KindFigures `json:"kinds"`
	Calibration Calibration   `json:"calibration"`
}

// supervisedFits is how many forests one kind and fold takes: the one that is
// measured, and one for the probabilities.
const supervisedFits = 2

// supervised goes through every kind and fold.
func (a *adfaldRun) supervised(ctx context.Context) (SupervisedFigures, error) {
	var out SupervisedFigures
	var means []float64
	for seed := range a.opts.Seeds {
		one, err := a.supervisedSeed(ctx, seed)
		if err != nil {
			return out, err
		}
		if means = append(means, one.MeanAUROC); seed == 0 {
			out = one
		}
	}
	out.Seeds = newSpread(means)
	return out, nil
}

func (a *adfaldRun) supervisedSeed(ctx context.Context, seed int) (SupervisedFigures, error) {
	normal := adfald.Unique(append(a.set.Part(adfald.Training), a.set.Part(adfald.Validation)...))
	attack := adfald.Unique(a.set.Part(adfald.Attack), normal)
	out := SupervisedFigures{Method: "mayfly, random forest", Normal: len(normal)}
	opts := a.opts.Detector
	opts.Engine, opts.Seed = detector.Random, opts.Seed+uint64(seed)
	opts.Trim = 0 // labels tell what is odd
	var probabilities []float64
	var truth []bool
	for _, kind := range a.set.Kinds() {
		kinds := &leaveKindOut{normal: normal, attack: attack, kind: kind, folds: a.opts.Folds, method: mayflyTraces(opts, false)}
		rows, scores, calibrated, err := kinds.run(ctx, a.step)
		if err != nil {
			return out, fmt.Errorf("without %s: %w", kind, err)
		}
		bootstrap := a.opts.Bootstrap
		if seed > 0 {
			bootstrap.Resamples = 0
		}
		figures, err := rows.kinds(scores, bootstrap)
		if err != nil {
			return out, err
		}
		out.Kinds = append(out.Kinds, figures[0])
		out.MeanAUROC += figures[0].AUROC.Value / float64(len(a.set.Kinds()))
		probabilities, truth = append(probabilities, calibrated...), append(truth, rows.attack...)
	}
	out.Calibration = measureCalibration(probabilities, truth)
	return out, nil
}

// leaveKindOut is one kind held out.
type leaveKindOut struct {
	normal, attack []adfald.Trace
	kind           string
	folds          int
	method         traceMethod
}

// run scores each normal trace and each attack of the kind once. calibrated are
// the same scores as probabilities.
func (l *leaveKindOut) run(ctx context.Context, done func()) (*traceRows, []float64, []float64, error) {
	var others, own []adfald.Trace
	for _, t := range l.attack {
		if t.Kind == l.kind {
			own = append(own, t)
		} else {
			others = append(others, t)
		}
	}
	rows := newTraceRows(l.normal, own)
	fold := append(folds(len(l.normal), l.folds), folds(len(own), l.folds)...)
	scores, calibrated := make([]float64, len(fold)), make([]float64, len(fold))
	for f := range l.folds {
		var learn, score []adfald.Trace
		var at []int
		for i, t := range rows.traces {
			if fold[i] == f {
				score, at = append(score, t), append(at, i)
			} else if !rows.attack[i] {
				learn = append(learn, t)
			}
		}
		if name := leaked(append(learn, others...), score); name != "" {
			return nil, nil, nil, fmt.Errorf("trace %s stands on both sides", name)
		}
		part, err := l.method(ctx, append(learn, others...), score)
		if err != nil {
			return nil, nil, nil, err
		}
		done()
		probability, err := l.calibrate(ctx, learn, others)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("calibrate: %w", err)
		}
		done()
		for i, to := range at {
			scores[to], calibrated[to] = part[i], probability.of(part[i])
		}
	}
	return rows, scores, calibrated, nil
}

// calibrate learns what a score means from traces that training has: every fourth
// normal trace and one kind of attack (where there is only one, half of its
// sessions) are held out of a forest like the one that is measured, so that the
// probabilities are of a kind never seen.
func (l *leaveKindOut) calibrate(ctx context.Context, normal, attack []adfald.Trace) (*platt, error) {
	held := func(t adfald.Trace) bool { return t.Kind == attack[len(attack)-1].Kind }
	if attack[0].Kind == attack[len(attack)-1].Kind { // they are in the order of their kinds
		held = func(t adfald.Trace) bool { return sessionNumber(t)%2 == 0 }
	}
	var learn, score []adfald.Trace
	var truth []bool
	const heldOut = 4 // one in so many
	fold := folds(len(normal), heldOut)
	for i, t := range normal {
		if fold[i] == 0 {
			score, truth = append(score, t), append(truth, false)
		} else {
			learn = append(learn, t)
		}
	}
	for _, t := range attack {
		if held(t) {
			score, truth = append(score, t), append(truth, true)
		} else {
			learn = append(learn, t)
		}
	}
	scores, err := l.method(ctx, learn, score)
	if err != nil {
		return nil, err
	}
	return fitPlatt(scores, truth, heldOut), nil
}

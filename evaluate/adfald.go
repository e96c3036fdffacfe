package evaluate

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/datasets/adfald"
	"mayfly/detector"
	"mayfly/feature"
)

// ADFALDOptions say how the protocols of ADFA-LD are gone through.
type ADFALDOptions struct {
	Detector  detector.Options // Seed and Threads count; Engine does not: each protocol has its own
	Seeds     int              // how many seeds, from Detector.Seed on; at least 1
	Folds     int              // of normal traces, for the threshold and for the supervised protocol; at least 2
	Baselines bool             // measure the methods of the literature too
	Poison    float64          // [0,1): share of attack traces in the normal training traces, labelled as normal
	Bootstrap BootstrapOptions
	Progress  func(done, total int) // told after each model; may be nil
}

// DefaultADFALDOptions use one seed and five folds.
func DefaultADFALDOptions() ADFALDOptions {
	return ADFALDOptions{Detector: detector.DefaultOptions(), Seeds: 1, Folds: 5, Bootstrap: DefaultBootstrapOptions()}
}

// ADFALDProtocol is what is done, in one paragraph.
const ADFALDProtocol = "One class: the 833 training traces (the 780 different ones) are all that is learned from; every trace of validation " +
	"and of attacks is scored, a trace's score being the mean over its windows of some 256 calls. As published: all 4,372 and 413 traces. " +
	"Deduplicated: each different trace once, without those that training has. The threshold for 20 % false alerts comes from training " +
	"traces alone, each scored by a model that did not see it. Supervised: one kind of attack is held out, normal traces (training and " +
	"validation together, each different one once) are cut into five folds; a forest learns from the other kinds and four folds, so that " +
	"every trace is scored once by a forest that saw neither it nor an attack of its kind."

// falseAlerts is the share of normal traces that the protocols let alarm.
const falseAlerts = 0.20

// traceRows are traces to be measured, with what is known of them.
type traceRows struct {
	traces  []adfald.Trace
	attack  []bool
	cluster []int32 // traces that resemble each other: the same session, the same calls
}

func newTraceRows(normal, attack []adfald.Trace) *traceRows {
	r := &traceRows{traces: slices.Concat(normal, attack)}
	clusters := map[string]int32{}
	for i := range r.traces {
		t := &r.traces[i]
		key := "session " + t.Session
		if t.Part != adfald.Attack {
			key = "calls " + t.Key()
		}
		if _, ok := clusters[key]; !ok {
			clusters[key] = int32(len(clusters))
		}
		r.attack, r.cluster = append(r.attack, t.Part == adfald.Attack), append(r.cluster, clusters[key])
	}
	return r
}

// traceMethod learns from normal traces and scores others.
type traceMethod func(ctx context.Context, normal, score []adfald.Trace) ([]float64, error)

// mayflyTraces is a detector as a traceMethod. Attack traces among those learned
// from are attacks to a random forest; relabel makes them normal.
func mayflyTraces(opts detector.Options, relabel bool) traceMethod {
	return func(ctx context.Context, learn, score []adfald.Trace) ([]float64, error) {
		attacks := map[string]bool{}
		for i := range learn {
			if learn[i].Part == adfald.Attack && !relabel {
				attacks[learn[i].ContainerID()] = true
			}
		}
		d, err := detector.Fit(ctx, detector.Training{
			Windows: func(ctx context.Context) iter.Seq2[arrow.Record, error] { return adfald.Records(ctx, learn) },
			Class: func(w *feature.Window) detector.Class {
				if attacks[w.ContainerID] {
					return detector.Attack
				}
				return detector.Normal
			},
		}, opts)
		if err != nil {
			return nil, err
		}
		return traceScores(ctx, d, score, opts.Threads)
	}
}

// traceScores gives each trace the mean score of its windows: an attack's program
// is foreign all along, and a mean does not grow with the length of a trace as a
// maximum does.
func traceScores(ctx context.Context, d *detector.Detector, traces []adfald.Trace, threads int) ([]float64, error) {
	scorer := d.NewScorer(threads)
	var windows []float64
	for rec, err := range adfald.Records(ctx, traces) {
		if err != nil {
			return nil, err
		}
		scored, err := scorer.Score(rec)
		if err != nil {
			return nil, err
		}
		for _, s := range scored.Scores {
			windows = append(windows, float64(s))
		}
		scored.Release()
	}
	out := make([]float64, len(traces))
	for i := range traces {
		n := traces[i].Windows()
		for _, s := range windows[:n] {
			out[i] += s / float64(n)
		}
		windows = windows[n:]
	}
	return out, nil
}

// baselineTraces is a baseline as a traceMethod.
func baselineTraces(b baseline) traceMethod {
	return func(_ context.Context, normal, score []adfald.Trace) ([]float64, error) {
		m, out := b.new(), make([]float64, len(score))
		for i := range normal {
			s := traceSample(normal[i].Calls)
			m.learn(&s)
		}
		for i := range score {
			s := traceSample(score[i].Calls)
			out[i] = m.score(&s)
		}
		return out, nil
	}
}

// folds deals n traces out by a fixed shuffle.
func folds(n, k int) []int {
	fold := make([]int, n)
	for i := range fold {
		// Traces that follow each other resemble each other; a multiplicative
		// hash scatters them, the same way each time.
		fold[i] = int(uint32(i+1) * 2654435761 >> 16 % uint32(k))
	}
	return fold
}

// threshold is the score that falseAlerts of the training traces exceed, each
// scored by a model that did not see it.
func (m traceMethod) threshold(ctx context.Context, training []adfald.Trace, k int, done func()) (float64, error) {
	fold, scores := folds(len(training), k), []float64{}
	for f := range k {
		var learn, score []adfald.Trace
		for i := range training {
			if fold[i] == f {
				score = append(score, training[i])
			} else {
				learn = append(learn, training[i])
			}
		}
		part, err := m(ctx, learn, score)
		if err != nil {
			return 0, err
		}
		scores = append(scores, part...)
		done()
	}
	slices.Sort(scores)
	return scores[len(scores)-1-int(math.Floor(falseAlerts*float64(len(scores))))], nil
}

// poisoned adds attack traces to the training traces, so that they make up the
// share, and returns what is left of the attacks: of each session that a trace
// was taken from, no other trace is measured.
func poisoned(training, attack []adfald.Trace, share float64) (with, left []adfald.Trace, err error) {
	want := int(math.Round(share * float64(len(training)) / (1 - share)))
	sessions := map[string][]adfald.Trace{}
	var names []string
	for _, t := range attack {
		if sessions[t.Session] == nil {
			names = append(names, t.Session)
		}
		sessions[t.Session] = append(sessions[t.Session], t)
	}
	slices.SortStableFunc(names, func(a, b string) int { return sessionNumber(sessions[a][0]) - sessionNumber(sessions[b][0]) }) // kinds take turns
	with = slices.Clone(training)
	taken := map[string]bool{}
	for _, name := range names {
		if len(with)-len(training) >= want {
			break
		}
		taken[name] = true
		for _, t := range sessions[name] {
			if len(with)-len(training) < want {
				with = append(with, t)
			}
		}
	}
	left = slices.DeleteFunc(slices.Clone(attack), func(t adfald.Trace) bool { return taken[t.Session] })
	if len(left) == 0 {
		return nil, nil, fmt.Errorf("poison: %g of the training traces leave no attack to measure", share)
	}
	return with, left, nil
}

// sessionNumber is the number of an attack trace's session.
func sessionNumber(t adfald.Trace) (n int) {
	_, _ = fmt.Sscanf(t.Session[len(t.Kind)+1:], "%d", &n) // adfald.Open let no other through
	return n
}

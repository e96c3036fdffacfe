package evaluate

import (
	"context"
	"fmt"
	"math"

	"mayfly/detector"
	"mayfly/feature"
)

// baselines measures golearn's forest and the methods of the literature on windows. A
// method that wants an order of calls is left out where windows have none.
func (s *lives) baselines(ctx context.Context, p *split, labels []feature.Label, opts SplitOptions) ([]SplitFigure, error) {
	var out []SplitFigure
	if opts.Detector.Engine != detector.Golearn {
		golearn := opts
		golearn.Detector.Engine, golearn.Detector.Trim = detector.Golearn, 0
		f, err := s.mayfly(ctx, p, labels, nil, golearn)
		if err != nil {
			return nil, fmt.Errorf("golearn: %w", err)
		}
		f.Method = golearnMethod
		out = append(out, *f)
	}
	methods := baselines(3)
	learners, learned, ordered := newLearners(methods), 0, false
	for w, err := range feature.Each(s.records(func(l *life) bool { return !p.test[l] })(ctx)) {
		if err != nil {
			return nil, err
		}
		if s.classOf(w, s.of(w), opts.Measure.Aftermath) == detector.Normal && len(w.Calls) > 0 {
			own := windowSample(w)
			for _, m := range learners {
				m.learn(&own)
			}
			learned, ordered = learned+1, ordered || len(w.Trigrams) > 0
		}
	}
	if learned == 0 {
		return out, nil
	}
	scored, scores, err := s.scoreLearners(ctx, p, learners)
	if err != nil {
		return nil, err
	}
	for i, b := range methods {
		if b.ordered && !ordered {
			continue
		}
		for row := range scored.Rows {
			scored.Rows[row].Score = scores[i][row]
		}
		f, err := splitFigure(scored, p, labels, opts, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.name, err)
		}
		f.Method = b.name
		out = append(out, *f)
	}
	return out, nil
}

func newLearners(of []baseline) []learner {
	out := make([]learner, len(of))
	for i, b := range of {
		out[i] = b.new()
	}
	return out
}

// scoreLearners scores the test side by all of them; scores[i] are learner i's, beside
// the rows.
func (s *lives) scoreLearners(ctx context.Context, p *split, learners []learner) (*Windows, [][]float64, error) {
	out, at := &Windows{Threshold: math.Inf(1)}, map[*life]int32{}
	scores := make([][]float64, len(learners))
	for w, err := range feature.Each(s.records(func(l *life) bool { return p.test[l] })(ctx)) {
		if err != nil {
			return nil, nil, err
		}
		l := s.of(w)
		if _, ok := at[l]; !ok {
			at[l] = int32(len(out.Containers))
			out.Containers = append(out.Containers, l.Container)
		}
		out.Rows = append(out.Rows, Scored{Container: at[l], StartNS: w.StartNS, WidthNS: w.WidthNS})
		own := windowSample(w)
		for i, m := range learners {
			score := 0.0
			if len(own.bag) > 0 {
				score = m.score(&own)
			}
			scores[i] = append(scores[i], score)
		}
	}
	return out, scores, nil
}

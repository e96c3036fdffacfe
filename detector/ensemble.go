package detector

import (
	"errors"
	"math"

	"mayfly/feature"
	"mayfly/forest"
)

// ensemble is isolation forests over families of features. One forest over all of
// them dilutes: a split takes a feature at random, so the two or three that see an
// attack hardly count among a hundred. Each forest's score is turned into how rare
// it is among normal windows (surprise), and the rarest counts:
//
//	score = nats / (1 + nats),  nats = max over the forests of -ln(share of windows) + ln(weight)
//
// This is Bonferroni's combination of p-values with weights (Genovese, Roeder,
// Wasserman, "False discovery control with p-value weighting", Biometrika 2006): a
// forest's weight is the part of the false alarms that it may spend.
type ensemble struct {
	features int
	members  []familyForest
}

// familyForest is a forest over some of the features.
type familyForest struct {
	columns  []int // of the features, ascending
	weight   float64
	surprise *surprise
	forest   *forest.Isolation
}

// share is a family of features and what its forest may spend.
type share struct {
	family string // "": all
	weight float64
}

// jointShare is the weight of the joint features by themselves, since they carry
// most where they are well founded; all features together have the rest, for what
// only events, orders and long time scales show.
const jointShare = 0.75

// shares are the members for a space: the joint features count as far as they are
// founded on enough windows.
func shares(space *feature.Space) []share {
	joint := jointShare * space.JointSupport()
	if joint < 0.01 {
		return []share{{"", 1}}
	}
	return []share{{"joint", joint}, {"", 1 - joint}}
}

// columnsOf are the places of a family's features.
func columnsOf(family string, all []feature.Feature) (at []int) {
	for i, f := range all {
		if family == "" || f.Family == family {
			at = append(at, i)
		}
	}
	return at
}

// only is the rows with some of their columns.
func (r *rows) only(columns []int) *rows {
	out := *r
	out.columns = make([][]float32, len(columns))
	for i, c := range columns {
		out.columns[i] = r.columns[c]
	}
	return &out
}

// ensemble grows the members, and returns them with the scores of the normal rows,
// each scored by forests that grew without the row's part.
func (r *rows) ensemble(opts Options, space *feature.Space) (*ensemble, []float64, error) {
	all := space.Features()
	e := &ensemble{features: len(all)}
	var nats []float64
	for _, f := range shares(space) {
		m := familyForest{columns: columnsOf(f.family, all), weight: f.weight}
		own := r.only(m.columns)
		grown, err := own.fit(opts, nil)
		if err != nil {
			return nil, nil, err
		}
		m.forest = grown.(*forest.Isolation)
		scores, err := own.heldOutScores(opts)
		if err != nil {
			return nil, nil, err
		}
		m.surprise = newSurprise(scores)
		if nats == nil {
			nats = make([]float64, len(scores))
		}
		for i, s := range scores {
			nats[i] = max(nats[i], m.nats(s))
		}
		e.members = append(e.members, m)
	}
	for i, v := range nats {
		nats[i] = float64(natsScore(v))
	}
	return e, nats, nil
}

// nats is how rare a score of the forest is, given what it may spend.
func (m *familyForest) nats(score float64) float64 {
	return m.surprise.nats(score) + math.Log(m.weight)
}

// natsScore maps [0, ∞) to [0, 1).
func natsScore(nats float64) float32 {
	nats = max(nats, 0)
	return float32(nats / (1 + nats))
}

// Score is forest.Isolation's, with the score of ensemble.
func (e *ensemble) Score(x [][]float32, out []float32, threads int) error {
	if len(x) != e.features {
		return errors.New("ensemble: columns are not those of training")
	}
	nats, scores := make([]float64, len(out)), make([]float32, len(out))
	for i := range e.members {
		m := &e.members[i]
		if err := m.forest.Score(m.take(x), scores, threads); err != nil {
			return err
		}
		for k, s := range scores {
			nats[k] = max(nats[k], m.nats(float64(s)))
		}
	}
	for k, v := range nats {
		out[k] = natsScore(v)
	}
	return nil
}

func (m *familyForest) take(x [][]float32) [][]float32 {
	own := make([][]float32, len(m.columns))
	for i, c := range m.columns {
		own[i] = x[c]
	}
	return own
}

// Contributions are those of the forest whose nats count, to its path's length.
func (e *ensemble) Contributions(row []float32, out []float64) (base float64, err error) {
	if len(row) != e.features || len(out) != e.features {
		return 0, errors.New("ensemble: columns are not those of training")
	}
	best, most := 0, math.Inf(-1)
	column, score := make([][]float32, len(row)), make([]float32, 1)
	for c := range row {
		column[c] = row[c : c+1]
	}
	for i := range e.members {
		m := &e.members[i]
		if err := m.forest.Score(m.take(column), score, 1); err != nil {
			return 0, err
		}
		if v := m.nats(float64(score[0])); v > most {
			best, most = i, v
		}
	}
	m := &e.members[best]
	own, part := make([]float32, len(m.columns)), make([]float64, len(m.columns))
	for i, c := range m.columns {
		own[i] = row[c]
	}
	if base, err = m.forest.Contributions(own, part); err != nil {
		return 0, err
	}
	clear(out)
	for i, c := range m.columns {
		out[c] = part[i]
	}
	return base, nil
}

// Features is how many columns it scores.
func (e *ensemble) Features() int { return e.features }

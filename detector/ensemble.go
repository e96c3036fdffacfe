package detector

import (
	"errors"
	"math"
	"slices"

	"mayfly/feature"
	"mayfly/forest"
)

// ensemble is isolation forests over families of features. One forest over all of
// them dilutes: a split takes a feature at random, so the two or three that see an
// attack hardly count among a hundred. Each forest's score is turned into how rare
// it is among normal windows (surprise), and the rarest counts:
//
//	score = nats / (1 + nats),  nats = ln Σ weight / share of windows
//
// This is the harmonic mean of p-values (Wilson, "The harmonic mean p-value for
// combining dependent tests", PNAS 116, 2019), weights summing to 1: a forest's
// weight is the part of the false alarms that it may spend. Where something is rare
// it is nearly the weighted minimum (Bonferroni's), and unlike that it tells
// usual windows apart too.
type ensemble struct {
	features int
	members  []familyForest
}

// familyForest is a forest over some of the features, or one feature by itself.
type familyForest struct {
	columns  []int     // of the features, ascending
	floors   []float32 // beside columns: what is less counts as this; may be minus infinity
	weight   float64
	surprise *surprise
	forest   *forest.Isolation // nil: the one feature is bits
}

// share is a family of features and what its forest may spend.
type share struct {
	family string // "": all but mix and rarity
	weight float64
	// oneSided makes what is less than usual as good as usual. A forest finds a
	// window odd that lies nearer to what was learned than others do; no attack is.
	oneSided bool
}

// jointShare is the weight of the joint features by themselves, since they carry
// most where they are well founded. The rest is dealt out to the way to the
// nearest learned window, the order of calls, and all features together, for what
// only events and long time scales show.
const jointShare = 0.75

// rarityShare is the weight of what is new, where events are known: it speaks
// seldom, and then plainly, while the oddest of usual windows are so to the others
// (evaluate/RESULTS.md has 0.75, 0.9 and 0.95).
const rarityShare = 0.9

// shares are the members for a space and its training rows. The joint features
// count as far as they are founded: on enough windows, and on work that repeats
// itself, for they hold all windows for one cloud, which those of a container that
// runs many programs are not. A family of which training knows nothing leaves its
// part to the others.
func (r *rows) shares(space *feature.Space) []share {
	joint := jointShare * space.JointSupport() * r.repetition(space.Features())
	out := []share{{"", 0.2, false}}
	if joint >= 0.01 {
		out = []share{{"joint", joint, false}, {"", 0.2, false}}
	} else {
		joint = 0
	}
	for _, s := range []share{{"nearest", 0.5, true}, {"sequence", 0.3, true}} {
		if slices.ContainsFunc(columnsOf(s.family, space.Features()), func(c int) bool { return varies(r.columns[c]) }) {
			out = append(out, s)
		}
	}
	sum := 0.0
	for _, s := range out {
		if s.family != "joint" {
			sum += s.weight
		}
	}
	for i := range out {
		if out[i].family != "joint" {
			out[i].weight *= (1 - joint) / sum
		}
	}
	for _, c := range columnsOf("rarity", space.Features()) {
		if slices.ContainsFunc(r.columns[c], func(v float32) bool { return v == v }) {
			for i := range out {
				out[i].weight *= 1 - rarityShare
			}
			out = append(out, share{"rarity", rarityShare, false})
		}
	}
	return out
}

// repetition is by how much the training windows whose set of calls another part of
// training had too outweigh the others, in [0,1]: the share seen minus the share
// unseen, 0 where less than half are seen. (One minus the unseen share is Good's
// estimate of how much of tomorrow was seen: The Population Frequencies of Species,
// Biometrika 40, 1953.)
func (r *rows) repetition(all []feature.Feature) float64 {
	at := slices.IndexFunc(all, func(f feature.Feature) bool { return f.Name == "nearest_calls" })
	if at < 0 {
		return 1
	}
	const same = 1e-6
	seen, known := 0.0, 0.0
	for i, v := range r.columns[at] {
		if r.class[i] != 0 || v != v {
			continue
		}
		known++
		if v < same {
			seen++
		}
	}
	if known == 0 {
		return 1
	}
	return max(0, 2*seen/known-1)
}

// varies reports whether a column tells any rows apart.
func varies(column []float32) bool {
	var first float32
	known := false
	for _, v := range column {
		switch {
		case v != v:
		case !known:
			first, known = v, true
		case v != first:
			return true
		}
	}
	return false
}

// usualShare is the share of training rows that lie at or below the usual of a
// one-sided feature.
const usualShare = 0.75

// floors are, for each column, what less than counts as: the usual for one-sided
// features, minus infinity for others.
func (r *rows) floors(columns []int, oneSided bool) []float32 {
	out := slices.Repeat([]float32{float32(math.Inf(-1))}, len(columns))
	for i, c := range columns {
		if !oneSided {
			continue
		}
		known := slices.DeleteFunc(slices.Clone(r.columns[c]), func(v float32) bool { return v != v })
		if len(known) > 0 {
			slices.Sort(known)
			out[i] = known[int(usualShare*float64(len(known)-1))]
		}
	}
	return out
}

// raised is a column with what is below floor raised to it; NaN stays.
func raised(column []float32, floor float32) []float32 {
	if math.IsInf(float64(floor), -1) {
		return column
	}
	out := slices.Clone(column)
	for i, v := range out {
		if v < floor {
			out[i] = floor
		}
	}
	return out
}

// columnsOf are the places of a family's features.
func columnsOf(family string, all []feature.Feature) (at []int) {
	for i, f := range all {
		if f.Family == family || family == "" && f.Family != "mix" && f.Family != "rarity" {
			at = append(at, i)
		}
	}
	return at
}

// only is the rows with some of their columns, raised to their floors.
func (r *rows) only(columns []int, floors []float32) *rows {
	out := *r
	out.columns = make([][]float32, len(columns))
	for i, c := range columns {
		out.columns[i] = raised(r.columns[c], floors[i])
	}
	return &out
}

// ensemble grows the members, and fills in the scores of the normal rows, each scored
// by forests that grew without the row's part.
func (r *rows) ensemble(opts Options, space *feature.Space, h *held) (*ensemble, error) {
	all := space.Features()
	e := &ensemble{features: len(all)}
	nats := slices.Repeat([]float64{math.Inf(-1)}, len(h.rows))
	for _, f := range r.shares(space) {
		m := familyForest{columns: columnsOf(f.family, all), weight: f.weight}
		m.floors = r.floors(m.columns, f.oneSided)
		scores, err := r.member(&m, opts, f.family)
		if err != nil {
			return nil, err
		}
		for i, s := range scores {
			nats[i] = joined(nats[i], m.nats(s))
		}
		e.members = append(e.members, m)
		h.parts = append(h.parts, heldPart{scores, f.weight, m.surprise.bits})
	}
	for _, v := range nats {
		h.scores = append(h.scores, float64(natsScore(v)))
	}
	return e, nil
}

// member makes a member ready, and returns its scores of the normal rows, held out.
func (r *rows) member(m *familyForest, opts Options, family string) (scores []float64, err error) {
	bits := family == "rarity"
	if bits {
		for _, i := range r.heldOutRows(opts.Engine) {
			scores = append(scores, float64(r.columns[m.columns[0]][i]))
		}
	} else {
		own := r.only(m.columns, m.floors)
		grown, err := own.fit(opts, nil)
		if err != nil {
			return nil, err
		}
		m.forest = grown.(*forest.Isolation)
		if scores, err = own.heldOutScores(opts); err != nil {
			return nil, err
		}
	}
	m.surprise = newSurprise(scores, bits)
	return scores, nil
}

// score scores columns of features.
func (m *familyForest) score(x [][]float32, out []float32, threads int) error {
	own := m.take(x)
	if m.forest == nil {
		copy(out, own[0])
		return nil
	}
	return m.forest.Score(own, out, threads)
}

// nats is how rare a score is, given what the member may spend.
func (m *familyForest) nats(score float64) float64 {
	return m.surprise.nats(score) + math.Log(m.weight)
}

// joined is ln(eᵃ + eᵇ); a may be minus infinity.
func joined(a, b float64) float64 {
	high, low := max(a, b), min(a, b)
	return high + math.Log1p(math.Exp(low-high))
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
	nats, scores := slices.Repeat([]float64{math.Inf(-1)}, len(out)), make([]float32, len(out))
	for i := range e.members {
		m := &e.members[i]
		if err := m.score(x, scores, threads); err != nil {
			return err
		}
		for k, s := range scores {
			nats[k] = joined(nats[k], m.nats(float64(s)))
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
		own[i] = raised(x[c], m.floors[i])
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
		if err := m.score(column, score, 1); err != nil {
			return 0, err
		}
		if v := m.nats(float64(score[0])); v > most {
			best, most = i, v
		}
	}
	m := &e.members[best]
	clear(out)
	if m.forest == nil {
		out[m.columns[0]] = -most // less path, as it were
		return 0, nil
	}
	own, part := make([]float32, len(m.columns)), make([]float64, len(m.columns))
	for i, c := range m.columns {
		own[i] = max(row[c], m.floors[i]) // NaN stays
	}
	if base, err = m.forest.Contributions(own, part); err != nil {
		return 0, err
	}
	for i, c := range m.columns {
		out[c] = part[i]
	}
	return base, nil
}

// Features is how many columns it scores.
func (e *ensemble) Features() int { return e.features }

package detector

import (
	"math"
	"slices"
)

// held are the scores of normal training rows, each by forests that grew without the
// row's part, and what they were made of.
type held struct {
	rows   []int32    // which rows, in the order of rows.heldOutRows
	scores []float64  // beside rows, as the detector scores
	parts  []heldPart // one for each forest
}

// heldPart is what one forest said of the rows.
type heldPart struct {
	scores []float64 // of the forest, or bits; beside held.rows
	weight float64   // of its share of the false alarms
	bits   bool      // see surprise
}

// One container that was recorded wrongly, or broken into, would set the threshold of
// all others by itself where the budget is finer than training resolves: by its
// oddest window, in which it does what no other one did. So windows are set aside by
// which a container stands alone.
//
// Rarities beyond the others' greatest have an exponential tail, for that is how they
// are made (surprise); so the greatest of them exceeds the second by more than
// aloneNats once in e^aloneNats trainings (Rényi, "On the theory of order statistics",
// Acta Mathematica Academiae Scientiarum Hungarica 4, 1953). What is rare is counted
// without the container in question, or its own windows would vouch for it. Two of
// them would hide each other: so up to maxAlone are taken away one after the other,
// and the last that stands alone speaks for those before it (Rosner, "Percentage
// points for a generalized ESD many-outlier procedure", Technometrics 25, 1983).
const (
	aloneNats     = 4.605170185988091 // ln 100
	maxAlone      = 5
	aloneFew      = 20               // containers for each that may stand alone
	aloneReplicas = calibrationFolds // of its workload: of fewer, each does things by right that no other does
)

// alone returns the rows, ascending, by which containers stand alone.
func (r *rows) alone(h *held) []int32 {
	replicas := map[string]int{}
	workload := make([]string, r.counts.Containers)
	for _, s := range r.containers {
		if s.ordinal >= 0 {
			workload[s.ordinal] = s.workload
			replicas[s.workload]++
		}
	}
	away := make([]bool, r.counts.Containers) // taken away
	most := min(maxAlone, r.counts.Containers/aloneFew)
	if most == 0 {
		return nil
	}
	var theirs []int32
	alone := 0 // so many of theirs
	rarity := h.rarities(r.container, away)
	for range most {
		c := r.container[h.rows[h.oddest(rarity, r.container, away)]]
		if replicas[workload[c]] < aloneReplicas {
			break
		}
		away[c] = true
		rarity = h.rarities(r.container, away)
		next := h.oddest(rarity, r.container, away)
		if next < 0 {
			break
		}
		own := math.Inf(-1)
		for i, v := range rarity {
			if r.container[h.rows[i]] == c && v > rarity[next] {
				own = max(own, v)
				theirs = append(theirs, h.rows[i])
			}
		}
		if own-rarity[next] > aloneNats {
			alone = len(theirs)
		}
	}
	theirs = theirs[:alone]
	slices.Sort(theirs)
	return theirs
}

// oddest is the place of the rarest row of a container that was not taken away, the
// first of several; -1 where there is none.
func (h *held) oddest(rarity []float64, container []int32, away []bool) int {
	at := -1
	for i, v := range rarity {
		if !away[container[h.rows[i]]] && (at < 0 || v > rarity[at]) {
			at = i
		}
	}
	return at
}

// rarities are the nats of the rows where only those of containers that were not
// taken away say what is rare.
func (h *held) rarities(container []int32, away []bool) []float64 {
	nats := slices.Repeat([]float64{math.Inf(-1)}, len(h.rows))
	for _, part := range h.parts {
		stay := make([]float64, 0, len(h.rows))
		for i, s := range part.scores {
			if !away[container[h.rows[i]]] {
				stay = append(stay, s)
			}
		}
		if len(stay) == 0 {
			continue
		}
		rare := newSurprise(stay, part.bits)
		for i, s := range part.scores {
			nats[i] = joined(nats[i], rare.nats(s)+math.Log(part.weight))
		}
	}
	return nats
}

// only are the scores of some of the rows, which are ascending.
func (h *held) only(rows []int32) *held {
	out := &held{}
	for i, row := range h.rows {
		if _, ok := slices.BinarySearch(rows, row); ok {
			out.rows, out.scores = append(out.rows, row), append(out.scores, h.scores[i])
		}
	}
	return out
}

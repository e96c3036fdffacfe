package forest

import (
	"cmp"
	"math"
	"slices"
)

// addVotes adds up the growers' votes on each row.
func addVotes(growers []*randomGrower, rows int) []uint64 {
	sum := make([]uint64, rows)
	for _, g := range growers {
		if g != nil {
			for row, v := range g.votes {
				sum[row] += v
			}
		}
	}
	return sum
}

// measureVotes measures votes on rows against their classes.
func measureVotes(votes []uint64, y []uint8) OutOfBag {
	var voted []vote
	var loss float64
	right := 0
	for row, class := range y {
		votes := votes[row]
		trees := votes >> voteWidth
		if trees == 0 {
			continue
		}
		p := float64(votes&(1<<voteWidth-1)) / (1 << voteBits) / float64(trees)
		voted = append(voted, vote{p, class})
		if (p > 0.5) == (class == 1) {
			right++
		}
		if class == 0 {
			loss -= math.Log(1 - min(p, 1-1e-7))
		} else {
			loss -= math.Log(max(p, 1e-7))
		}
	}
	if len(voted) == 0 {
		return OutOfBag{AUROC: math.NaN(), LogLoss: math.NaN(), Accuracy: math.NaN()}
	}
	n := float64(len(voted))
	return OutOfBag{Rows: len(voted), AUROC: auroc(voted), LogLoss: loss / n, Accuracy: float64(right) / n}
}

// vote is a row's estimate and its class.
type vote struct {
	p     float64
	class uint8
}

// auroc returns the area under the ROC curve, ties counted half, or NaN when
// there are not two classes. It sorts v.
func auroc(v []vote) float64 {
	slices.SortFunc(v, func(a, b vote) int { return cmp.Compare(a.p, b.p) })
	var pairs, negatives, positives float64
	for i := 0; i < len(v); {
		var count [2]float64
		for p := v[i].p; i < len(v) && v[i].p == p; i++ {
			count[v[i].class]++
		}
		pairs += count[1] * (negatives + count[0]/2)
		negatives += count[0]
		positives += count[1]
	}
	if negatives == 0 || positives == 0 {
		return math.NaN()
	}
	return pairs / (negatives * positives)
}

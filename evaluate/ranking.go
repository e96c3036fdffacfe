package evaluate

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
)

// Ranking holds windows ordered by falling score, each normal or of an attack
// and each of one cluster (a container). Every figure that does not depend on a
// threshold is read from it in one pass. It is read-only once made and safe for
// concurrent use.
//
// gonum's stat.ROC gives the same curve (a test compares them) but neither
// precision nor weights, which the clustered bootstrap needs in the same pass.
type Ranking struct {
	scores   []float64 // falling
	attack   []bool
	cluster  []int32
	clusters int
}

// NewRanking orders windows by score. The three slices have one element per
// window and are not kept; clusters count from 0. Scores are finite: one that
// is not is an error that names its window.
func NewRanking(scores []float64, attack []bool, cluster []int32) (*Ranking, error) {
	if len(attack) != len(scores) || len(cluster) != len(scores) {
		return nil, fmt.Errorf("ranking: %d scores, %d labels, %d clusters", len(scores), len(attack), len(cluster))
	}
	order := make([]int32, len(scores))
	for i, s := range scores {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return nil, fmt.Errorf("ranking: window %d: score is %v", i, s)
		}
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b))
	})
	r := &Ranking{
		scores:  make([]float64, len(scores)),
		attack:  make([]bool, len(scores)),
		cluster: make([]int32, len(scores)),
	}
	for to, from := range order {
		r.scores[to], r.attack[to], r.cluster[to] = scores[from], attack[from], cluster[from]
		r.clusters = max(r.clusters, int(cluster[from])+1)
	}
	return r, nil
}

// Point is one threshold of a ranking: a window alarms when its score is at
// least Threshold.
type Point struct {
	Threshold float64 `json:"threshold"`
	FPR       float64 `json:"fpr"`       // share of normal windows that alarm
	Recall    float64 `json:"recall"`    // share of attack windows that alarm
	Precision float64 `json:"precision"` // share of alarms that are attack windows
}

// Grid says at which rates a Summary has points. Both are ascending.
type Grid struct {
	FPRs    []float64 // false-positive rates
	Recalls []float64
}

// Summary holds the figures of one ranking; all are NaN where a class is
// missing.
type Summary struct {
	AUROC, AUPRC float64
	Rates        []Point   // beside Grid.FPRs
	Precisions   []float64 // beside Grid.Recalls
}

// Summarize computes AUROC (ties count half), average precision
// Σ (Rₙ−Rₙ₋₁)·Pₙ over distinct scores, for each false-positive rate of the grid
// the point of the largest recall that does not exceed it, and for each recall
// the precision where it is first reached. A recall of 0 has the point of no
// alarms: threshold +Inf.
func (r *Ranking) Summarize(grid Grid) Summary {
	return r.summarize(nil, grid)
}

// Curve returns every distinct threshold, falling, without the point of no
// alarms. Precision and the two rates are NaN where their class is missing.
func (r *Ranking) Curve() []Point { return slices.Collect(r.points()) }

// points yields what Curve returns; all are computed, whoever stops early.
func (r *Ranking) points() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		positives, negatives := r.totals(nil)
		goOn := true
		r.sweep(nil, func(score, tp, fp float64) {
			goOn = goOn && yield(Point{score, fp / negatives, tp / positives, tp / (tp + fp)})
		})
	}
}

func (r *Ranking) summarize(weights []float64, grid Grid) Summary {
	nan := math.NaN()
	s := Summary{nan, nan, slices.Repeat([]Point{{nan, nan, nan, nan}}, len(grid.FPRs)), slices.Repeat([]float64{nan}, len(grid.Recalls))}
	positives, negatives := r.totals(weights)
	if positives == 0 || negatives == 0 {
		return s
	}
	best := Point{math.Inf(1), 0, 0, nan} // of the largest recall so far
	rates, recalls := 0, 0                // how many of the grid are done
	var pairs, precision, lastTP, lastFP float64
	r.sweep(weights, func(score, tp, fp float64) {
		pairs += (fp - lastFP) * (lastTP + tp) / 2
		precision += (tp - lastTP) * tp / (tp + fp)
		for ; rates < len(grid.FPRs) && fp > grid.FPRs[rates]*negatives; rates++ {
			s.Rates[rates] = best
		}
		for ; recalls < len(grid.Recalls) && tp >= grid.Recalls[recalls]*positives && tp > 0; recalls++ {
			s.Precisions[recalls] = tp / (tp + fp)
		}
		if tp > lastTP {
			best = Point{score, fp / negatives, tp / positives, tp / (tp + fp)}
		}
		lastTP, lastFP = tp, fp
	})
	for ; rates < len(grid.FPRs); rates++ {
		s.Rates[rates] = best
	}
	s.AUROC = pairs / (positives * negatives)
	s.AUPRC = precision / positives
	return s
}

// sweep calls visit once per distinct score, falling, with the weights of
// attack (tp) and normal (fp) windows at or above it. Nil weights are all 1;
// otherwise they are per cluster, and scores without weight are passed over.
func (r *Ranking) sweep(weights []float64, visit func(score, tp, fp float64)) {
	var tp, fp, seen float64
	for i, score := range r.scores {
		w := 1.0
		if weights != nil {
			w = weights[r.cluster[i]]
		}
		if r.attack[i] {
			tp += w
		} else {
			fp += w
		}
		if last := i == len(r.scores)-1 || r.scores[i+1] != score; last && tp+fp > seen {
			seen = tp + fp
			visit(score, tp, fp)
		}
	}
}

func (r *Ranking) totals(weights []float64) (positives, negatives float64) {
	for i, attack := range r.attack {
		w := 1.0
		if weights != nil {
			w = weights[r.cluster[i]]
		}
		if attack {
			positives += w
		} else {
			negatives += w
		}
	}
	return positives, negatives
}

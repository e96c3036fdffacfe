package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat"
)

// BootstrapOptions control the intervals around figures.
type BootstrapOptions struct {
	Resamples int     // how many samples of containers are drawn
	Level     float64 // coverage of an interval, in (0,1)
	Seed      uint64
	Threads   int // the intervals are the same at any number
}

// DefaultBootstrapOptions draws 500 samples for intervals of 95 %.
func DefaultBootstrapOptions() BootstrapOptions {
	return BootstrapOptions{Resamples: 500, Level: 0.95, Seed: 1, Threads: 1}
}

// minResamples is how many usable samples an interval needs at least.
const minResamples = 20

// Estimate is a figure and its bootstrap interval. A bound is nil where no
// interval can be had.
type Estimate struct {
	Value float64  `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

// Intervals are the percentile intervals of a Summary's figures, each nil where
// fewer than two clusters of either class or too few samples with both leave
// none.
type Intervals struct {
	AUROC, AUPRC *[2]float64
	Recalls      []*[2]float64 // at each false-positive rate of the grid
	Precisions   []*[2]float64 // at each recall of the grid
}

// Bootstrap draws clusters with replacement, because windows of one container
// resemble each other and are not independent draws; windows drawn one by one
// would give intervals that are far too narrow. Percentile method: Efron and
// Tibshirani, An Introduction to the Bootstrap, chapter 13. Samples that miss a
// class are left out; with too few left there is no interval.
func (r *Ranking) Bootstrap(grid Grid, opts BootstrapOptions) Intervals {
	out := Intervals{Recalls: make([]*[2]float64, len(grid.FPRs)), Precisions: make([]*[2]float64, len(grid.Recalls))}
	if attacked, normal := r.spread(); min(attacked, normal) < 2 || opts.Resamples < 1 {
		return out
	}
	samples := make([]Summary, opts.Resamples)
	var group sync.WaitGroup
	threads := max(1, min(opts.Threads, opts.Resamples))
	for thread := range threads {
		group.Go(func() {
			weights := make([]float64, r.clusters)
			for i := thread; i < opts.Resamples; i += threads {
				draw(weights, rand.New(rand.NewPCG(opts.Seed, uint64(i))))
				samples[i] = r.summarize(weights, grid)
			}
		})
	}
	group.Wait()
	samples = slices.DeleteFunc(samples, func(s Summary) bool { return math.IsNaN(s.AUROC) })
	if len(samples) < minResamples {
		return out
	}
	figure := func(of func(Summary) float64) *[2]float64 {
		values := make([]float64, len(samples))
		for i, s := range samples {
			values[i] = of(s)
		}
		return percentiles(values, opts.Level)
	}
	out.AUROC = figure(func(s Summary) float64 { return s.AUROC })
	out.AUPRC = figure(func(s Summary) float64 { return s.AUPRC })
	for i := range grid.FPRs {
		out.Recalls[i] = figure(func(s Summary) float64 { return s.Rates[i].Recall })
	}
	for i := range grid.Recalls {
		out.Precisions[i] = figure(func(s Summary) float64 { return s.Precisions[i] })
	}
	return out
}

// spread counts the clusters with attack windows, and those with normal ones.
func (r *Ranking) spread() (attacked, normal int) {
	has := [2][]bool{make([]bool, r.clusters), make([]bool, r.clusters)}
	for i, c := range r.cluster {
		if r.attack[i] && !has[0][c] {
			has[0][c] = true
			attacked++
		}
		if !r.attack[i] && !has[1][c] {
			has[1][c] = true
			normal++
		}
	}
	return attacked, normal
}

// draw sets weights to how often each cluster comes up in as many draws with
// replacement as there are clusters.
func draw(weights []float64, random *rand.Rand) {
	clear(weights)
	for range weights {
		weights[random.IntN(len(weights))]++
	}
}

// percentiles sorts values and returns the bounds that hold level of them.
func percentiles(values []float64, level float64) *[2]float64 {
	slices.Sort(values)
	tail := (1 - level) / 2
	return &[2]float64{
		stat.Quantile(tail, stat.LinInterp, values, nil),
		stat.Quantile(1-tail, stat.LinInterp, values, nil),
	}
}

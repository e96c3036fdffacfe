package evaluate

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mayfly/datasets/dockercve"
	"mayfly/feature"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

var variants = flag.Bool("variants", false, "measure variants of the isolation forest on docker-cve (minutes)")

// encodedCVE is one CVE as forests read it: windows of 100 ms, one row of features
// each, missing values as 0.
type encodedCVE struct {
	train, test [][]float64
	fold        []int // of each training row: its run's place
	runs        []dockercve.Run
	testRun     []int // of each test row
}

// encodeRows reads the rows off, of the features that keep wants.
func encodeRows(e *feature.Encoder, windows iter.Seq2[arrow.Record, error], keep []int, each func(row []float64, w *feature.Window)) error {
	var w feature.Window
	for rec, err := range windows {
		if err != nil {
			return err
		}
		view, err := feature.View(rec)
		if err != nil {
			return err
		}
		encoded, err := e.Encode(rec)
		if err != nil {
			return err
		}
		for i := range view.Len() {
			view.At(i, &w)
			row := make([]float64, len(keep))
			for k, c := range keep {
				if v := float64(encoded.Column(c).(*array.Float32).Value(i)); v == v {
					row[k] = v
				}
			}
			each(row, &w)
		}
		encoded.Release()
	}
	return nil
}

func encodeCVE(ctx context.Context, set *dockercve.Set, cve string, families func(string) bool) (*encodedCVE, error) {
	windows, err := set.Windows(cve)
	if err != nil {
		return nil, err
	}
	space, err := feature.Learn(ctx, windows.Training(ctx), feature.DefaultLearnOptions)
	if err != nil {
		return nil, err
	}
	var keep []int
	for i, f := range space.Features() {
		if families(f.Family) {
			keep = append(keep, i)
		}
	}
	out := &encodedCVE{runs: set.Runs(cve)}
	encoder, err := space.NewTrainingEncoder()
	if err != nil {
		return nil, err
	}
	places := map[string]int{}
	if err := encodeRows(encoder, windows.Training(ctx), keep, func(row []float64, w *feature.Window) {
		if _, ok := places[w.ContainerID]; !ok {
			places[w.ContainerID] = len(places)
		}
		out.train, out.fold = append(out.train, row), append(out.fold, places[w.ContainerID]%4)
	}); err != nil {
		return nil, err
	}
	test := func(r dockercve.Row) bool { return !dockercve.Train(r) }
	for _, r := range windows.Rows {
		if test(r) {
			out.testRun = append(out.testRun, r.Run)
		}
	}
	return out, encodeRows(space.NewEncoder(), windows.Records(ctx, test), keep, func(row []float64, _ *feature.Window) {
		out.test = append(out.test, row)
	})
}

// variant is one form of isolation forest.
type variant struct {
	name    string
	axes    int  // features in a split: 1, or 2 for a slanted one
	tries   int  // splits drawn, of which the one that narrows the spread most is taken
	density bool // score by rows per volume instead of depth
	global  bool // one forest over all CVEs instead of one for each
}

// grown is a tree: rows with a·x at most cut go left.
type grown struct {
	at          [2]int
	a           [2]float64
	cut         float64
	share       float64 // of the node's range that is left of cut
	left, right *grown
	rows        int
}

func (n *grown) project(x []float64) float64 { return n.a[0]*x[n.at[0]] + n.a[1]*x[n.at[1]] }

func (v variant) grow(rows [][]float64, height int, r *rand.Rand) *grown {
	n := &grown{rows: len(rows)}
	if height == 0 || len(rows) < 2 {
		return n
	}
	best := math.Inf(-1)
	values := make([]float64, len(rows))
	for range max(v.tries, 1) {
		c, low, high := v.draw(rows, values, r)
		if low == high {
			continue
		}
		c.cut = low + r.Float64()*(high-low)
		c.share = (c.cut - low) / (high - low)
		if gain := narrowing(values, c.cut, v.tries > 1); gain > best {
			best, n = gain, c
		}
	}
	if math.IsInf(best, -1) {
		return n
	}
	var left, right [][]float64
	for _, x := range rows {
		if n.project(x) <= n.cut {
			left = append(left, x)
		} else {
			right = append(right, x)
		}
	}
	n.rows, n.left, n.right = len(rows), v.grow(left, height-1, r), v.grow(right, height-1, r)
	return n
}

// draw takes features at random, those that vary, with weights over their standard
// deviations in the node as in SCiForest.
func (v variant) draw(rows [][]float64, values []float64, r *rand.Rand) (n *grown, low, high float64) {
	n = &grown{}
	for k := range v.axes {
		for range 30 {
			n.at[k] = r.IntN(len(rows[0]))
			mean, square := 0.0, 0.0
			for _, x := range rows {
				mean += x[n.at[k]] / float64(len(rows))
			}
			for _, x := range rows {
				square += (x[n.at[k]] - mean) * (x[n.at[k]] - mean) / float64(len(rows))
			}
			if square > 0 {
				n.a[k] = 1
				if v.axes > 1 {
					n.a[k] = (2*r.Float64() - 1) / math.Sqrt(square)
				}
				break
			}
		}
	}
	for i, x := range rows {
		values[i] = n.project(x)
	}
	return n, slices.Min(values), slices.Max(values)
}

// narrowing is by how much smaller the standard deviations of both sides are than
// the whole's; 0 where it does not count.
func narrowing(values []float64, cut float64, counts bool) float64 {
	if !counts {
		return 0
	}
	deviation := func(take func(float64) bool) float64 {
		n, sum, square := 0.0, 0.0, 0.0
		for _, v := range values {
			if take(v) {
				n, sum, square = n+1, sum+v, square+v*v
			}
		}
		return math.Sqrt(max(0, square/max(n, 1)-sum*sum/max(n*n, 1)))
	}
	all := deviation(func(float64) bool { return true })
	left, right := deviation(func(v float64) bool { return v <= cut }), deviation(func(v float64) bool { return v > cut })
	return (all - (left+right)/2) / max(all, 1e-300)
}

// usualPath is c(n), Liu, Ting, Zhou 2008.
func usualPath(n int) float64 {
	if n < 2 {
		return 0
	}
	return 2*(math.Log(float64(n-1))+0.5772156649) - 2*float64(n-1)/float64(n)
}

const variantTrees, variantRows = 100, 256

// fit returns what scores a row; higher is stranger.
func (v variant) fit(rows [][]float64, seed uint64) func([]float64) float64 {
	trees := make([]*grown, variantTrees)
	for i := range trees {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		sample := make([][]float64, min(variantRows, len(rows)))
		for k := range sample {
			sample[k] = rows[r.IntN(len(rows))]
		}
		trees[i] = v.grow(sample, 8, r)
	}
	return func(x []float64) float64 {
		sum := 0.0
		for _, n := range trees {
			whole, depth, volume := n.rows, 0.0, 0.0
			for n.left != nil {
				if n.project(x) <= n.cut {
					volume += math.Log(max(n.share, 1e-6))
					n = n.left
				} else {
					volume += math.Log(max(1-n.share, 1e-6))
					n = n.right
				}
				depth++
			}
			if v.density {
				sum += math.Log(float64(max(n.rows, 1))/float64(whole)) - volume
			} else {
				sum += depth + usualPath(n.rows)
			}
		}
		return -sum
	}
}

// measure goes through the protocol with thresholds as the product sets them:
// each training row scored by a forest that did not see its run.
func (v variant) measure(cves []*encodedCVE, budget float64, seed uint64) []DockerCVERun {
	pool := func(c *encodedCVE, without int) (rows [][]float64) {
		from := []*encodedCVE{c}
		if v.global {
			from = cves
		}
		for _, f := range from {
			for i, row := range f.train {
				if f.fold[i] != without {
					rows = append(rows, row)
				}
			}
		}
		return rows
	}
	var score [5]func([]float64) float64 // without each part, and of all
	var out []DockerCVERun
	for k, c := range cves {
		for part := range score {
			if k == 0 || !v.global {
				score[part] = v.fit(pool(c, part), seed)
			}
		}
		held := make([]float64, len(c.train))
		for i, row := range c.train {
			held[i] = score[c.fold[i]](row)
		}
		slices.Sort(held)
		threshold := held[len(held)-1-int(budget*float64(len(held)))]
		alarms := map[int][]bool{}
		for i, row := range c.test {
			alarms[c.testRun[i]] = append(alarms[c.testRun[i]], score[4](row) > threshold)
		}
		for _, run := range c.runs {
			out = append(out, judge(run, alarms[run.Run]))
		}
	}
	return out
}

func isolationVariants() []variant {
	return []variant{
		{name: "standard splits, depth", axes: 1},
		{name: "standard splits, density", axes: 1, density: true},
		{name: "slanted splits of two features, depth", axes: 2},
		{name: "slanted splits of two features, density", axes: 2, density: true},
		{name: "best of 10 slanted splits (after SCiForest), depth", axes: 2, tries: 10},
		{name: "standard splits, depth, one forest for all CVEs", axes: 1, global: true},
		{name: "standard splits, density, one forest for all CVEs", axes: 1, density: true, global: true},
	}
}

// Every variant finds what lies far off, or the table would compare nothing.
func TestVariantsFindWhatIsFarOff(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var rows [][]float64
	for range 500 {
		x := r.NormFloat64()
		rows = append(rows, []float64{x, x + 0.1*r.NormFloat64(), r.NormFloat64()})
	}
	rows = append(rows, []float64{4, -4, 4})
	for _, v := range isolationVariants() {
		score := v.fit(rows, 1)
		if far, near := score(rows[500]), score([]float64{0, 0, 0}); !(far > near) {
			t.Errorf("%s: far off %g, in the middle %g, want more", v.name, far, near)
		}
	}
}

// TestVariantsOnDockerCVE prints the table of RESULTS.md.
func TestVariantsOnDockerCVE(t *testing.T) {
	if !*variants {
		t.Skip("an experiment of minutes: give -variants")
	}
	set := dockerCVE(t)
	for _, of := range []struct {
		name string
		keep func(string) bool
	}{{"all features", func(f string) bool { return f != "mix" }}, {"joint features", func(f string) bool { return f == "joint" }}} {
		t.Run(of.name, func(t *testing.T) {
			var cves []*encodedCVE
			for _, cve := range set.CVEs() {
				c, err := encodeCVE(t.Context(), set, cve, of.keep)
				if err != nil {
					t.Fatal(err)
				}
				cves = append(cves, c)
			}
			for _, v := range isolationVariants() {
				m := means(v.name, v.measure(cves, 0.008, 1), BootstrapOptions{})
				if m.Runs != 112 {
					t.Errorf("%s: %d runs, want 112", v.name, m.Runs)
				}
				fmt.Printf("| %s | %s | %.2f | %.2f |\n", v.name, of.name, 100*m.FPR.Value, 100*m.Detected.Value)
			}
		})
	}
}

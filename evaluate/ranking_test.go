package evaluate

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/stat"
)

// metricCase is one case of testdata/metrics.json, made by metrics.py with
// scikit-learn.
type metricCase struct {
	Name         string
	Scores       []float64
	Attack       []bool
	AUROC, AUPRC float64
	Rates        []float64
	Recalls      []float64
}

func metricCases(t *testing.T) []metricCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []metricCase }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

func ranking(t *testing.T, scores []float64, attack []bool) *Ranking {
	t.Helper()
	r, err := NewRanking(scores, attack, make([]int32, len(scores)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSummarizeAgainstScikitLearn(t *testing.T) {
	for _, c := range metricCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			got := ranking(t, c.Scores, c.Attack).Summarize(Grid{FPRs: c.Rates})
			near(t, "AUROC", got.AUROC, c.AUROC)
			near(t, "AUPRC", got.AUPRC, c.AUPRC)
			for i, want := range c.Recalls {
				near(t, "recall", got.Rates[i].Recall, want)
				if got.Rates[i].FPR > c.Rates[i] {
					t.Errorf("false-positive rate: got %v, want at most %v", got.Rates[i].FPR, c.Rates[i])
				}
			}
		})
	}
}

func TestCurveAgainstGonum(t *testing.T) {
	for _, c := range metricCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			y, classes := slices.Clone(c.Scores), slices.Clone(c.Attack)
			stat.SortWeightedLabeled(y, classes, nil)
			tpr, fpr, _ := stat.ROC(nil, y, classes, nil)
			near(t, "AUROC by gonum", integrate.Trapezoidal(fpr, tpr), c.AUROC)
			points := ranking(t, c.Scores, c.Attack).Curve()
			if len(points) != len(tpr)-1 {
				t.Fatalf("curve: got %d points, want %d", len(points), len(tpr)-1)
			}
			for i, p := range points {
				near(t, "recall", p.Recall, tpr[i+1])
				near(t, "false-positive rate", p.FPR, fpr[i+1])
			}
		})
	}
}

func TestSummarizeWithOneClass(t *testing.T) {
	for _, attack := range []bool{false, true} {
		s := ranking(t, []float64{1, 2}, []bool{attack, attack}).Summarize(Grid{FPRs: []float64{0.01}, Recalls: []float64{0.5}})
		if !math.IsNaN(s.AUROC) || !math.IsNaN(s.AUPRC) || !math.IsNaN(s.Rates[0].Recall) {
			t.Errorf("attack %v only: got %+v, want NaN throughout", attack, s)
		}
	}
	if s := ranking(t, nil, nil).Summarize(Grid{}); !math.IsNaN(s.AUROC) {
		t.Errorf("no windows: got AUROC %v, want NaN", s.AUROC)
	}
}

func TestNewRankingRefuses(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := NewRanking([]float64{0, bad}, make([]bool, 2), make([]int32, 2)); err == nil {
			t.Errorf("score %v: got no error", bad)
		}
	}
	if _, err := NewRanking([]float64{0}, nil, nil); err == nil {
		t.Error("slices of different lengths: got no error")
	}
}

func TestBootstrap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var scores []float64
	var attack []bool
	var cluster []int32
	for i := range 2000 {
		bad := i%20 == 0
		scores = append(scores, random.NormFloat64())
		if bad {
			scores[i] += 2
		}
		attack, cluster = append(attack, bad), append(cluster, int32(i/100))
	}
	r, err := NewRanking(scores, attack, cluster)
	if err != nil {
		t.Fatal(err)
	}
	opts := DefaultBootstrapOptions()
	rates := Grid{FPRs: []float64{0.01, 0.05}, Recalls: []float64{0.5}}
	value := r.Summarize(rates)
	one := r.Bootstrap(rates, opts)
	opts.Threads = 3
	three := r.Bootstrap(rates, opts)
	for name, pair := range map[string][3]any{
		"AUROC":     {value.AUROC, one.AUROC, three.AUROC},
		"AUPRC":     {value.AUPRC, one.AUPRC, three.AUPRC},
		"recall":    {value.Rates[1].Recall, one.Recalls[1], three.Recalls[1]},
		"precision": {value.Precisions[0], one.Precisions[0], three.Precisions[0]},
	} {
		v, a, b := pair[0].(float64), pair[1].(*[2]float64), pair[2].(*[2]float64)
		if *a != *b {
			t.Errorf("%s: interval %v with one thread, %v with three", name, *a, *b)
		}
		if v < a[0] || v > a[1] || a[0] == a[1] {
			t.Errorf("%s: interval %v does not hold %v", name, *a, v)
		}
	}
}

func TestBootstrapWithoutIntervals(t *testing.T) {
	one := ranking(t, []float64{1, 2, 3}, []bool{false, true, true})
	if got := one.Bootstrap(Grid{FPRs: []float64{0.1}}, DefaultBootstrapOptions()); got.AUROC != nil || got.Recalls[0] != nil {
		t.Errorf("one cluster: got %+v, want no interval", got)
	}
}

// TestBootstrapWeightsAreCopies: a cluster drawn twice counts as if its windows
// stood there twice.
func TestBootstrapWeightsAreCopies(t *testing.T) {
	scores := []float64{3, 1, 2, 2, 5, 0}
	attack := []bool{true, false, false, true, true, false}
	cluster := []int32{0, 0, 1, 1, 2, 2}
	r, err := NewRanking(scores, attack, cluster)
	if err != nil {
		t.Fatal(err)
	}
	rates := Grid{FPRs: []float64{0.3, 0.5}, Recalls: []float64{0.5, 1}}
	got := r.summarize([]float64{2, 1, 0}, rates)
	want := ranking(t, []float64{3, 1, 3, 1, 2, 2}, []bool{true, false, true, false, false, true}).Summarize(rates)
	near(t, "AUROC", got.AUROC, want.AUROC)
	near(t, "AUPRC", got.AUPRC, want.AUPRC)
	near(t, "recall", got.Rates[1].Recall, want.Rates[1].Recall)
	near(t, "precision", got.Precisions[1], want.Precisions[1])
}

func TestSummarizePrecisions(t *testing.T) {
	r := ranking(t, []float64{5, 4, 3, 2, 1}, []bool{true, false, true, false, true})
	got := r.Summarize(Grid{Recalls: []float64{0, 1.0 / 3, 0.5, 1}}).Precisions
	if want := []float64{1, 1, 2.0 / 3, 3.0 / 5}; !slices.Equal(got, want) {
		t.Errorf("precisions: got %v, want %v", got, want)
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func BenchmarkBootstrap(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	scores, attack, cluster := make([]float64, 100_000), make([]bool, 100_000), make([]int32, 100_000)
	for i := range scores {
		scores[i], attack[i], cluster[i] = random.Float64(), i%50 == 0, int32(i/100)
	}
	r, err := NewRanking(scores, attack, cluster)
	if err != nil {
		b.Fatal(err)
	}
	opts := DefaultBootstrapOptions()
	opts.Resamples = 10
	for b.Loop() {
		r.Bootstrap(Grid{FPRs: []float64{0.001, 0.01, 0.05}}, opts)
	}
}

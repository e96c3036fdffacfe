package reference

import (
	"strconv"
	"testing"

	"mayfly/forest"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/meta"
	"github.com/sjwhitworth/golearn/trees"
)

// BenchmarkGolearnRandom trains golearn's random forest, which its package ensemble
// makes of the same parts but cannot be built without cgo, and reports what it and
// ours are worth on fresh rows. It answers classes and no probabilities, and other
// ones each time.
func BenchmarkGolearnRandom(b *testing.B) {
	all, y := outliers(2000)
	classes := make([]uint8, len(y))
	for i, attack := range y {
		if attack {
			classes[i] = 1
		}
	}
	train, test := make([][]float32, len(all)), make([][]float32, len(all))
	for f, column := range all {
		train[f], test[f] = column[:1000], column[1000:]
	}
	table := func(x [][]float32, classes []uint8) base.FixedDataGrid {
		t := base.NewDenseInstances()
		class := base.NewCategoricalAttribute()
		class.SetName("class")
		class.GetSysValFromString("0")
		class.GetSysValFromString("1")
		var specs []base.AttributeSpec
		for f := range x {
			specs = append(specs, t.AddAttribute(base.NewFloatAttribute(strconv.Itoa(f))))
		}
		of := t.AddAttribute(class)
		if err := t.AddClassAttribute(class); err != nil {
			b.Fatal(err)
		}
		if err := t.Extend(len(classes)); err != nil {
			b.Fatal(err)
		}
		for i, c := range classes {
			for f, spec := range specs {
				t.Set(spec, i, base.PackFloatToBytes(float64(x[f][i])))
			}
			t.Set(of, i, class.GetSysValFromString(strconv.Itoa(int(c))))
		}
		return t
	}
	fresh := table(test, classes[1000:])
	scores := make([]float32, 1000)
	for b.Loop() {
		f := &meta.BaggedModel{RandomFeatures: 2}
		for range 100 {
			f.AddModel(trees.NewID3DecisionTree(0))
		}
		f.Fit(table(train, classes[:1000]))
		answers, err := f.Predict(fresh)
		if err != nil {
			b.Fatal(err)
		}
		for i := range scores {
			scores[i] = 0
			if base.GetClass(answers, i) == "1" {
				scores[i] = 1
			}
		}
	}
	b.ReportMetric(auroc(scores, y[1000:]), "AUROC-golearn")
	ours, err := forest.FitRandom(train, classes[:1000], forest.DefaultRandomOptions())
	if err != nil {
		b.Fatal(err)
	}
	if err := ours.Score(test, scores, 1); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(auroc(scores, y[1000:]), "AUROC-forest")
}

package main

import (
	"math/bits"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/trees"
)

// golearnFigures is what bench prints of golearn.
type golearnFigures struct {
	Rows          int     `json:"rows"`
	RowsPerSecond float64 `json:"rows_per_second"`
	Bytes         uint64  `json:"score_bytes"` // allocated while scoring
	Ratio         float64 `json:"score_ratio"` // how many times faster mayfly scores
}

// golearn measures golearn's isolation forest on the first rows of x. It takes a
// last column for the class, and learns from it as from the others. Its chance is
// the process's: its forest is another one each time.
func (b *benchFigures) golearn(x [][]float32, rows int) {
	table := base.NewDenseInstances()
	specs := make([]base.AttributeSpec, len(x))
	for f := range specs {
		specs[f] = table.AddAttribute(base.NewFloatAttribute("f"))
	}
	// Neither can fail: the attribute is there, and the table is empty.
	_ = table.AddClassAttribute(specs[len(x)-1].GetAttribute())
	_ = table.Extend(rows)
	for f, spec := range specs {
		for i, v := range x[f][:rows] {
			table.Set(spec, i, base.PackFloatToBytes(float64(v)))
		}
	}
	forest := trees.NewIsolationForest(b.Trees, bits.Len(uint(b.Samples-1)), b.Samples)
	forest.Fit(table)
	score, bytes := measure(func() { forest.Predict(table) })
	b.Golearn = &golearnFigures{
		Rows: rows, RowsPerSecond: float64(rows) / score, Bytes: bytes,
		Ratio: b.RowsPerSecond * score / float64(rows),
	}
}

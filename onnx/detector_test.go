package onnx_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/trace"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// record is windows of containers, some of which do what none did before.
func record(containers, windows int, strange bool) arrow.Record {
	r := rand.New(rand.NewPCG(7, 7))
	b := feature.NewBuilder()
	defer b.Release()
	for c := range containers {
		for i := range windows {
			w := feature.Window{
				Host: "host", ContainerID: fmt.Sprintf("%064x", c+1), Workload: "web", StartNS: int64(i) * 1e9, WidthNS: 1e9,
				Calls:      []trace.Call{0, 1, 44, 45},
				CallCounts: []uint32{uint32(20 + r.IntN(9)), uint32(10 + r.IntN(9)), uint32(5 + r.IntN(5)), uint32(5 + r.IntN(5))},
			}
			w.Trigrams = []uint32{feature.Trigram(0, 1, 44), feature.Trigram(1, 44, 45), feature.Trigram(44, 45, trace.Call(r.IntN(8)))}
			w.TrigramCounts = []uint32{9, 7, uint32(1 + r.IntN(4))}
			if strange && i%5 == 0 {
				w.Calls, w.CallCounts = []trace.Call{0, 1, 59}, []uint32{uint32(i), 10, 2}
				w.Counters[feature.NExecs] = 2
			}
			b.Append(&w)
		}
	}
	return b.Record()
}

// TestDetector holds an exported detector to what it scores itself.
func TestDetector(t *testing.T) {
	for _, engine := range []string{detector.Isolation, detector.Random} {
		t.Run(engine, func(t *testing.T) {
			train, test := record(4, 150, engine == detector.Random), record(2, 100, true)
			defer train.Release()
			defer test.Release()
			opts := detector.DefaultOptions()
			opts.Engine = engine
			d, err := detector.Fit(t.Context(), detector.Training{
				Windows: func(context.Context) iter.Seq2[arrow.Record, error] {
					return func(yield func(arrow.Record, error) bool) { yield(train, nil) }
				},
				Class: func(w *feature.Window) detector.Class {
					if engine == detector.Random && w.Counters[feature.NExecs] > 0 {
						return detector.Attack
					}
					return detector.Normal
				},
			}, opts)
			if err != nil {
				t.Fatal(err)
			}
			model, err := d.ONNX()
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := d.Space.NewEncoder().Encode(test)
			if err != nil {
				t.Fatal(err)
			}
			defer encoded.Release()
			var x [][]float32
			for _, column := range encoded.Columns() {
				x = append(x, column.(*array.Float32).Float32Values())
			}
			compare(t, model, func(_ [][]float32, out []float32, _ int) error {
				scored, err := d.NewScorer(1).Score(test)
				if err != nil {
					return err
				}
				defer scored.Release()
				copy(out, scored.Scores)
				return nil
			}, x, 1e-5)
		})
	}
}

package evaluate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mayfly/datasets/demo"
	"mayfly/evaluate"
	"mayfly/feature"
	"mayfly/ingest"
	"mayfly/train"
)

// The whole way from Go: windows of a trace, a detector of the containers that began
// first, their scores, and how the detector did on the others.
func Example() {
	dir, err := os.MkdirTemp("", "mayfly-example-")
	check(err)
	defer func() { check(os.RemoveAll(dir)) }()
	check(demo.Write(dir))
	ctx := context.Background()
	trace, labels, features, detector := filepath.Join(dir, "trace"), filepath.Join(dir, "labels.csv"), filepath.Join(dir, "f.parquet"), filepath.Join(dir, "d.mayfly")

	_, err = ingest.Run(ctx, []string{trace}, ingest.Options{Output: features})
	check(err)
	options := train.DefaultOptions()
	options.Labels, err = feature.OpenLabels(labels)
	check(err)
	options.Split = train.Split{By: train.SplitContainer, Holdout: 0.5}
	options.Detector.Budget.AlarmsPerContainerDay, options.Detector.Budget.FalsePositiveRate = 0, 0.01
	d, err := train.Run(ctx, []string{features}, options)
	check(err)

	file, err := feature.OpenFile(features)
	check(err)
	defer func() { check(file.Close()) }()
	windows, scorer := 0, d.NewScorer(0)
	for rec, err := range file.Windows(ctx) {
		check(err)
		scored, err := scorer.Score(rec)
		check(err)
		windows += len(scored.Scores) // one score per window, higher is stranger
		scored.Release()
	}

	check(d.Save(detector))
	measure := evaluate.DefaultOptions()
	measure.Labels = labels
	report, err := evaluate.Run(ctx, detector, []string{features}, measure)
	check(err)
	fmt.Printf("%d windows scored; %d of %d attacks found, %d false alarms\n", windows, report.Found, report.Found+report.Missed, report.AtThreshold.NormalAlarms)
	// Output: 1286 windows scored; 10 of 10 attacks found, 1 false alarms
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

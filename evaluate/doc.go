// Package evaluate measures detectors: a detector, windows and labels come in, a
// Report goes out, as JSON, as a table for the terminal and as one HTML page.
//
//	report, err := evaluate.Run(ctx, "web.mayfly", []string{"features.parquet"}, options)
//	err = report.WriteTable(os.Stdout)
//
// Run is Score (windows and their scores) and Measure (scores and labels), which
// can be called alone, with scores from anywhere. Ranking holds the metrics.
//
// Public datasets have protocols of their own; see DockerCVE. RESULTS.md, beside
// this file, records what was measured with which command; FORMAT.md says what
// is written.
package evaluate

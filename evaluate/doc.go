// Package evaluate measures detectors: scores and labels come in, a Report goes
// out, as JSON, as a table for the terminal and as one HTML file.
//
// A detector's own windows are measured like this:
//
//	windows, _ := evaluate.ScoreFile(ctx, det, "features.parquet", options)
//	report, _ := evaluate.Measure(windows, labels, evaluate.DefaultMeasureOptions())
//	report.WriteTable(os.Stdout)
//
// Public datasets have protocols of their own; see DockerCVE. RESULTS.md, beside
// this file, records what was measured with which command.
package evaluate

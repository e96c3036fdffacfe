// Package ingest turns traces into windows of features: rows of trace directories
// come in, merged by time; a FEATURES file (feature.FORMAT.md) goes out, which has
// its name only when it is complete.
//
//	report, err := ingest.Run(ctx, []string{"trace/"}, ingest.Options{Output: "features.parquet"})
//
// Memory is bounded by the windows that are open at one time, whatever the size of
// the traces. The same traces give the same bytes.
package ingest

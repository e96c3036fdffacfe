// Package ingest takes recordings in. What other programs recorded becomes a trace
// (Convert): files, folders and archives are opened down to what a Source decodes,
// and each content is taken once. Rows of traces, merged by time, become windows of
// features: a FEATURES file (feature/FORMAT.md), which has its name only when it is
// complete.
//
//	report, err := ingest.Run(ctx, []string{"trace/"}, ingest.Options{Output: "features.parquet"})
//
// Memory is bounded by the windows that are open at one time, and by Limits,
// whatever the size of the input. The same input gives the same bytes. Files are
// held to be hostile: Parquet is read in a process of its own first (ServeChecks).
package ingest

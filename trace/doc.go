// Package trace owns what a recording is: events, system-call sequences,
// processes, containers and losses; their Parquet and Arrow schemas; and the
// directory they are kept in. FORMAT.md, beside this file, is the contract with
// other readers.
//
// Rows come in from a recorder (or a foreign format) through a Writer, which
// seals complete Parquet files by rename. They go out again as Arrow record
// batches, one table at a time, in time order:
//
//	t, err := trace.Open("trace/")
//	for rec, err := range t.Scan(ctx, trace.Events, trace.ScanOptions{}) { … }
package trace

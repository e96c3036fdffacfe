//go:build !linux

package ingest

// lockTrace does nothing here: two at a time must not write into one trace.
func lockTrace(string) (unlock func(), err error) { return func() {}, nil }

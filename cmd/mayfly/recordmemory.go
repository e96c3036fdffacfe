package main

import (
	"os"
	"runtime/debug"
)

// A recorder runs beside the work of others, so it pays for a small heap with some
// processor time: it collects when the heap has grown by a third, and harder above
// the limit, which is of all that the Go runtime takes. GOGC and GOMEMLIMIT, where
// they are set, say otherwise.
const (
	recordGCPercent   = 33
	recordMemoryLimit = 40 << 20 // bytes
)

// limitMemory sets both for the process.
func limitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(recordGCPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(recordMemoryLimit)
	}
}

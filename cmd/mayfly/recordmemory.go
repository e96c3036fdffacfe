package main

import (
	"os"
	"runtime/debug"
)

// A recorder runs beside the work of others, so its heap may double before it is
// collected, as Go's does, but not beyond the limit, which is of all that the Go
// runtime takes. A limit near to what is in use (40 MiB, once) makes the runtime
// collect all the time: at 30,000 events a second that was half of the recorder's
// processor time. GOGC and GOMEMLIMIT, where they are set, say otherwise.
const (
	recordGCPercent   = 100
	recordMemoryLimit = 64 << 20 // bytes
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

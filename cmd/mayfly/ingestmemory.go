package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// boundIngestMemory keeps the garbage of ingest small: of 240 MiB with two processors
// some 80 are in use for each, which works on a host of its own. GOMEMLIMIT, where it
// is set, says otherwise.
func boundIngestMemory() {
	const each = 80 << 20
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(1+runtime.GOMAXPROCS(0)) * each)
	}
}

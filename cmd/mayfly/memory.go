package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// boundTrainMemory keeps the garbage of learning small: most of what is held are rows of
// numbers, which cost the collector nothing to look through, so that it may look more
// often (180,113 windows: 372 MB rather than 551, in the same time). GOGC, where it is
// set, says otherwise.
func boundTrainMemory() {
	const percent = 30
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// boundIngestMemory keeps the garbage of ingest small: of 240 MiB with two processors
// some 80 are in use for each, which works on a host of its own. GOMEMLIMIT, where it
// is set, says otherwise.
func boundIngestMemory() {
	const each = 80 << 20
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(1+runtime.GOMAXPROCS(0)) * each)
	}
}

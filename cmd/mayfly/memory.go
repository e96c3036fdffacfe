package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// boundTrainMemory keeps the garbage of learning small, in train and in evaluate's
// protocols: most of what is held are rows of
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

// A recorder runs beside the work of others, so its heap may double before it is
// collected, as Go's does, but not beyond the limit, which is of all that the Go
// runtime takes. A limit near to what is in use (40 MiB, once) makes the runtime
// collect all the time: at 30,000 events a second that was half of the recorder's
// processor time. GOGC and GOMEMLIMIT, where they are set, say otherwise.
const (
	recordGCPercent   = 100
	recordMemoryLimit = 64 << 20 // bytes
)

// boundRecordMemory sets both for the process.
func boundRecordMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(recordGCPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(recordMemoryLimit)
	}
}

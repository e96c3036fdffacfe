package feature

import "mayfly/trace"

// SchemaVersion is the version of Schema and of what its columns mean. A file of
// another version is refused.
const SchemaVersion = 2

// Missing says what the source of a window could not know, as bits. Zero, the
// windows of mayfly's own recordings, means that everything is known.
// Features that rest on what is missing are NaN, not zero.
type Missing uint32

// The things that a source may not know.
const (
	MissingEvents  Missing = 1 << iota // no events: no items, and no counters made from events
	MissingCalls                       // no system calls: no calls, no trigrams
	MissingOrder                       // calls are counted without their order: no trigrams
	MissingThreads                     // no process and thread numbers
	MissingErrors                      // no results of calls: no error counters
	TouchesGap                         // the recorder was down or cut off at some time of the window, or its rows were deleted: some may be missing
	missingAll     = MissingEvents | MissingCalls | MissingOrder | MissingThreads | MissingErrors | TouchesGap
)

// Window is what one container did in [StartNS, StartNS+WidthNS).
//
// The slices of a Window filled by Windows.At are views: valid until the record
// they came from is released, and not to be written to.
type Window struct {
	Host          string // the host's name; "" where the source does not say
	ContainerID   string // 64 hex digits, or what a foreign source calls it; "" for the host itself
	ContainerName string // "" where unknown
	Workload      string // see profile.NameOf; "unknown" where no facts are
	StartNS       int64  // since 1970-01-01 UTC, a multiple of WidthNS for windows of a Windower
	WidthNS       int64  // > 0
	Missing       Missing

	Counters      [NumCounters]uint32 // see Counters
	Calls         []trace.Call        // ascending, each once
	CallCounts    []uint32            // beside Calls, > 0
	Trigrams      []uint32            // ascending, each once; see Trigram
	TrigramCounts []uint32            // beside Trigrams, > 0
	Items         []string            // profile.Item strings, ascending by bytes, each once
	ItemCounts    []uint32            // beside Items, > 0
}

// EndNS is the first nanosecond after the window.
func (w *Window) EndNS() int64 { return w.StartNS + w.WidthNS }

// callBits is how many bits of a trigram one call takes.
const callBits = 10

// Trigram packs three calls that one thread made in this order: a<<20 | b<<10 | c.
// A call that does not fit 10 bits (no known call does not) counts as 1023.
func Trigram(a, b, c trace.Call) uint32 {
	const top = 1<<callBits - 1
	return uint32(min(a, top))<<(2*callBits) | uint32(min(b, top))<<callBits | uint32(min(c, top))
}

// TrigramCalls unpacks a Trigram.
func TrigramCalls(t uint32) (a, b, c trace.Call) {
	const mask = 1<<callBits - 1
	return trace.Call(t >> (2 * callBits) & mask), trace.Call(t >> callBits & mask), trace.Call(t & mask)
}

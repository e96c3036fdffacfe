package adfald

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/feature"
	"mayfly/trace"
)

// WindowCalls is how many calls make a window, nearly: a trace of n calls
// becomes round(n/WindowCalls) windows of equal length, at least one. The
// dataset has no times, so windows are measured in calls; equal ones keep what
// is counted comparable, and this many leave room for orders of calls to show
// while half of the training traces, which are shorter, stay whole.
const WindowCalls = 256

// Width is the time that a window is given, since features want one.
const Width = time.Second

// Workload is the workload of every trace: the dataset does not say which
// program a process ran.
const Workload = "adfa-ld"

// missing is what the dataset does not know.
const missing = feature.MissingEvents | feature.MissingThreads | feature.MissingErrors

// ContainerID is what a trace's windows name as their container.
func (t *Trace) ContainerID() string {
	if t.Part == Attack {
		return t.Session + "/" + t.Name
	}
	return t.Part.String() + "/" + t.Name
}

// cuts are the places between the windows of n calls, from 0 to n.
func cuts(n int) []int {
	windows := max(1, (n+WindowCalls/2)/WindowCalls)
	at := make([]int, windows+1)
	for i := range at {
		at[i] = i * n / windows
	}
	return at
}

// Windows is how many windows the trace becomes.
func (t *Trace) Windows() int { return len(cuts(len(t.Calls))) - 1 }

// Records yields the windows of traces, trace after trace, each a container of
// its own whose windows follow each other from the start of 1970 on. A record is
// valid until the next one is asked for.
func Records(ctx context.Context, traces []Trace) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		b := feature.NewBuilder()
		defer b.Release()
		for i := range traces {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			traces[i].appendTo(b)
			if b.Len() < recordRows && i < len(traces)-1 {
				continue
			}
			rec := b.Record()
			goOn := yield(rec, nil)
			rec.Release()
			if !goOn {
				return
			}
		}
	}
}

const recordRows = 4096

func (t *Trace) appendTo(b *feature.Builder) {
	at := cuts(len(t.Calls))
	for i := range at[1:] {
		w := feature.Window{ContainerID: t.ContainerID(), ContainerName: t.Name, Workload: Workload,
			StartNS: int64(i) * Width.Nanoseconds(), WidthNS: Width.Nanoseconds(), Missing: missing}
		calls := t.Calls[at[i]:at[i+1]]
		w.Calls, w.CallCounts = count(calls)
		w.Counters[feature.NCalls] = uint32(len(calls))
		w.Counters[feature.NDistinctCalls] = uint32(len(w.Calls))
		// Trigrams that end in the window, those that begin before it included.
		var trigrams []uint32
		for j := max(2, at[i]); j < at[i+1]; j++ {
			trigrams = append(trigrams, feature.Trigram(t.Calls[j-2], t.Calls[j-1], t.Calls[j]))
		}
		w.Trigrams, w.TrigramCounts = count(trigrams)
		b.Append(&w)
	}
}

// count returns the different values, ascending, and how often each stands.
func count[T trace.Call | uint32](values []T) (keys []T, counts []uint32) {
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, func(a, b T) int { return cmp.Compare(a, b) })
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			keys, counts = append(keys, v), append(counts, 0)
		}
		counts[len(counts)-1]++
	}
	return keys, counts
}

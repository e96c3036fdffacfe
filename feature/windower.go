package feature

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mayfly/profile"
	"mayfly/trace"
)

// WindowerOptions says how rows become windows, and bounds the memory that it
// takes, whatever the trace holds.
type WindowerOptions struct {
	WidthNS    int64 // default 1 s
	LatenessNS int64 // how much later than a newer row a row may come; default 5 s, below 0 is 0
	HostToo    bool  // rows of no container make windows too, of container ""

	// Missing is what the trace does not hold (no sequences table, …).
	Missing Missing
	// Workload and Name say what is known of a container; nil knows nothing.
	Workload func(containerID string) string
	Name     func(containerID string) string

	MaxOpen     int // windows open at once; default 65536
	MaxCells    int // different things in all open windows; default 1<<22
	MaxItems    int // different items of one window; default 1024
	MaxTrigrams int // different trigrams of one window; default 8192
	MaxThreads  int // threads whose last calls, and processes whose birth is remembered; default 65536
	MaxLosses   int // loss rows that are placed in time; default 1<<20
}

// DefaultWindowerOptions are the options where a field is 0.
var DefaultWindowerOptions = WindowerOptions{WidthNS: 1e9, LatenessNS: 5e9, MaxOpen: 1 << 16, MaxCells: 1 << 22,
	MaxItems: 1024, MaxTrigrams: 8192, MaxThreads: 1 << 16, MaxLosses: 1 << 20}

func (o WindowerOptions) withDefaults() WindowerOptions {
	d := DefaultWindowerOptions
	o.WidthNS = cmp.Or(o.WidthNS, d.WidthNS)
	o.LatenessNS = max(cmp.Or(o.LatenessNS, d.LatenessNS), 0)
	o.MaxOpen = cmp.Or(o.MaxOpen, d.MaxOpen)
	o.MaxCells = cmp.Or(o.MaxCells, d.MaxCells)
	o.MaxItems = cmp.Or(o.MaxItems, d.MaxItems)
	o.MaxTrigrams = cmp.Or(o.MaxTrigrams, d.MaxTrigrams)
	o.MaxThreads = cmp.Or(o.MaxThreads, d.MaxThreads)
	o.MaxLosses = cmp.Or(o.MaxLosses, d.MaxLosses)
	unknown := func(s string) func(string) string { return func(string) string { return s } }
	if o.Workload == nil {
		o.Workload = unknown(profile.Unknown)
	}
	if o.Name == nil {
		o.Name = unknown("")
	}
	return o
}

// WindowerReport counts what a Windower did.
type WindowerReport struct {
	Rows       int64 `json:"rows"`                  // given to Add
	HostRows   int64 `json:"host_rows"`             // left out because they are of no container
	LateRows   int64 `json:"late_rows"`             // left out, wholly or partly, because their window was closed
	BadTimes   int64 `json:"bad_times"`             // left out because their time is before 1970 or after 2116
	FullRows   int64 `json:"full_rows"`             // left out, wholly or partly, because too much was open at one time
	EarlyClose int64 `json:"early_closes"`          // times that windows were closed before their lateness, for the same reason
	Windows    int64 `json:"windows"`               // emitted
	Lost       int64 `json:"lost"`                  // records that the recorder lost
	LossRows   int64 `json:"loss_rows"`             // rows of losses given to AddLoss, with Lost above 0
	LossFull   int64 `json:"loss_full"`             // of them, those not placed in time
	Gaps       int64 `json:"gaps,omitempty"`        // gaps, and times whose files were deleted
	GapWindows int64 `json:"gap_windows,omitempty"` // windows that touch one
}

// Windower deals trace rows out to tumbling event-time windows: one per
// container and width of time in which the container did anything. A window
// starts at a multiple of the width since 1970. Rows come in the order of
// trace.Merge, nearly in time order; a window is emitted, complete, when a row
// comes that is LatenessNS later than its end. Not safe for concurrent use.
type Windower struct {
	opts   WindowerOptions
	emit   func(*Window) error
	report WindowerReport

	buckets  map[int64]*bucket // by start
	recent   [256]*openWindow  // looked up last, by containerKey.place: most rows are of one of them
	starts   []int64           // of buckets, ascending
	open     int               // windows in buckets
	cells    int               // different things in them
	newest   int64             // time of the newest row
	closed   int64             // windows that start before this are emitted
	free     []*openWindow
	dealer   dealer
	births   births
	losses   map[containerKey]*lossSpans
	gaps     map[string]*lossSpans // by host
	out      Window
	calls    []uint32 // scratch
	slots    []uint64 // scratch
	started  bool
	finished bool
}

// bucket holds the open windows of one span of time.
type bucket struct {
	startNS int64
	windows map[containerKey]*openWindow
}

// openWindow is one window in the making.
type openWindow struct {
	key      containerKey
	startNS  int64 // -1: not in use
	counters [NumCounters]uint32
	calls    tally
	trigrams tally
	pids     tally
	tids     tally
	forkers  tally // processes that made others, by number, with how many
	children tally // those that they made
	started  []started
	items    map[string]*uint32 // counts
	cells    int
}

// NewWindower returns a Windower that gives each complete window to emit, in the
// order of start, container and host. The window is valid until emit returns. An
// error of emit ends the work and is returned as it is.
func NewWindower(opts WindowerOptions, emit func(*Window) error) (*Windower, error) {
	opts = opts.withDefaults()
	const day = 24 * 3600 * 1e9
	if opts.WidthNS < 1e6 || opts.WidthNS > day {
		return nil, fmt.Errorf("width: got %d ns, want 1 ms to 24 h", opts.WidthNS)
	}
	if opts.LatenessNS > day {
		return nil, fmt.Errorf("lateness: got %d ns, want at most 24 h", opts.LatenessNS)
	}
	for _, n := range []int{opts.MaxOpen, opts.MaxCells, opts.MaxItems, opts.MaxTrigrams, opts.MaxThreads, opts.MaxLosses} {
		if n < 1 {
			return nil, errors.New("windower: a bound below 1")
		}
	}
	return &Windower{opts: opts, emit: emit, buckets: map[int64]*bucket{}, closed: math.MinInt64,
		losses: map[containerKey]*lossSpans{}, gaps: map[string]*lossSpans{}, dealer: newDealer(opts.MaxThreads), births: newBirths(opts.MaxThreads)}, nil
}

// Report returns what was counted so far.
func (w *Windower) Report() WindowerReport { return w.report }

// maxTimeNS is where time ends for a Windower: sums of times below it do not
// overflow.
const maxTimeNS = 1 << 62

// Add deals out one row. The error is emit's, or names a machine whose system
// calls are not known.
func (w *Windower) Add(row trace.Row) error {
	w.report.Rows++
	if row.TimeNS < 0 || row.TimeNS >= maxTimeNS {
		w.report.BadTimes++
		return nil
	}
	if !w.started || row.TimeNS > w.newest {
		w.newest, w.started = row.TimeNS, true
		if err := w.closeUntil(w.newest - w.opts.LatenessNS); err != nil {
			return err
		}
	}
	return w.deal(row)
}

// Close emits the windows that are still open. The Windower is done.
func (w *Windower) Close() error {
	if w.finished {
		return nil
	}
	w.finished = true
	return w.closeUntil(math.MaxInt64)
}

// Flush emits every window that ends at or before a time; rows of them that come
// later are late.
func (w *Windower) Flush(watermarkNS int64) error { return w.closeUntil(watermarkNS) }

func (w *Windower) closeUntil(watermark int64) error {
	for len(w.starts) > 0 && w.starts[0] <= watermark-w.opts.WidthNS {
		if err := w.emitOldest(); err != nil {
			return err
		}
	}
	if watermark != math.MaxInt64 && watermark > math.MinInt64+w.opts.WidthNS {
		w.closed = max(w.closed, floorTo(watermark-w.opts.WidthNS, w.opts.WidthNS)+w.opts.WidthNS)
	}
	return nil
}

func floorTo(t, width int64) int64 {
	if m := t % width; m < 0 {
		return t - m - width
	} else {
		return t - m
	}
}

// window returns the open window of a container that starts at start; nil when
// it is closed already, or when there is no room.
func (w *Windower) window(key containerKey, start int64) (*openWindow, error) {
	if start < w.closed {
		return nil, nil
	}
	recent := &w.recent[key.place()]
	if o := *recent; o != nil && o.startNS == start && o.key == key {
		return o, nil
	}
	if b := w.buckets[start]; b != nil {
		if o := b.windows[key]; o != nil {
			*recent = o
			return o, nil
		}
	}
	for w.open >= w.opts.MaxOpen || w.cells >= w.opts.MaxCells {
		if len(w.starts) == 0 || w.starts[0] >= start {
			return nil, nil
		}
		w.report.EarlyClose++
		if err := w.emitOldest(); err != nil {
			return nil, err
		}
	}
	b := w.buckets[start]
	if b == nil {
		b = &bucket{startNS: start, windows: map[containerKey]*openWindow{}}
		w.buckets[start] = b
		i, _ := slices.BinarySearch(w.starts, start)
		w.starts = slices.Insert(w.starts, i, start)
	}
	o := &openWindow{items: map[string]*uint32{}}
	if n := len(w.free); n > 0 {
		o, w.free = w.free[n-1], w.free[:n-1]
	}
	o.key, o.startNS = containerKey{strings.Clone(key.host), strings.Clone(key.id)}, start
	b.windows[o.key], *recent = o, o
	w.open++
	return o, nil
}

// place is a container's in Windower.recent: ids are mostly hashes.
func (k *containerKey) place() uint8 {
	if n := len(k.id); n > 3 {
		return 31*(31*k.id[0]+k.id[1]) + k.id[n-1]
	}
	return 0
}

func (w *Windower) emitOldest() error {
	start := w.starts[0]
	b := w.buckets[start]
	w.starts = w.starts[1:]
	delete(w.buckets, start)
	w.closed = max(w.closed, start+w.opts.WidthNS)
	w.open -= len(b.windows)
	keys := slices.SortedFunc(maps.Keys(b.windows), func(a, b containerKey) int {
		return cmp.Or(strings.Compare(a.id, b.id), strings.Compare(a.host, b.host))
	})
	for _, key := range keys {
		o := b.windows[key]
		w.grow(o, start)
		w.cells -= o.cells
		w.fill(o, start)
		w.report.Windows++
		if err := w.emit(&w.out); err != nil {
			return err
		}
		o.reset()
		if len(w.free) < 1024 {
			w.free = append(w.free, o)
		}
	}
	return nil
}

// fill makes the window that is emitted.
func (w *Windower) fill(o *openWindow, start int64) {
	out := &w.out
	out.Host, out.ContainerID = o.key.host, o.key.id
	out.ContainerName, out.Workload = w.opts.Name(o.key.id), w.opts.Workload(o.key.id)
	out.StartNS, out.WidthNS, out.Missing = start, w.opts.WidthNS, w.opts.Missing
	out.Counters = o.counters
	out.TrigramCounts, out.CallCounts, out.ItemCounts = out.TrigramCounts[:0], out.CallCounts[:0], out.ItemCounts[:0]
	w.calls, out.CallCounts = o.calls.sorted(w.calls[:0], out.CallCounts, &w.slots)
	out.Calls = out.Calls[:0]
	for _, c := range w.calls {
		out.Calls = append(out.Calls, trace.Call(c))
	}
	out.Trigrams, out.TrigramCounts = o.trigrams.sorted(out.Trigrams[:0], out.TrigramCounts, &w.slots)
	out.Items = slices.AppendSeq(out.Items[:0], maps.Keys(o.items))
	slices.Sort(out.Items)
	for _, item := range out.Items {
		out.ItemCounts = append(out.ItemCounts, *o.items[item])
	}
	out.Counters[NDistinctCalls] = uint32(len(out.Calls))
	out.Counters[NActiveProcesses], out.Counters[NActiveThreads] = uint32(o.pids.n), uint32(o.tids.n)
	if spans := w.losses[o.key]; spans != nil {
		out.Counters[NLost] = spans.in(start, start+w.opts.WidthNS)
	}
	if spans := w.gaps[o.key.host]; spans != nil && spans.in(start, start+w.opts.WidthNS) > 0 {
		out.Missing |= TouchesGap
		w.report.GapWindows++
	}
}

func (o *openWindow) reset() {
	o.startNS, o.counters, o.cells = -1, [NumCounters]uint32{}, 0
	for _, t := range []*tally{&o.calls, &o.trigrams, &o.pids, &o.tids, &o.forkers, &o.children} {
		t.reset()
	}
	clear(o.items)
	clear(o.started)
	o.started = o.started[:0]
}

package dockercve

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/feature"
	"mayfly/trace"
)

// Width is the width of every window.
const Width = 100 * time.Millisecond

// Bounds of one file of windows; the largest real one has 11,000 rows, 153
// columns and 6 MB.
const (
	maxWindowBytes = 64 << 20
	maxColumns     = 1024
	recordRows     = 4096
)

// Segment is a part of a run. Its string is the dataset's word.
type Segment uint8

// The segments of a run, in time order.
const (
	Train1 Segment = iota
	Train2
	Train3
	Test
)

var segmentNames = [...]string{"train1", "train2", "train3", "test"}

func (s Segment) String() string { return segmentNames[s] }

// Row says where a window stands.
type Row struct {
	Run         int
	Segment     Segment
	SegRow      int   // from the start of the segment
	TimestampMS int64 // since 1970-01-01 UTC, when the window begins
}

// Train keeps the windows that a model may learn from.
func Train(r Row) bool { return r.Segment != Test }

// Windows are all windows of one CVE, in the order of run and time. They are
// read-only and safe for concurrent use.
type Windows struct {
	CVE    string
	Rows   []Row
	calls  []trace.Call // ascending, one per column
	counts []uint32     // row by row
}

// header is what stands before the columns of calls.
var header = []string{"run", "segment", "row", "seg_row", "timestamp_ms", "after_trigger", "in_attack"}

// ReadWindows reads a gzip of windows. name stands for the input in errors,
// which also name the line. A segment's rows are consecutive windows: a gap, a
// repeat or another order is an error.
func ReadWindows(r io.Reader, name, cve string) (*Windows, error) {
	z, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	in := csv.NewReader(&bounded{z, maxWindowBytes})
	in.ReuseRecord = true
	first, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: empty", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w := &Windows{CVE: cve}
	columns, err := w.columns(first)
	if err != nil {
		return nil, fmt.Errorf("%s:1: %w", name, err)
	}
	names := slices.Clone(first)
	for {
		f, err := in.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return w, nil
		case errors.As(err, &bad):
			return nil, fmt.Errorf("%s:%d: %w", name, bad.Line, bad.Err)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := w.add(f, columns, names); err != nil {
			line, _ := in.FieldPos(0)
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
}

// columns reads the header, and returns the columns of calls in the order of
// their calls.
func (w *Windows) columns(first []string) ([]int, error) {
	if len(first) <= len(header) || len(first) > maxColumns || !slices.Equal(first[:len(header)], header) {
		return nil, fmt.Errorf("header: got %.80q, want %q and then calls", strings.Join(first, ","), strings.Join(header, ","))
	}
	type column struct {
		call trace.Call
		at   int
	}
	var all []column
	for i := len(header); i < len(first); i++ {
		call, ok := trace.CallNumber(first[i])
		if !ok {
			return nil, fmt.Errorf("column %d: no call is named %.40q", i+1, first[i])
		}
		all = append(all, column{call, i})
	}
	slices.SortFunc(all, func(a, b column) int { return cmp.Compare(a.call, b.call) })
	var at []int
	for i, c := range all {
		if i > 0 && all[i-1].call == c.call {
			return nil, fmt.Errorf("column %d: call %q stands twice", c.at+1, first[c.at])
		}
		at = append(at, c.at)
		w.calls = append(w.calls, c.call)
	}
	return at, nil
}

// add reads one line.
func (w *Windows) add(f []string, columns []int, names []string) error {
	segment := slices.Index(segmentNames[:], f[1])
	if segment < 0 {
		return fmt.Errorf("segment: got %.40q, want one of %v", f[1], segmentNames)
	}
	row := Row{Segment: Segment(segment)}
	var run, segRow int64
	for _, c := range []struct {
		i    int
		to   *int64
		most int64
	}{{0, &run, 1 << 30}, {3, &segRow, 1 << 30}, {4, &row.TimestampMS, 1 << 42}} {
		n, err := strconv.ParseInt(f[c.i], 10, 64)
		if err != nil || n < 0 || n > c.most {
			return fmt.Errorf("%s: got %.40q, want a whole number", names[c.i], f[c.i])
		}
		*c.to = n
	}
	row.Run, row.SegRow = int(run), int(segRow)
	if err := w.follows(row); err != nil {
		return err
	}
	for _, i := range columns {
		n, err := strconv.ParseUint(f[i], 10, 32)
		if err != nil {
			return fmt.Errorf("%s: got %.40q, want a count", names[i], f[i])
		}
		w.counts = append(w.counts, uint32(n))
	}
	w.Rows = append(w.Rows, row)
	return nil
}

// follows checks that a row is the next window.
func (w *Windows) follows(row Row) error {
	if len(w.Rows) == 0 {
		if row.SegRow != 0 {
			return fmt.Errorf("seg_row: got %d in the first row, want 0", row.SegRow)
		}
		return nil
	}
	last := w.Rows[len(w.Rows)-1]
	switch same := last.Run == row.Run && last.Segment == row.Segment; {
	case same && row.SegRow != last.SegRow+1:
		return fmt.Errorf("seg_row: got %d after %d", row.SegRow, last.SegRow)
	case same && row.TimestampMS != last.TimestampMS+Width.Milliseconds():
		return fmt.Errorf("timestamp_ms: got %d after %d, want windows of %v", row.TimestampMS, last.TimestampMS, Width)
	case !same && row.SegRow != 0:
		return fmt.Errorf("seg_row: got %d at the start of run %d %v, want 0", row.SegRow, row.Run, row.Segment)
	case !same && (row.Run < last.Run || row.Run == last.Run && row.Segment < last.Segment):
		return fmt.Errorf("run %d %v after run %d %v: want runs and segments in order", row.Run, row.Segment, last.Run, last.Segment)
	}
	return nil
}

// ContainerID is how the windows of one run and segment name their container:
// each segment is a container of its own, so that no feature looks back from
// one into another.
func ContainerID(cve string, run int, segment Segment) string {
	return fmt.Sprintf("%s/run%d/%v", cve, run, segment)
}

// Records yields the windows of the rows that keep wants, in order, as records
// of feature.Schema: one container per run and segment, the CVE as workload. A
// record is valid until the next one is asked for.
func (w *Windows) Records(ctx context.Context, keep func(Row) bool) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		b := feature.NewBuilder()
		defer b.Release()
		flush := func() bool {
			rec := b.Record()
			defer rec.Release()
			return yield(rec, nil)
		}
		var win feature.Window
		for i, row := range w.Rows {
			if !keep(row) {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			w.window(i, &win)
			b.Append(&win)
			if b.Len() == recordRows && !flush() {
				return
			}
		}
		if b.Len() > 0 {
			flush()
		}
	}
}

// Training yields the windows that a model may learn from, as
// detector.Training wants them.
func (w *Windows) Training(ctx context.Context) iter.Seq2[arrow.Record, error] {
	return w.Records(ctx, Train)
}

// window fills win with window i. The dataset counts calls and knows neither
// their order nor anything else.
func (w *Windows) window(i int, win *feature.Window) {
	row, counts := w.Rows[i], w.counts[i*len(w.calls):(i+1)*len(w.calls)]
	*win = feature.Window{
		ContainerID: ContainerID(w.CVE, row.Run, row.Segment), Workload: w.CVE,
		StartNS: row.TimestampMS * int64(time.Millisecond), WidthNS: Width.Nanoseconds(),
		Missing: feature.MissingEvents | feature.MissingOrder | feature.MissingThreads | feature.MissingErrors,
		Calls:   win.Calls[:0], CallCounts: win.CallCounts[:0],
	}
	var total uint64
	for c, n := range counts {
		if n > 0 {
			win.Calls, win.CallCounts = append(win.Calls, w.calls[c]), append(win.CallCounts, n)
			total += uint64(n)
		}
	}
	win.Counters[feature.NCalls] = uint32(min(total, 1<<32-1))
	win.Counters[feature.NDistinctCalls] = uint32(len(win.Calls))
}

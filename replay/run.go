package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/sink"
	"mayfly/trace"
)

// Options say what a run remembers, writes and bounds. The zero value scores
// everything, remembers nothing, and takes the defaults.
type Options struct {
	StatePath   string    // remembers what has been scored; "": everything is scored
	OutputPath  string    // findings; appended to when there is a state, replaced otherwise
	Output      io.Writer // findings where there is no OutputPath; nil: nowhere
	Format      string    // of the findings: a form of package sink; default sink.NDJSON
	Creator     string    // version that forms name which say who wrote them
	SinceNS     int64     // windows that end by then are passed over, ns since 1970-01-01 UTC; 0: none
	Page        bool      // gather what Report.Page shows
	PlanDir     string    // folder for response plans, one for each finding; "": none
	LatenessNS  int64     // how late a row may come; default 5 s
	Threads     int       // below 1: all processors; no influence on the result
	MaxReasons  int       // features and calls per finding; default 6
	MaxEvidence int       // event rows per finding; default 20

	// Planned is told how many rows of events and sequences will be read to score what
	// is due; again where a damaged file makes the run begin anew. It may be nil.
	Planned func(rows int64)
}

func (o Options) withDefaults() Options {
	o.Format = cmp.Or(o.Format, sink.NDJSON)
	if o.LatenessNS == 0 {
		o.LatenessNS = feature.DefaultWindowerOptions.LatenessNS
	}
	if o.MaxReasons == 0 {
		o.MaxReasons = 6
	}
	if o.MaxEvidence == 0 {
		o.MaxEvidence = 20
	}
	return o
}

// Report says what a run did.
type Report struct {
	Files      int   `json:"files"`       // scored
	Before     int   `json:"before"`      // scored by an earlier run
	LateFiles  int   `json:"late_files"`  // of Files: came when their time had been scored; their windows were not
	Windows    int64 `json:"windows"`     // scored
	Waiting    int64 `json:"waiting"`     // not complete yet: they are scored when later files are sealed
	Alarms     int64 `json:"alarms"`      // of the windows scored, those above the threshold
	Unlearned  int64 `json:"unlearned"`   // alarms of workloads not learned, after the first of their container: in no finding
	Findings   int64 `json:"findings"`    // written
	Open       int   `json:"open"`        // episodes that may still go on: the state holds them, a later run writes them
	Containers int   `json:"containers"`  // of the windows scored
	Lost       int64 `json:"lost"`        // records lost within the windows scored
	GapWindows int64 `json:"gap_windows"` // of the windows scored, those that touch a gap: that one has no finding says less
	LateRows   int64 `json:"late_rows"`   // came after their window had been scored

	// Workloads compares what was scored with what was learned, by name.
	Workloads []Comparison `json:"workloads"`

	// Page is the run as a page for people, where it was asked for.
	Page *Page `json:"-"`

	// Rejected are the files that could not be read. The others were scored.
	Rejected []error `json:"-"`
}

// Run scores the windows of traces that no earlier run with the same state has
// scored, merges those above the threshold into episodes and writes a finding for
// each, in the order in which they are closed; one that may still go on is held in
// the state. Findings of several runs are those of one, but for trigrams of calls
// that a thread made farther apart than the longest time scale.
//
// A file that turns out to be damaged is left out and reported. When Run fails
// before it writes, neither output nor state has changed; when it is cut off while
// it writes, the next run removes what it had written and does it again.
func Run(ctx context.Context, d *detector.Detector, traces []*trace.Trace, opts Options) (*Report, error) {
	opts = opts.withDefaults()
	if opts.StatePath != "" && opts.OutputPath != "" && !sink.Grows(opts.Format) {
		return nil, fmt.Errorf("format %s: a file of it cannot grow from run to run, which a state is for: want %s or %s, or no state", opts.Format, sink.NDJSON, sink.OCSF)
	}
	if opts.OutputPath != "" {
		path, err := filepath.Abs(opts.OutputPath)
		if err != nil {
			return nil, fmt.Errorf("findings: %w", err)
		}
		opts.OutputPath = path
	}
	sum, err := d.SHA256()
	if err != nil {
		return nil, err
	}
	if opts.StatePath == "" {
		return runHosts(ctx, d, sum, slices.Clone(traces), opts)
	}
	unlock, err := lockState(opts.StatePath)
	if err != nil {
		return nil, err
	}
	defer unlock()
	traces = slices.Clone(traces)
	rejected := leaveOutFuture(traces, time.Now().Add(day).UnixNano())
	for {
		report, err := runState(ctx, d, sum, traces, opts)
		var bad *trace.FileError
		if errors.As(err, &bad) && ctx.Err() == nil && leaveOut(traces, bad.Path) {
			rejected = append(rejected, err)
			continue
		}
		if err == nil {
			report.Rejected = rejected
		}
		return report, err
	}
}

// runState is one attempt at Run with a state: all hosts in one pass, whose order of
// findings is that of runHosts.
func runState(ctx context.Context, d *detector.Detector, sum string, traces []*trace.Trace, opts Options) (*Report, error) {
	s, err := readState(opts.StatePath, sum)
	if err != nil {
		return nil, err
	}
	out, err := newOutput(d, traces, opts)
	if err != nil {
		return nil, err
	}
	defer out.lines.close()
	p, err := onePass(ctx, d, sum, traces, s, opts, out.add)
	if err != nil {
		return nil, errors.Join(err, out.responses.discard())
	}
	return p.tally().Finish(), p.commit(out)
}

// onePass scores everything, without a trace of it anywhere yet but for what found
// does with each finding.
func onePass(ctx context.Context, d *detector.Detector, sum string, traces []*trace.Trace, s *state, opts Options, found func(context.Context, *Found) error) (*pass, error) {
	recording, err := feature.NewRecording(ctx, traces...)
	if err != nil {
		return nil, err
	}
	p := newPass(d, sum, recording, s, opts)
	p.found = found
	p.known = len(recording.Files)
	p.finals = finalSeals(traces)
	sealed := sealedThrough(traces, d.Manifest.WidthNS, opts.LatenessNS)
	p.plan = makePlan(recording.Files, sealed, s, opts.StatePath != "", opts.contextNS(d), opts.SinceNS)
	recording.Files = p.plan.files
	if opts.Planned != nil {
		opts.Planned(p.plan.rows())
	}
	return p, p.run(ctx)
}

const day = 24 * time.Hour

// leaveOutFuture takes out the files whose rows reach beyond a time: a clock that
// was wrong for a moment would make the state pass over all that comes until then.
func leaveOutFuture(traces []*trace.Trace, untilNS int64) (rejected []error) {
	for _, t := range traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				if f.Meta.ToNS > untilNS && leaveOut(traces, f.Path) {
					rejected = append(rejected, &trace.FileError{Path: f.Path, Err: errors.New("its rows are of the future, by more than a day")})
				}
			}
		}
	}
	return rejected
}

// leaveOut takes a file out of the traces, and reports whether it was in one.
func leaveOut(traces []*trace.Trace, path string) bool {
	out := false
	for i, t := range traces {
		traces[i] = t.Without(path)
		out = out || traces[i] != t
	}
	return out
}

// contextNS is how far back a window depends on what came before it.
func (o Options) contextNS(d *detector.Detector) int64 {
	return int64(d.Space.LongWindows+1)*d.Manifest.WidthNS + feature.LineageNS + o.LatenessNS
}

package replay

import (
	"context"
	"errors"
	"io"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/trace"
)

// Options say what a run remembers, writes and bounds. The zero value scores
// everything, remembers nothing, and takes the defaults.
type Options struct {
	StatePath   string    // remembers what has been scored; "": everything is scored
	OutputPath  string    // findings; appended to when there is a state, replaced otherwise
	Output      io.Writer // findings where there is no OutputPath; nil: nowhere
	LatenessNS  int64     // how late a row may come; default 5 s
	Threads     int       // below 1: all processors; no influence on the result
	MaxReasons  int       // features and calls per finding; default 6
	MaxEvidence int       // event rows per finding; default 20
}

func (o Options) withDefaults() Options {
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
	Files      int   `json:"files"`      // scored
	Before     int   `json:"before"`     // scored by an earlier run
	LateFiles  int   `json:"late_files"` // of Files: came when their time had been scored; their windows were not
	Windows    int64 `json:"windows"`    // scored
	Waiting    int64 `json:"waiting"`    // not complete yet: they are scored when later files are sealed
	Findings   int64 `json:"findings"`   // written
	Echoes     int64 `json:"echoes"`     // alarms soon after a finding, with nothing new in them: not written
	Containers int   `json:"containers"` // of the windows scored
	Lost       int64 `json:"lost"`       // records lost within the windows scored
	LateRows   int64 `json:"late_rows"`  // came after their window had been scored

	// Rejected are the files that could not be read. The others were scored.
	Rejected []error `json:"-"`
}

// Run scores the windows of traces that no earlier run with the same state has
// scored, and writes a finding for each that is above the threshold, in the
// order of time, host and container.
//
// A file that turns out to be damaged is left out and reported; it is tried again
// by the next run. When Run fails, neither output nor state has changed; when it
// is killed, the next run cuts off what it had written and does it again.
func Run(ctx context.Context, d *detector.Detector, traces []*trace.Trace, opts Options) (*Report, error) {
	opts = opts.withDefaults()
	sum, err := d.SHA256()
	if err != nil {
		return nil, err
	}
	unlock, err := lockState(opts.StatePath)
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := readState(opts.StatePath, sum)
	if err != nil {
		return nil, err
	}
	recording, err := feature.NewRecording(ctx, traces...)
	if err != nil {
		return nil, err
	}
	all, ended := recording.Files, endings(traces)
	report := &Report{}
	for {
		pass := newPass(d, sum, recording, opts)
		pass.plan = makePlan(all, ended, s, opts.StatePath != "", d.Manifest.WidthNS, opts.contextNS(d))
		recording.Files = pass.plan.files
		err := pass.run(ctx)
		var bad *trace.FileError
		if errors.As(err, &bad) && ctx.Err() == nil {
			if rest := without(all, bad.Path); len(rest) < len(all) {
				report.Rejected = append(report.Rejected, err)
				all = rest
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		pass.count(report, len(all))
		return report, pass.commit(s)
	}
}

// contextNS is how far back a window depends on what came before it.
func (o Options) contextNS(d *detector.Detector) int64 {
	return int64(d.Space.LongWindows+1)*d.Manifest.WidthNS + o.LatenessNS
}

func without(files []trace.File, path string) []trace.File {
	var rest []trace.File
	for _, f := range files {
		if f.Path != path {
			rest = append(rest, f)
		}
	}
	return rest
}

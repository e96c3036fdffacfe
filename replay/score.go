package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"mayfly/detector"
	"mayfly/trace"

	"golang.org/x/sync/errgroup"
)

// Tally is what a run counts, as a state that merges: associative, commutative, and
// for hosts that are in one of the two only.
type Tally struct {
	Report    Report                    `json:"report"` // but for Workloads
	Workloads map[string]*WorkloadTally `json:"workloads"`
	Rejected  []Rejection               `json:"rejected,omitempty"` // by path
	Opened    int                       `json:"opened"`             // files, of all tables, that could be opened
}

// Rejection is a file that could not be read.
type Rejection struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Check refuses what no file could be opened for, as a run over all does at once.
func (t *Tally) Check() error {
	if t.Opened > 0 || len(t.Rejected) == 0 {
		return nil
	}
	return fmt.Errorf("none of %d files can be read, the first: %s: %s", len(t.Rejected), t.Rejected[0].Path, t.Rejected[0].Why)
}

// Merge adds another tally; b is not changed, and not to be used any more.
func (t *Tally) Merge(b *Tally) {
	t.Opened += b.Opened
	r, o := &t.Report, &b.Report
	r.Files += o.Files
	r.Before += o.Before
	r.LateFiles += o.LateFiles
	r.Windows += o.Windows
	r.Waiting += o.Waiting
	r.Alarms += o.Alarms
	r.Unlearned += o.Unlearned
	r.Findings += o.Findings
	r.Open += o.Open
	r.Containers += o.Containers
	r.Lost += o.Lost
	r.GapWindows += o.GapWindows
	r.LateRows += o.LateRows
	if r.Page == nil {
		r.Page = o.Page
	} else if o.Page != nil {
		r.Page.merge(o.Page)
	}
	if t.Workloads == nil {
		t.Workloads = map[string]*WorkloadTally{}
	}
	for name, w := range b.Workloads {
		if mine := t.Workloads[name]; mine != nil {
			mine.merge(w)
		} else {
			t.Workloads[name] = w
		}
	}
	t.Rejected = append(t.Rejected, b.Rejected...)
	slices.SortFunc(t.Rejected, func(a, b Rejection) int { return cmp.Compare(a.Path, b.Path) })
}

// Finish is the report of a whole run.
func (t *Tally) Finish() *Report {
	r := t.Report
	r.Workloads = compare(t.Workloads)
	for _, bad := range t.Rejected {
		r.Rejected = append(r.Rejected, &trace.FileError{Path: bad.Path, Err: errors.New(bad.Why)})
	}
	return &r
}

// ScoreHost scores the windows of one host and writes its findings to out, a line of
// Found each, in the order of their places. traces have that host's files only, in
// the order of the command line. Only SinceNS, LatenessNS, Threads, MaxReasons,
// MaxEvidence and Page of opts count. A file that turns out to be damaged is left out
// and in the tally. What several hosts give is merged by Tally.Merge and Runs: the
// findings are the same for any parting and any order.
func ScoreHost(ctx context.Context, d *detector.Detector, traces []*trace.Trace, opts Options, out io.Writer) (*Tally, error) {
	sum, err := d.SHA256()
	if err != nil {
		return nil, err
	}
	lines, tally, err := scoreHost(ctx, d, sum, slices.Clone(traces), opts)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lines.Close() }() // it is gone already
	if _, err := io.Copy(out, lines); err != nil {
		return nil, fmt.Errorf("findings: %w", err)
	}
	return tally, nil
}

// scoreHost is ScoreHost into a file without a name, at its begin. Damaged files are
// taken out of traces.
func scoreHost(ctx context.Context, d *detector.Detector, sum string, traces []*trace.Trace, opts Options) (*os.File, *Tally, error) {
	opts = opts.withDefaults()
	opts.StatePath, opts.PlanDir = "", ""
	var rejected []Rejection
	opened := 0
	for _, t := range traces {
		for _, table := range trace.Tables() {
			opened += len(t.Files(table))
		}
	}
	for {
		lines, err := unnamed()
		if err != nil {
			return nil, nil, err
		}
		tally, err := scoreOnce(ctx, d, sum, traces, opts, lines)
		if err == nil {
			tally.Rejected, tally.Opened = rejected, opened
			return lines, tally, nil
		}
		err = errors.Join(err, lines.Close())
		var bad *trace.FileError
		if !errors.As(err, &bad) || ctx.Err() != nil || !leaveOut(traces, bad.Path) {
			return nil, nil, err
		}
		rejected = append(rejected, Rejection{bad.Path, bad.Err.Error()})
	}
}

// scoreOnce leaves lines at its begin.
func scoreOnce(ctx context.Context, d *detector.Detector, sum string, traces []*trace.Trace, opts Options, lines *os.File) (*Tally, error) {
	s, err := readState("", sum)
	if err != nil {
		return nil, err
	}
	encoder := json.NewEncoder(lines)
	p, err := onePass(ctx, d, sum, traces, s, opts, func(_ context.Context, f *Found) error {
		return encoder.Encode(f)
	})
	if err != nil {
		return nil, err
	}
	if _, err := lines.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("findings: %w", err)
	}
	return p.tally(), nil
}

// runHosts is Run without a state: host by host, several at a time.
func runHosts(ctx context.Context, d *detector.Detector, sum string, traces []*trace.Trace, opts Options) (*Report, error) {
	out, err := newOutput(d, traces, opts)
	if err != nil {
		return nil, err
	}
	defer out.lines.close()
	all, runs := &Tally{Workloads: map[string]*WorkloadTally{}}, &Runs{}
	defer runs.Close()
	if err := scoreHosts(ctx, d, sum, traces, opts, all, runs); err != nil {
		return nil, err
	}
	for _, bad := range all.Rejected {
		leaveOut(out.responses.traces, bad.Path)
	}
	out.page = all.Report.Page
	if err := runs.Each(func(f *Found) error { return out.add(ctx, f) }); err != nil {
		return nil, errors.Join(err, out.responses.discard())
	}
	return all.Finish(), out.commit(opts)
}

// scoreHosts adds what all hosts of traces give, several of them at a time.
func scoreHosts(ctx context.Context, d *detector.Detector, sum string, traces []*trace.Trace, opts Options, all *Tally, runs *Runs) error {
	hosts, each := hostsOf(traces), opts
	each.Threads = max(1, opts.threads()/max(1, len(hosts)))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(opts.threads())
	var mu sync.Mutex
	for _, host := range hosts {
		group.Go(func() error {
			own := make([]*trace.Trace, len(traces))
			for i, t := range traces {
				own[i] = t.Only(func(folder string) bool { return folder == host })
			}
			lines, tally, err := scoreHost(groupCtx, d, sum, own, each)
			if err != nil {
				return err
			}
			defer func() { _ = lines.Close() }() // it is gone already
			mu.Lock()
			defer mu.Unlock()
			all.Merge(tally)
			return runs.Add(lines)
		})
	}
	return group.Wait()
}

func (o Options) threads() int {
	if o.Threads < 1 {
		return runtime.GOMAXPROCS(0)
	}
	return o.Threads
}

func hostsOf(traces []*trace.Trace) (hosts []string) {
	for _, t := range traces {
		hosts = append(hosts, t.HostFolders()...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

package replay

import (
	"context"
	"fmt"
	"math"
	"strings"

	"mayfly/detector"
	"mayfly/feature"
)

// batchWindows is how many windows are scored at a time.
const batchWindows = 1024

// maxPending is for how many windows evidence is gathered in one reading, and how
// many episodes wait to be written.
const maxPending = 256

// pass is one attempt at the whole of a run. Until commit it touches nothing but
// memory and a temporary file, and its state is its own.
type pass struct {
	d         *detector.Detector
	sum       string
	recording *feature.Recording
	state     *state
	opts      Options
	plan      *plan
	known     int // files of events and sequences in the traces

	scorer   *detector.Scorer
	builder  *feature.Builder
	pending  []*note // whose events are to be read
	closed   []closed
	open     map[containerKey]*life              // those with an open episode
	by       *containerKey                       // whose window's alarm is taken in; nil: none
	byAlarms int64                               // episodes that alarms have closed
	found    func(context.Context, *Found) error // takes each finding, in order

	gapNS  int64              // longest silence within an episode
	partNS int64              // age at which it is written, if it still goes on
	finals map[string][]int64 // final seals, by host
	page   *Page              // nil: none is asked for

	compared   comparisons
	report     Report
	containers map[containerKey]bool
	sweptNS    int64
	scoredNS   map[string]int64 // end of the last window scored, by host
}

type containerKey struct{ host, id string }

func newPass(d *detector.Detector, sum string, recording *feature.Recording, s *state, opts Options) *pass {
	p := &pass{
		d: d, sum: sum, recording: recording, state: s, opts: opts,
		scorer: d.NewScorer(opts.Threads), builder: feature.NewBuilder(),
		compared: comparisons{},
		open:     map[containerKey]*life{}, gapNS: d.EpisodeGapNS(),
		partNS:     2 * int64(d.Space.LongWindows) * d.Manifest.WidthNS,
		containers: map[containerKey]bool{}, scoredNS: map[string]int64{},
	}
	if opts.Page {
		p.page = newPage()
	}
	for host, progress := range s.Hosts {
		for id, l := range progress.Containers {
			p.scorer.Began(host, id, l.FirstNS)
			if l.Open != nil {
				p.open[containerKey{host, id}] = l
			}
		}
	}
	return p
}

// run scores all windows of the plan's files.
func (p *pass) run(ctx context.Context) error {
	defer p.builder.Release()
	windows := feature.WindowerOptions{WidthNS: p.d.Manifest.WidthNS, LatenessNS: p.opts.LatenessNS}
	report, err := p.recording.Windows(ctx, windows, func(w *feature.Window) error {
		p.builder.Append(w)
		if p.builder.Len() < batchWindows {
			return nil
		}
		return p.score(ctx)
	})
	if err != nil {
		return err
	}
	p.report.LateRows = report.LateRows
	if err := p.score(ctx); err != nil {
		return err
	}
	p.sweep(math.MaxInt64)
	for _, l := range p.open {
		if l.Open.Of.Alarms > 0 {
			p.report.Open++
		}
	}
	return p.flush(ctx)
}

// score scores the windows gathered so far.
func (p *pass) score(ctx context.Context) error {
	rec := p.builder.Record()
	defer rec.Release()
	scored, err := p.scorer.Score(rec)
	if err != nil {
		return err
	}
	defer scored.Release()
	var w feature.Window
	for i := range scored.Windows.Len() {
		scored.Windows.At(i, &w)
		span := p.plan.hosts[w.Host]
		if !span.due(w.EndNS()) {
			if w.EndNS() > span.throughNS {
				p.report.Waiting++
			}
			continue
		}
		if now := w.StartNS; now > p.sweptNS {
			p.sweep(now)
			p.sweptNS = now
		}
		l := p.done(&w)
		p.compared.add(p.d.Space, &w)
		if p.page != nil {
			p.page.see(&w, float64(scored.Scores[i]), scored.Alarm(i))
		}
		if !scored.Alarm(i) {
			continue
		}
		if err := p.alarm(scored, i, &w, l); err != nil {
			return err
		}
		if len(p.pending) >= maxPending || len(p.closed) >= maxPending {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// done counts a window that is scored now, and notes it in its container's life.
func (p *pass) done(w *feature.Window) *life {
	p.report.Windows++
	p.report.Lost += int64(w.Counters[feature.NLost])
	if w.Missing&feature.TouchesGap != 0 {
		p.report.GapWindows++
	}
	p.containers[containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}] = true
	host := p.state.host(w.Host)
	l := host.Containers[w.ContainerID]
	if l == nil {
		l = &life{FirstNS: w.StartNS, LastNS: math.MinInt64}
		host.Containers[strings.Clone(w.ContainerID)] = l
	}
	l.FirstNS, l.LastNS = min(l.FirstNS, w.StartNS), max(l.LastNS, w.EndNS())
	if w.EndNS() > p.scoredNS[w.Host] {
		p.scoredNS[strings.Clone(w.Host)] = w.EndNS()
	}
	return l
}

// flush gathers the evidence of the pending windows and writes the episodes that
// are closed, in the order in which they were.
func (p *pass) flush(ctx context.Context) error {
	if err := p.gather(ctx); err != nil {
		return err
	}
	for _, c := range p.closed {
		f, err := p.finding(c.e)
		if err != nil {
			return err
		}
		p.report.Findings++
		if err := p.found(ctx, &Found{c.place, f}); err != nil {
			return err
		}
	}
	p.closed = p.closed[:0]
	return nil
}

// tally is what the pass has counted.
func (p *pass) tally() *Tally {
	t := &Tally{Report: p.report, Workloads: p.compared.tally(p.d)}
	t.Report.Files, t.Report.Before = len(p.plan.fresh), p.known-len(p.plan.fresh)
	t.Report.LateFiles = len(p.plan.late)
	t.Report.Containers = len(p.containers)
	t.Report.Page = p.page
	return t
}

// commit writes the findings, then the state that says so.
func (p *pass) commit(out *output) error {
	if err := out.ready(); err != nil {
		return err
	}
	if p.opts.OutputPath == "" {
		if err := out.print(p.opts.Output); err != nil {
			return err
		}
	} else {
		if err := p.announce(); err != nil {
			return err
		}
		end, err := out.lines.appendAt(p.opts.OutputPath, p.state.Output[p.opts.OutputPath])
		if err != nil {
			return fmt.Errorf("findings: %w", err)
		}
		p.state.Output[p.opts.OutputPath] = end
	}
	for i := range p.plan.fresh {
		p.state.host(p.plan.fresh[i].Meta.Host).done(&p.plan.fresh[i])
	}
	for host, due := range p.plan.hosts {
		through := due.throughNS
		if through == math.MaxInt64 { // the recorder stopped; it may start again
			through = p.scoredNS[host]
		}
		p.state.host(host).advance(through)
	}
	return p.state.write(p.opts.StatePath)
}

// announce notes how long an output is that the state does not know. What stands
// there is not ours to cut off: findings of a detector before this one, or of a
// state that was lost. The state says so before a line is written, or a run that
// is killed would leave its own for ever.
func (p *pass) announce() error {
	if _, known := p.state.Output[p.opts.OutputPath]; known {
		return nil
	}
	end, err := length(p.opts.OutputPath)
	if err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	p.state.Output[p.opts.OutputPath] = end
	before, err := readState(p.opts.StatePath, p.sum) // without what this pass has learned
	if err != nil {
		return err
	}
	before.Output[p.opts.OutputPath] = end
	return before.write(p.opts.StatePath)
}

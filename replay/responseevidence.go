package replay

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"mayfly/detector"
	"mayfly/profile"
	"mayfly/trace"
)

// Rows of a finding's container that a plan keeps at most.
const (
	maxPlanEvents    = 50_000
	maxPlanSequences = 10_000
)

// evidence writes what a finding rests on: a trace of its container alone, from
// shortly before the first alarm to shortly after the last, and the profile of its
// workload. It returns how many rows were left out because there are too many.
func (r *responses) evidence(ctx context.Context, folder string, f *detector.Finding, container trace.Container) (cut int64, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return 0, err
	}
	c := copier{id: f.Mayfly.ContainerID, from: f.Mayfly.FromNS - storyPastNS, to: f.Mayfly.ToNS + storyAfterNS, dir: filepath.Join(folder, "trace")}
	for _, t := range r.host(f.Hostname) {
		if err := c.copy(ctx, t); err != nil {
			return 0, errors.Join(err, c.abort())
		}
	}
	if c.w != nil {
		if container.TimeNS != 0 {
			if err := c.w.Containers([]trace.Container{container}); err != nil {
				return 0, errors.Join(err, c.abort())
			}
		}
		if err := c.w.Close(); err != nil {
			return 0, err
		}
	}
	if r.d.Space != nil && r.d.Space.Profile != nil {
		if w := r.d.Space.Profile.Workload(f.Mayfly.Workload); w != nil {
			p := &profile.Profile{Workloads: []profile.Workload{*w}}
			var out bytes.Buffer
			if err := p.Encode(&out); err != nil {
				return 0, err
			}
			if err := os.WriteFile(filepath.Join(folder, "profile.json"), out.Bytes(), 0o644); err != nil {
				return 0, err
			}
		}
	}
	return c.cut, nil
}

// copier writes the rows of one container within a time to a trace of their own.
type copier struct {
	id                string
	from, to          int64
	dir               string
	w                 *trace.Writer
	events, sequences int
	cut               int64
}

func (c *copier) copy(ctx context.Context, t *trace.Trace) error {
	if err := copyTable(ctx, c, t, trace.Events, maxPlanEvents, &c.events,
		func(e *trace.Event) (string, int64, int64) { return e.ContainerID, e.TimeNS, e.TimeNS },
		func(rows []trace.Event) error { return c.w.Events(rows) }); err != nil {
		return err
	}
	if err := copyTable(ctx, c, t, trace.Sequences, maxPlanSequences, &c.sequences,
		func(s *trace.Sequence) (string, int64, int64) { return s.ContainerID, s.TimeNS, s.TimeNS + s.SpanNS },
		func(rows []trace.Sequence) error { return c.w.Sequences(rows) }); err != nil {
		return err
	}
	none := 0
	return copyTable(ctx, c, t, trace.Losses, maxPlanEvents, &none,
		func(l *trace.Loss) (string, int64, int64) { return l.ContainerID, l.FromNS, l.ToNS },
		func(rows []trace.Loss) error { return c.w.Losses(rows) })
}

// copyTable copies a table; of says of a row its container and its time.
func copyTable[T trace.Event | trace.Sequence | trace.Loss](ctx context.Context, c *copier, t *trace.Trace, table trace.Table, most int, n *int,
	of func(*T) (id string, from, to int64), write func([]T) error) error {
	for _, f := range t.Files(table) {
		if f.Meta.FromNS > c.to || f.Meta.ToNS < c.from {
			continue
		}
		for rec, err := range t.Scan(ctx, table, trace.ScanOptions{Files: []trace.File{f}}) {
			if err != nil {
				return err
			}
			rows, err := trace.Rows[T](rec)
			rec.Release()
			if err != nil {
				return err
			}
			var kept []T
			for i := range rows {
				id, from, to := of(&rows[i])
				switch {
				case id != c.id || from > c.to || to < c.from:
				case *n >= most:
					c.cut++
				default:
					kept = append(kept, rows[i])
					*n++
				}
			}
			if len(kept) == 0 {
				continue
			}
			if err := c.open(f.Meta); err != nil {
				return err
			}
			if err := write(kept); err != nil {
				return err
			}
		}
	}
	return nil
}

// open begins the trace, with what the first file says of its recording.
func (c *copier) open(meta trace.Meta) (err error) {
	if c.w != nil {
		return nil
	}
	meta.FromNS, meta.ToNS, meta.Final = 0, 0, false
	c.w, err = trace.NewWriter(c.dir, meta, trace.DefaultWriterOptions())
	return err
}

func (c *copier) abort() error {
	if c.w == nil {
		return nil
	}
	return c.w.Abort()
}

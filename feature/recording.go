package feature

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"mayfly/profile"
	"mayfly/trace"
)

// Recording is what windows are made of: the rows of some files, and what their
// traces know of containers and losses.
type Recording struct {
	Files      []trace.File               // of events and sequences; a caller may narrow them
	Containers map[string]trace.Container // by id

	traces    []*trace.Trace
	workloads map[string]string // by container id
}

// NewRecording gathers all that traces hold. A container that several of them
// know has the facts of the last one.
func NewRecording(ctx context.Context, traces ...*trace.Trace) (*Recording, error) {
	r := &Recording{Containers: map[string]trace.Container{}, traces: traces, workloads: map[string]string{}}
	for _, t := range traces {
		r.Files = append(r.Files, t.Files(trace.Events)...)
		r.Files = append(r.Files, t.Files(trace.Sequences)...)
		containers, err := t.Containers(ctx)
		if err != nil {
			return nil, err
		}
		for id, c := range containers {
			r.Containers[id] = c
			r.workloads[id] = profile.WorkloadName(c.Image, c.ImageDigest)
		}
	}
	return r, nil
}

// Windows deals the rows of the files out to windows and gives each to emit, as
// a Windower does. Missing, Workload and Name of opts are the recording's. Memory
// is bounded as the Windower's is.
func (r *Recording) Windows(ctx context.Context, opts WindowerOptions, emit func(*Window) error) (WindowerReport, error) {
	opts.Missing = r.missing()
	opts.Workload = func(id string) string { return cmp.Or(r.workloads[id], profile.Unknown) }
	opts.Name = func(id string) string { return r.Containers[id].Name }
	windower, err := NewWindower(opts, emit)
	if err != nil {
		return WindowerReport{}, err
	}
	if err := r.addLosses(ctx, windower); err != nil {
		return windower.Report(), err
	}
	for row, err := range trace.MergeFiles(ctx, r.Files) {
		if err != nil {
			return windower.Report(), err
		}
		if err := windower.Add(row); err != nil {
			return windower.Report(), err
		}
	}
	err = windower.Close()
	return windower.Report(), err
}

// addLosses gives the recorder's losses to the windower.
func (r *Recording) addLosses(ctx context.Context, to *Windower) error {
	for _, t := range r.traces {
		for _, file := range t.Files(trace.Losses) {
			for rec, err := range t.Scan(ctx, trace.Losses, trace.ScanOptions{Files: []trace.File{file}}) {
				if err != nil {
					return err
				}
				rows, err := trace.Rows[trace.Loss](rec)
				rec.Release()
				if err != nil {
					return fmt.Errorf("%s: %w", file.Path, err)
				}
				for i := range rows {
					to.AddLoss(file.Meta.Host, &rows[i])
				}
			}
		}
	}
	return nil
}

// missing says what no file holds.
func (r *Recording) missing() Missing {
	has := func(table trace.Table) bool {
		return slices.ContainsFunc(r.Files, func(f trace.File) bool { return f.Table == table })
	}
	var m Missing
	if !has(trace.Events) {
		m |= MissingEvents | MissingErrors
	}
	if !has(trace.Sequences) {
		m |= MissingCalls | MissingOrder
	}
	return m
}

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
	missing   Missing
	workloads map[string]string // by container id
}

// NewRecording gathers all that traces hold. A container that several of them
// know has the facts of the last one. A file that is given twice is an error.
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
			r.workloads[id] = profile.NameOf(&c)
		}
	}
	r.missing = missing(r.Files)
	return r, r.unlike()
}

// Windows deals the rows of the files out to windows and gives each to emit, as
// a Windower does. Missing, Workload and Name of opts are the recording's. Memory
// is bounded as the Windower's is.
func (r *Recording) Windows(ctx context.Context, opts WindowerOptions, emit func(*Window) error) (WindowerReport, error) {
	opts.Missing = r.missing
	opts.Workload = func(id string) string { return cmp.Or(r.workloads[id], profile.Unknown) }
	opts.Name = func(id string) string { return r.Containers[id].Name }
	windower, err := NewWindower(opts, emit)
	if err != nil {
		return WindowerReport{}, err
	}
	if err := r.addLosses(ctx, windower); err != nil {
		return windower.Report(), err
	}
	for row, err := range trace.MergeColumns(ctx, r.Files, windowColumns) {
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

// windowColumns are what a Windower reads of a trace's columns, which is half of them.
var windowColumns = map[trace.Table][]string{
	trace.Events: {"time_ns", "kind", "container_id", "pid", "tid", "ppid", "exe", "ret", "path", "path2", "argv",
		"exe_origin", "flags", "arg", "target_pid", "family", "addr", "port", "local_addr", "local_port"},
	trace.Sequences: {"time_ns", "span_ns", "container_id", "pid", "tid", "start_ns", "chunk", "calls"},
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

// RecorderSource is what mayfly's own recorder calls itself in trace.Meta.
const RecorderSource = "mayfly record"

// missing says what the files cannot tell. What a foreign source has no file of, it
// may not know; where mayfly's recorder wrote none, there was nothing.
func missing(files []trace.File) Missing {
	has := func(table trace.Table) bool {
		return slices.ContainsFunc(files, func(f trace.File) bool { return f.Table == table || f.Meta.Source == RecorderSource })
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

// unlike refuses a file that stands in two of the traces: it would count twice.
func (r *Recording) unlike() error {
	type name struct {
		rel, host, boot, source string
		from, to, rows          int64
	}
	seen := map[name]string{}
	for i := range r.Files {
		f := &r.Files[i]
		m := &f.Meta
		n := name{f.Rel, m.Host, m.BootID, m.Source, m.FromNS, m.ToNS, f.Rows}
		if other, ok := seen[n]; ok {
			return fmt.Errorf("%s: holds the same rows as %s, which is given too", f.Path, other)
		}
		seen[n] = f.Path
	}
	return nil
}

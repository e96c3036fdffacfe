package pseudonym

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mayfly/trace"
)

// Report says what became of the traces.
type Report struct {
	Files int   `json:"files"`
	Rows  int64 `json:"rows"`
	Names int   `json:"names"` // different components of names and paths
}

// Write writes the rows of traces, their names replaced, as a new trace. dir must not
// be there; it appears whole, or not at all.
func Write(ctx context.Context, traces []*trace.Trace, m *Mapper, dir string) (r *Report, err error) {
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: is there already; a trace with names replaced is written as a new one", dir)
	}
	temp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".mayfly-redact-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	r = &Report{}
	for _, recording := range recordings(traces) {
		if err := recording.write(ctx, m, temp, r); err != nil {
			return nil, err
		}
	}
	r.Names = len(m.parts)
	return r, os.Rename(temp, dir)
}

// recording is what was written by one run of a recorder.
type recording struct {
	meta   trace.Meta
	traces []*trace.Trace
}

// recordings tells runs apart by what their files say of them, so that each row stays
// under the boot and the clock that its times are of.
func recordings(traces []*trace.Trace) []*recording {
	var all []*recording
	for _, t := range traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				meta := f.Meta
				meta.FromNS, meta.ToNS, meta.Final = 0, 0, false
				i := slices.IndexFunc(all, func(r *recording) bool { return same(&r.meta, &meta) })
				if i < 0 {
					i = len(all)
					all = append(all, &recording{meta: meta})
				}
				if !slices.Contains(all[i].traces, t) {
					all[i].traces = append(all[i].traces, t)
				}
			}
		}
	}
	return all
}

func same(a, b *trace.Meta) bool {
	return a.Host == b.Host && a.Arch == b.Arch && a.Kernel == b.Kernel && a.BootID == b.BootID && a.Recorder == b.Recorder &&
		a.ClockOffsetNS == b.ClockOffsetNS && a.Source == b.Source && slices.Equal(a.Blind, b.Blind)
}

func (rec *recording) write(ctx context.Context, m *Mapper, dir string, r *Report) error {
	meta := rec.meta
	meta.Host, meta.BootID = m.Text(meta.Host), m.Text(meta.BootID)
	w, err := trace.NewWriter(dir, meta, trace.WriterOptions{})
	if err != nil {
		return err
	}
	final := false
	for _, t := range rec.traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				if own := f.Meta; !same(&own, &rec.meta) {
					continue
				}
				final = final || f.Meta.Final
				if err := copyFile(ctx, f.Path, table, m, w, r); err != nil {
					return errors.Join(err, w.Abort())
				}
			}
		}
	}
	return w.Seal(final)
}

// copyFile copies the rows of one file.
func copyFile(ctx context.Context, path string, table trace.Table, m *Mapper, w *trace.Writer, r *Report) error {
	t, err := trace.Open(path)
	if err != nil {
		return err
	}
	r.Files++
	switch table {
	case trace.Events:
		return copyRows(ctx, t, table, m.event, w.Events, r)
	case trace.Sequences:
		return copyRows(ctx, t, table, m.sequence, w.Sequences, r)
	case trace.Processes:
		return copyRows(ctx, t, table, m.process, w.Processes, r)
	case trace.Containers:
		return copyRows(ctx, t, table, m.container, w.Containers, r)
	case trace.Losses:
		return copyRows(ctx, t, table, func(*trace.Loss) {}, w.Losses, r)
	}
	return fmt.Errorf("%s: table %s: its names are not known", path, table)
}

func copyRows[T trace.Event | trace.Sequence | trace.Process | trace.Container | trace.Loss](ctx context.Context, t *trace.Trace, table trace.Table,
	replace func(*T), write func([]T) error, r *Report) error {
	for rec, err := range t.Scan(ctx, table, trace.ScanOptions{}) {
		if err != nil {
			return err
		}
		rows, err := trace.Rows[T](rec)
		rec.Release()
		if err != nil {
			return err
		}
		for i := range rows {
			replace(&rows[i])
		}
		r.Rows += int64(len(rows))
		if err := write(rows); err != nil {
			return err
		}
	}
	return nil
}

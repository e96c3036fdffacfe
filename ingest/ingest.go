package ingest

import (
	"cmp"
	"context"
	"errors"

	"mayfly/feature"
)

// Options says what to make of traces.
type Options struct {
	Output     string // the FEATURES file to write
	WidthNS    int64  // of a window; default 1 s
	LatenessNS int64  // how late a row may come; default 5 s, below 0 is none
	HostToo    bool   // the host's own processes make windows too
	SkipBad    bool   // leave out traces that cannot be read, rather than to give up
	Creator    string // program and version, written into the file
}

// Report says what became of the traces.
type Report struct {
	feature.Counts
	Traces int        // used
	Files  int        // of events and sequences
	Bad    []BadTrace // left out, in the order given
}

// BadTrace is an input that could not be used.
type BadTrace struct {
	Path string
	Err  error // names the file and the cause
}

// Run makes one FEATURES file of traces (directories, or single Parquet files).
// Where something is wrong no file is left, the error names the file and the
// cause, and with SkipBad it is only reported, as long as one trace can be used.
func Run(ctx context.Context, paths []string, opts Options) (*Report, error) {
	if len(paths) == 0 {
		return nil, errors.New("ingest: no traces")
	}
	if opts.Output == "" {
		return nil, errors.New("ingest: no output")
	}
	in, err := open(ctx, paths, opts.SkipBad)
	if err != nil {
		return nil, err
	}
	if err := in.apart(opts.Output); err != nil {
		return nil, err
	}
	out, err := feature.CreateFile(opts.Output)
	if err != nil {
		return nil, err
	}
	counts, err := in.write(ctx, out, opts)
	if err != nil {
		return nil, errors.Join(err, out.Abort())
	}
	p := &feature.Provenance{WidthNS: opts.width(), LateNS: opts.lateness(), HostToo: opts.HostToo,
		Inputs: in.inputs, Counts: *counts, Creator: opts.Creator, BadInputs: len(in.bad)}
	if err := out.Close(p); err != nil {
		return nil, err
	}
	return &Report{Counts: *counts, Traces: len(in.traces), Files: len(in.inputs), Bad: in.bad}, nil
}

func (o Options) width() int64 { return cmp.Or(o.WidthNS, feature.DefaultWindowerOptions.WidthNS) }
func (o Options) lateness() int64 {
	return max(0, cmp.Or(o.LatenessNS, feature.DefaultWindowerOptions.LatenessNS))
}

// write deals all rows out to windows and writes them.
func (in *inputs) write(ctx context.Context, out *feature.FileWriter, opts Options) (*feature.Counts, error) {
	counts := &feature.Counts{}
	containers := map[[2]string]struct{}{}
	emit := func(w *feature.Window) error {
		if counts.FromNS == 0 {
			counts.FromNS = w.StartNS
		}
		counts.ToNS = max(counts.ToNS, w.EndNS())
		if key := [2]string{w.Host, w.ContainerID}; len(containers) < 1e6 {
			containers[key] = struct{}{}
		}
		return out.Append(w)
	}
	recording, err := feature.NewRecording(ctx, in.traces...)
	if err != nil {
		return nil, err
	}
	counts.WindowerReport, err = recording.Windows(ctx, feature.WindowerOptions{
		WidthNS: opts.WidthNS, LatenessNS: opts.LatenessNS, HostToo: opts.HostToo}, emit)
	if err != nil {
		return nil, err
	}
	counts.Containers = len(containers)
	return counts, nil
}

package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"mayfly/feature"
	"mayfly/trace"

	"golang.org/x/sync/errgroup"
)

// Hosts lists the hosts of traces by the names of their folders, sorted: the units
// that ingest may be parted by. A window has rows of one host only, and no more than
// a host's own rows say when a window is complete, so that nothing passes between
// hosts. Within a host much does: a window takes rows of several files and of both
// tables, and a thread's trigrams go on from file to file. A host's rows are
// therefore one stream, which one processor reads faster than a host can write it.
func Hosts(paths []string) ([]string, error) {
	var all []string
	for _, path := range paths {
		hosts, err := trace.HostFolders(path)
		if err != nil {
			return nil, err
		}
		all = append(all, hosts...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Partial deals the rows of one host out to windows, which it gives to emit in the
// order of feature.Window.Compare; a window is valid until emit returns. traces have
// that host's files only (trace.OpenHosts, trace.Trace.Only), in the order of the
// command line. What comes back is merged by feature.Provenance.Merge, the windows by
// feature.Merge: a FEATURES file of both is the same for any parting and any order.
// Only WidthNS, LatenessNS, HostToo and Creator of opts count. Memory is a Windower's.
func Partial(ctx context.Context, traces []*trace.Trace, opts Options, emit func(*feature.Window) error) (*feature.Provenance, error) {
	in, err := inputsOf(traces)
	if err != nil {
		return nil, err
	}
	return in.partial(ctx, opts, emit)
}

// WritePart is Partial into a FEATURES file that is to be merged with those of other
// hosts (feature.CreatePart).
func WritePart(ctx context.Context, traces []*trace.Trace, path string, opts Options) (*feature.Provenance, error) {
	in, err := inputsOf(traces)
	if err != nil {
		return nil, err
	}
	return in.part(ctx, path, opts)
}

func inputsOf(traces []*trace.Trace) (*inputs, error) {
	in := &inputs{hashes: map[string]string{}}
	for _, t := range traces {
		if err := in.take(t); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// partial is Partial for traces whose files are described already.
func (in *inputs) partial(ctx context.Context, opts Options, emit func(*feature.Window) error) (*feature.Provenance, error) {
	p := &feature.Provenance{WidthNS: opts.width(), LateNS: opts.lateness(), HostToo: opts.HostToo,
		Inputs: slices.Clone(in.inputs), Creator: opts.Creator}
	p.SortInputs()
	containers := map[[2]string]struct{}{}
	recording, err := feature.NewRecording(ctx, in.traces...)
	if err != nil {
		return nil, err
	}
	p.Counts.WindowerReport, err = recording.Windows(ctx, feature.WindowerOptions{
		WidthNS: opts.WidthNS, LatenessNS: opts.LatenessNS, HostToo: opts.HostToo,
	}, func(w *feature.Window) error {
		if p.Counts.FromNS == 0 {
			p.Counts.FromNS = w.StartNS
		}
		p.Counts.ToNS = max(p.Counts.ToNS, w.EndNS())
		if key := [2]string{w.Host, w.ContainerID}; len(containers) < 1e6 {
			containers[key] = struct{}{}
		}
		return emit(w)
	})
	if err != nil {
		return nil, err
	}
	p.Counts.Containers = len(containers)
	return p, nil
}

// hosts are the folders of the hosts that there are rows of, sorted.
func (in *inputs) hosts() (hosts []string) {
	for i := range in.files {
		hosts = append(hosts, in.files[i].HostFolder())
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// only is the inputs with the files of one host.
func (in *inputs) only(host string) *inputs {
	out := &inputs{}
	for _, t := range in.traces {
		out.traces = append(out.traces, t.Only(func(folder string) bool { return folder == host }))
	}
	for i := range in.files {
		if in.files[i].HostFolder() == host {
			out.inputs = append(out.inputs, in.inputs[i])
		}
	}
	return out
}

// write makes the windows of all hosts, several hosts at a time, and writes them.
func (in *inputs) write(ctx context.Context, out *feature.FileWriter, opts Options) (*feature.Provenance, error) {
	hosts := in.hosts()
	if len(hosts) == 1 {
		return in.partial(ctx, opts, out.Append)
	}
	dir, err := os.MkdirTemp(filepath.Dir(opts.Output), "."+filepath.Base(opts.Output)+".*.tmp")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	parts := make([]string, len(hosts))
	for i := range hosts {
		parts[i] = filepath.Join(dir, fmt.Sprintf("%d.parquet", i))
	}
	made, err := in.parts(ctx, hosts, parts, opts)
	if err != nil {
		return nil, err
	}
	if err := feature.MergeFiles(ctx, parts, dir, out.Append); err != nil {
		return nil, err
	}
	return joined(made)
}

func joined(made []*feature.Provenance) (*feature.Provenance, error) {
	for _, p := range made[1:] {
		if err := made[0].Merge(p); err != nil {
			return nil, err
		}
	}
	return made[0], nil
}

// parts writes the windows of each host into a file of its own, several hosts at a time.
func (in *inputs) parts(ctx context.Context, hosts, paths []string, opts Options) ([]*feature.Provenance, error) {
	made := make([]*feature.Provenance, len(hosts))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, host := range hosts {
		group.Go(func() (err error) {
			made[i], err = in.only(host).part(groupCtx, paths[i], opts)
			return err
		})
	}
	return made, group.Wait()
}

// part writes the windows of one host into a file of their own.
func (in *inputs) part(ctx context.Context, path string, opts Options) (*feature.Provenance, error) {
	out, err := feature.CreatePart(path)
	if err != nil {
		return nil, err
	}
	p, err := in.partial(ctx, opts, out.Append)
	if err != nil {
		return nil, errors.Join(err, out.Abort())
	}
	return p, out.Close(p)
}

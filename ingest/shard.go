package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mayfly/feature"
	"mayfly/shard"
	"mayfly/trace"
)

// Stage is what shards of ingest call their command.
const Stage = "ingest"

// work is what all shards of one ingest have in common.
type work struct {
	Traces     []string `json:"traces"` // base names, in the order of the command line
	Hosts      int      `json:"hosts"`
	HostsSHA   string   `json:"hosts_sha256"` // of their names (shard.Names)
	WidthNS    int64    `json:"width_ns"`
	LatenessNS int64    `json:"lateness_ns"`
	HostToo    bool     `json:"host_too"`
	Creator    string   `json:"creator"`
}

// RunShard does one part of Run into the folder dir: the windows of every Count-th
// host of the traces, and last the member that says so. Output, Trace and what
// concerns foreign files do not count. The same part leaves the same bytes, however
// often it is done; what an attempt that was cut off left has a hidden name.
func RunShard(ctx context.Context, paths []string, spec shard.Spec, dir string, opts Options) (*Report, error) {
	for _, path := range paths {
		if opts.Format != "" || !isTrace(path) {
			return nil, fmt.Errorf("%s: no trace: take it into one first (--trace), shards are made of traces", path)
		}
	}
	hosts, err := Hosts(paths)
	if err != nil {
		return nil, err
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("no rows in %d inputs", len(paths))
	}
	in, err := ownInputs(ctx, paths, hosts, spec, opts)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	w := work{Hosts: len(hosts), HostsSHA: shard.Names(hosts), WidthNS: opts.width(), LatenessNS: opts.lateness(), HostToo: opts.HostToo, Creator: opts.Creator}
	for _, path := range paths {
		w.Traces = append(w.Traces, filepath.Base(filepath.Clean(path)))
	}
	m := &shard.Member{Mayfly: opts.Creator, Stage: Stage, Index: spec.Index, Count: spec.Count}
	if m.Work, err = json.Marshal(w); err != nil {
		return nil, err
	}
	report := &Report{Traces: len(in.traces), Files: len(in.inputs)}
	if own := in.hosts(); len(own) > 0 {
		paths := make([]string, len(own)) // a file for each host: merge joins them once for all
		for i := range own {
			m.Outputs = append(m.Outputs, shard.File{Name: fmt.Sprintf("%s.%d.features.parquet", spec.Name(), i)})
			paths[i] = filepath.Join(dir, m.Outputs[i].Name)
		}
		made, err := in.parts(ctx, own, paths, opts)
		if err != nil {
			return nil, err
		}
		p, err := joined(made)
		if err != nil {
			return nil, err
		}
		report.Counts = p.Counts
	}
	for _, f := range in.inputs {
		m.Inputs = append(m.Inputs, shard.File{Name: f.Rel, SHA256: f.SHA256, Bytes: f.Bytes})
	}
	return report, m.Write(dir)
}

// ownInputs opens the files of the hosts that are a shard's own.
func ownInputs(ctx context.Context, paths, hosts []string, spec shard.Spec, opts Options) (*inputs, error) {
	own := map[string]bool{}
	for i, host := range hosts {
		own[host] = spec.Has(i)
	}
	keep := func(host string) bool { return own[host] }
	check := &checker{begin: opts.Checker, limits: opts.Limits.orDefaults()}
	defer func() { _ = check.end() }() // it has said all that counts
	in := &inputs{hashes: map[string]string{}, check: check}
	for _, path := range paths {
		if err := in.checkFiles(ctx, path, keep); err != nil {
			return nil, err
		}
		if !isFolder(path) {
			if _, err := check.check(ctx, path); err != nil {
				return nil, err
			}
		}
		t, err := trace.OpenHosts(path, keep)
		if err != nil {
			return nil, err
		}
		if err := in.take(t); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// MergeShards makes the FEATURES file of all shards in dir: the same bytes as Run
// without shards.
func MergeShards(ctx context.Context, dir string, members []shard.Member, output string) (*Report, error) {
	var parts []string
	var all *feature.Provenance
	report := &Report{}
	for i := range members {
		m := &members[i]
		report.Files += len(m.Inputs)
		for k := range m.Outputs {
			path := m.Path(dir, k)
			f, err := feature.OpenFile(path)
			if err != nil {
				return nil, err
			}
			p := f.Provenance
			if err := f.Close(); err != nil {
				return nil, err
			}
			parts = append(parts, path)
			if all == nil {
				all = &p
			} else if err := all.Merge(&p); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if all == nil {
		return nil, fmt.Errorf("%s: no shard in it has windows", dir)
	}
	out, err := feature.CreateFile(output)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(filepath.Dir(output), "."+filepath.Base(output)+".*.tmp")
	if err != nil {
		return nil, errors.Join(err, out.Abort())
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := feature.MergeFiles(ctx, parts, work, out.Append); err != nil {
		return nil, errors.Join(err, out.Abort())
	}
	report.Counts = all.Counts
	return report, out.Close(all)
}

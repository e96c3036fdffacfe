package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mayfly/detector"
	"mayfly/shard"
	"mayfly/trace"

	"github.com/google/renameio/v2"
)

// Stage is what shards of replay call their command.
const Stage = "replay"

// work is what all shards of one replay have in common.
type work struct {
	Detector   string   `json:"detector"` // SHA-256
	Traces     []string `json:"traces"`   // base names, in the order of the command line
	Hosts      int      `json:"hosts"`
	HostsSHA   string   `json:"hosts_sha256"` // of their names (shard.Names)
	SinceNS    int64    `json:"since_ns"`
	LatenessNS int64    `json:"lateness_ns"`
	Reasons    int      `json:"max_reasons"`
	Evidence   int      `json:"max_evidence"`
}

// RunShard does one part of a Run without a state into the folder dir: the findings
// of every Count-th host of the traces, and last the member that says so. Only the
// options of ScoreHost count. The same part leaves the same bytes, however often it
// is done; what an attempt that was cut off left has a hidden name.
func RunShard(ctx context.Context, d *detector.Detector, paths []string, spec shard.Spec, dir string, opts Options) (*Report, error) {
	sum, err := d.SHA256()
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	w := work{Detector: sum, SinceNS: opts.SinceNS, LatenessNS: opts.LatenessNS, Reasons: opts.MaxReasons, Evidence: opts.MaxEvidence}
	var hosts []string
	for _, path := range paths {
		more, err := trace.HostFolders(path)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 { // what Run says of it
			if _, _, err := trace.OpenSound(path); err != nil {
				return nil, err
			}
		}
		hosts = append(hosts, more...)
		w.Traces = append(w.Traces, filepath.Base(filepath.Clean(path)))
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	w.Hosts, w.HostsSHA = len(hosts), shard.Names(hosts)
	m := &shard.Member{Mayfly: opts.Creator, Stage: Stage, Index: spec.Index, Count: spec.Count}
	if m.Work, err = json.Marshal(w); err != nil {
		return nil, err
	}
	own := map[string]bool{}
	for i, host := range hosts {
		own[host] = spec.Has(i)
	}
	tally := &Tally{Workloads: map[string]*WorkloadTally{}}
	var traces []*trace.Trace
	for _, path := range paths {
		t, bad, err := trace.OpenSoundHosts(path, func(host string) bool { return own[host] })
		if err != nil {
			return nil, err
		}
		traces = append(traces, t)
		for _, err := range bad {
			var file *trace.FileError
			if errors.As(err, &file) {
				tally.Rejected = append(tally.Rejected, Rejection{file.Path, file.Err.Error()})
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	runs := &Runs{}
	defer runs.Close()
	if err := scoreHosts(ctx, d, sum, traces, opts, tally, runs); err != nil {
		return nil, err
	}
	name := spec.Name() + ".findings.jsonl"
	if err := runs.write(filepath.Join(dir, name)); err != nil {
		return nil, err
	}
	m.Outputs = []shard.File{{Name: name}}
	if m.State, err = json.Marshal(tally); err != nil {
		return nil, err
	}
	for _, t := range traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				sum, err := f.SHA256()
				if err != nil {
					return nil, err
				}
				m.Inputs = append(m.Inputs, shard.File{Name: f.Rel, SHA256: sum, Bytes: f.Bytes})
			}
		}
	}
	return tally.Finish(), m.Write(dir)
}

// write puts all findings into a file, in order, lines of Found.
func (r *Runs) write(path string) error {
	out, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600))
	if err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	defer func() { _ = out.Cleanup() }() // nothing to do once it has its name
	encoder := json.NewEncoder(out)
	if err := r.Each(func(f *Found) error { return encoder.Encode(f) }); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

// MergeShards writes the findings of all shards in dir, in the form and to the place
// that opts say: the same bytes as Run without shards or state. Only Format, Creator,
// OutputPath and Output count.
func MergeShards(ctx context.Context, dir string, members []shard.Member, opts Options) (*Report, error) {
	opts = opts.withDefaults()
	opts.PlanDir = ""
	out, err := newOutput(nil, nil, opts)
	if err != nil {
		return nil, err
	}
	defer out.lines.close()
	all, runs := &Tally{Workloads: map[string]*WorkloadTally{}}, &Runs{}
	defer runs.Close()
	for i := range members {
		m := &members[i]
		var tally Tally
		if err := json.Unmarshal(m.State, &tally); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Spec().Name(), err)
		}
		all.Merge(&tally)
		for k := range m.Outputs {
			if err := runs.addFile(m.Path(dir, k)); err != nil {
				return nil, err
			}
		}
	}
	if err := all.Check(); err != nil {
		return nil, err
	}
	if err := runs.Each(func(f *Found) error { return out.add(ctx, f) }); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return all.Finish(), out.commit(opts)
}

func (r *Runs) addFile(path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	return r.Add(in)
}

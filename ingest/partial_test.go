package ingest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"mayfly/feature"
	"mayfly/trace"
)

// The FEATURES file of several hosts has the windows that one pass over all rows
// makes, and the same bytes when hosts are dealt out to parts in any way.
func TestFeaturesOfPartsAreThoseOfAll(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i := range 5 {
		path := filepath.Join(dir, fmt.Sprintf("t%d", i%2))
		writeTrace(t, path, fmt.Sprintf("host %d", i), 3*i, 12)
		paths = append(paths, path)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	whole := filepath.Join(dir, "whole.parquet")
	opts := Options{Output: whole, Creator: "test", HostToo: true}
	if _, err := Run(t.Context(), paths, opts); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := windowsOf(t, whole), onePassOver(t, paths); !reflect.DeepEqual(got, want) {
		t.Errorf("host by host:\n%v\nin one pass:\n%v", got, want)
	}
	hosts, err := Hosts(paths)
	if err != nil || len(hosts) != 5 {
		t.Fatalf("hosts %q, error %v; want five", hosts, err)
	}
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		at := t.TempDir()
		var parts []string
		var made []*feature.Provenance
		for _, i := range rnd.Perm(len(hosts)) {
			path := filepath.Join(at, fmt.Sprintf("%d.parquet", i))
			made = append(made, partInto(t, path, paths, hosts[i], opts))
			parts = append(parts, path)
		}
		for len(made) > 1 {
			i := 1 + rnd.IntN(len(made)-1)
			if err := made[0].Merge(made[i]); err != nil {
				t.Fatal(err)
			}
			made = slices.Delete(made, i, i+1)
		}
		joined := filepath.Join(at, "joined.parquet")
		out, err := feature.CreateFile(joined)
		if err != nil {
			t.Fatal(err)
		}
		if err := feature.MergeFiles(t.Context(), parts, at, out.Append); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(made[0]); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(joined)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: the file of the parts differs from that of all", seed)
		}
	}
}

func partInto(t *testing.T, path string, traces []string, host string, opts Options) *feature.Provenance {
	t.Helper()
	var own []*trace.Trace
	for _, p := range traces {
		tr, err := trace.OpenHosts(p, func(h string) bool { return h == host })
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, tr)
	}
	out, err := feature.CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Partial(context.Background(), own, opts, out.Append)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func say(w *feature.Window) string {
	return fmt.Sprint(w.StartNS, w.ContainerID, w.Host, w.ContainerName, w.Workload, w.Missing, w.Counters, w.Calls, w.CallCounts, w.Trigrams, w.TrigramCounts, w.Items, w.ItemCounts)
}

func windowsOf(t *testing.T, path string) (all []string) {
	t.Helper()
	f, err := feature.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for w, err := range feature.Each(f.Windows(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, say(w))
	}
	return all
}

func onePassOver(t *testing.T, paths []string) (all []string) {
	t.Helper()
	var traces []*trace.Trace
	for _, p := range paths {
		tr, err := trace.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		traces = append(traces, tr)
	}
	r, err := feature.NewRecording(t.Context(), traces...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Windows(t.Context(), feature.WindowerOptions{HostToo: true}, func(w *feature.Window) error {
		all = append(all, say(w))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

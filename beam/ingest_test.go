package main

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mayfly/feature"
	"mayfly/trace"
)

// TestPartsAreForMerging wants parts of small row groups: who merges holds a piece of
// one of each.
func TestPartsAreForMerging(t *testing.T) {
	dir := t.TempDir()
	w, err := trace.NewWriter(filepath.Join(dir, "trace"), trace.Meta{Host: "h"}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	events := make([]trace.Event, 5000)
	for i := range events {
		events[i] = trace.Event{TimeNS: int64(i+1) * 1e9, ContainerID: "c", Kind: string(trace.FileOpen), Path: "/etc/hosts"}
	}
	if err := errors.Join(w.Events(events), w.Close()); err != nil {
		t.Fatal(err)
	}
	all, err := units(t.Context(), []string{filepath.Join(dir, "trace")})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d units: %v", len(all), err)
	}
	state, err := (&ingestPart{Folder: dir}).make(t.Context(), &all[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := feature.OpenFile(state.Part)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	if f.Rows != int64(len(events)) || f.Groups() < 2 {
		t.Errorf("%d windows in %d row groups, want %d in several", f.Rows, f.Groups(), len(events))
	}
}

func TestMergeAll(t *testing.T) {
	for n := 1; n < 20; n++ {
		all := make([]string, n)
		for i := range all {
			all[i] = strconv.Itoa(i % 10)
		}
		want := strings.Join(all, "")
		got, err := mergeAll(all, func(a, b string) (string, error) { return a + b, nil })
		if got != want || err != nil {
			t.Errorf("of %d: %q, %v", n, got, err)
		}
	}
}

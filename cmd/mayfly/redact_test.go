package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"mayfly/datasets/demo"
	"mayfly/detector"
	"mayfly/feature"
)

// TestRedactedTraceScoresTheSame learns from a trace and from the same one with its
// names replaced: each window has the same score under both detectors.
func TestRedactedTraceScoresTheSame(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := demo.Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("key"), []byte("sixteen bytes or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"redact", in("trace"), "-o", in("shared"), "--key", in("key")},
		{"ingest", in("trace"), "-o", in("trace.parquet")},
		{"train", in("trace.parquet"), "-o", in("trace.mayfly"), "--fpr", "0.01"},
		{"ingest", in("shared"), "-o", in("shared.parquet")},
		{"train", in("shared.parquet"), "-o", in("shared.mayfly"), "--fpr", "0.01"},
	} {
		if out, err := program(args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	want, got := scoresOf(t, in("trace")), scoresOf(t, in("shared"))
	if len(want) < 500 || !maps.Equal(got, want) {
		differ := 0
		for window, score := range want {
			if got[window] != score {
				differ++
			}
		}
		t.Errorf("%d windows and %d of the trace with names replaced, %d have another score", len(want), len(got), differ)
	}
}

// scoresOf are the scores of a features file by container and time.
func scoresOf(t *testing.T, name string) map[string]float32 {
	t.Helper()
	d, err := detector.Load(name + ".mayfly")
	if err != nil {
		t.Fatal(err)
	}
	f, err := feature.OpenFile(name + ".parquet")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scorer, all := d.NewScorer(1), map[string]float32{}
	for rec, err := range f.Windows(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		scored, err := scorer.Score(rec)
		if err != nil {
			t.Fatal(err)
		}
		var w feature.Window
		for i := range scored.Windows.Len() {
			scored.Windows.At(i, &w)
			all[fmt.Sprint(w.ContainerID, " ", w.StartNS)] = scored.Scores[i]
		}
		scored.Release()
		rec.Release()
	}
	return all
}

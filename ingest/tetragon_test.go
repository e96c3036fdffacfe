package ingest

import (
	"path/filepath"
	"slices"
	"testing"
)

// The rows that real exports become: the samples of Tetragon's own repository and
// of the book "Security Observability with eBPF".
func TestTetragonSamples(t *testing.T) {
	sampleFile(t, "fixtures/SOURCE.txt") // or skips
	files, err := filepath.Glob("../../shared/datasets/fixtures/tetragon/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	slices.Sort(files)
	var all []byte
	for _, file := range files {
		all = append(append(all, sampleFile(t, "fixtures/tetragon/"+filepath.Base(file))...), '\n')
	}
	golden(t, Tetragon{}, Input{Name: "tetragon.json"}, all, "tetragon/samples.golden")
}

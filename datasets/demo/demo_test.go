package demo

import (
	"io/fs"
	"path/filepath"
	"testing"

	"mayfly/feature"
	"mayfly/trace"
)

// TestRecording holds the recording to what its page says: small, sound, complete,
// and every label speaks of one of its containers.
func TestRecording(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the second time over the first
		if err := Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	})
	if err != nil || size > 8<<20 {
		t.Errorf("recording has %d bytes (%v), want at most 8 MB", size, err)
	}
	labels, err := feature.OpenLabels(filepath.Join(dir, "labels.csv"))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := trace.Open(filepath.Join(dir, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	containers, err := tr.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	attacks := map[string]int{}
	for _, l := range labels {
		attacks[l.Attack]++
		if c, ok := containers[l.Container]; !ok || c.Image != "mayfly-demo/shop:1" {
			t.Errorf("label %s: no shop has the id %s", l.Attack, l.Container)
		}
	}
	for _, attack := range []string{"shell", "dropped-binary", "read-shadow", "new-connection", "mount"} {
		if attacks[attack] != 3 {
			t.Errorf("%d labels of attack %s, want 3", attacks[attack], attack)
		}
	}
	for rec, err := range tr.Scan(t.Context(), trace.Losses, trace.ScanOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		losses, err := trace.Rows[trace.Loss](rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range losses {
			if l.Lost > 0 {
				t.Errorf("lost %d records of class %s", l.Lost, l.Class)
			}
		}
		rec.Release()
	}
}

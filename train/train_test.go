package train

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/feature"
	"mayfly/trace"
)

// write makes a FEATURES file of containers first to last, a minute and a half of
// each, all at the same time.
func write(t *testing.T, path string, first, last int) {
	t.Helper()
	f, err := feature.CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(uint64(first), 0))
	for i := range int64(90) {
		for c := first; c <= last; c++ {
			w := feature.Window{Host: "h", ContainerID: fmt.Sprintf("%064x", c), Workload: "web", StartNS: i * second, WidthNS: second,
				Calls: []trace.Call{0, 1}, CallCounts: []uint32{uint32(5 + rnd.IntN(9)), uint32(5 + rnd.IntN(9))}}
			if err := f.Append(&w); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(&feature.Provenance{WidthNS: second}); err != nil {
		t.Fatal(err)
	}
}

func TestRunSetsAttackAndAftermathAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.parquet")
	write(t, path, 1, 4)
	opts := DefaultOptions()
	opts.Labels = []feature.Label{{Container: fmt.Sprintf("%064x", 2), FromNS: 10 * second, ToNS: 11 * second, Attack: "shell"}}
	d, err := Run(t.Context(), []string{path}, opts)
	if err != nil {
		t.Fatal(err)
	}
	// Two seconds of attack, and the minute that follows.
	if n := d.Manifest.Training; n.SetAside != 62 || n.Windows != 4*90-62 {
		t.Errorf("training: %+v, want 62 windows set aside of 360", n)
	}
	if m := d.Manifest; m.Labels != 1 || m.AftermathNS != 60*second || m.Split.By != SplitNone {
		t.Errorf("manifest: labels %d, aftermath %d ns, split %+v; want 1, a minute, none", m.Labels, m.AftermathNS, m.Split)
	}
}

func TestRunDoesNotDependOnTheOrderOfFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.parquet"), filepath.Join(dir, "b.parquet")
	write(t, a, 1, 2)
	write(t, b, 3, 5)
	var saved [2][]byte
	for i, paths := range [][]string{{a, b}, {b, a}} {
		d, err := Run(t.Context(), paths, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprint("detector", i))
		if err := d.Save(path); err != nil {
			t.Fatal(err)
		}
		if saved[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(saved[0], saved[1]) {
		t.Error("the files in another order gave another detector")
	}

	c := filepath.Join(dir, "c.parquet")
	write(t, c, 2, 3)
	if _, err := Run(t.Context(), []string{a, c}, DefaultOptions()); err == nil || !strings.Contains(err.Error(), "overlaps") {
		t.Errorf("a container in two files: got error %v, want one that says so", err)
	}
}

func TestFitRefusesWhatDoesNotGoTogether(t *testing.T) {
	first := Source{Name: "a.parquet", SHA256: "1", WidthNS: second, FromNS: 5}
	for _, tc := range []struct {
		other Source
		want  string
	}{
		{Source{Name: "b.parquet", SHA256: "2", WidthNS: 2 * second, FromNS: 6}, "b.parquet: windows of 2000000000 ns, a.parquet has 1000000000 ns"},
		{Source{Name: "b.parquet", SHA256: "1", WidthNS: second, FromNS: 5}, "b.parquet: holds the same windows as a.parquet, which is given too"},
	} {
		if _, err := Fit(t.Context(), []Source{first, tc.other}, nil, DefaultOptions()); err == nil || err.Error() != tc.want {
			t.Errorf("got error %v, want %q", err, tc.want)
		}
	}
}

package train

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/shard"
	"mayfly/trace"
)

// grouped makes a FEATURES file of several row groups.
func grouped(t *testing.T, path string, hosts []string, seconds int64) {
	t.Helper()
	f, err := feature.CreatePart(path)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(7, uint64(seconds)))
	for i := range seconds {
		for c := range 9 {
			for _, host := range hosts {
				w := feature.Window{Host: host, ContainerID: fmt.Sprint(c), Workload: fmt.Sprint("w", c%2), StartNS: i * second, WidthNS: second,
					Calls: []trace.Call{0, 1}, CallCounts: []uint32{uint32(5 + rnd.IntN(9)), uint32(5 + rnd.IntN(9))}}
				if err := f.Append(&w); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := f.Close(&feature.Provenance{WidthNS: second}); err != nil {
		t.Fatal(err)
	}
}

func saved(t *testing.T, d *detector.Detector) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.mayfly")
	if err := d.Save(path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Row groups dealt out to any number of shards, all kept or some, come back in their
// order, whatever that of the merge: the detector of either forest is that of one
// process. A shard that is done again, or that had other windows before, leaves the
// same bytes.
func TestShardsLearnTheSameDetector(t *testing.T) {
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "a.parquet"), filepath.Join(dir, "b.parquet")}
	grouped(t, paths[0], []string{"a", "b"}, 400) // 4 row groups
	grouped(t, paths[1], []string{"c"}, 250)      // 2
	var attacks []feature.Label
	for c := range 9 { // of every container, for a sample may leave any of them out
		attacks = append(attacks, feature.Label{Container: fmt.Sprint(c), FromNS: int64(20+c) * second, ToNS: int64(60+c) * second, Attack: "shell"})
	}
	for _, tc := range []struct {
		engine string
		labels []feature.Label
		most   int64
	}{
		{detector.Isolation, nil, 1 << 20},
		{detector.Isolation, nil, 3000},
		{detector.Random, attacks, 1 << 20},
		{detector.Random, attacks, 3000},
	} {
		opts := DefaultOptions()
		opts.Detector.Engine, opts.Labels, opts.MaxWorkloadWindows, opts.Detector.Version = tc.engine, tc.labels, tc.most, "test"
		opts.Detector.Forest.NEstimators, opts.Detector.Random.NEstimators = 10, 10
		d, err := Run(t.Context(), paths, opts)
		if err != nil {
			t.Fatal(err)
		}
		n := d.Manifest.Training
		if some := n.Unsampled > 0; some != (tc.most == 3000) || (n.Attack > 0) != (tc.labels != nil) {
			t.Fatalf("%s, at most %d windows of a workload: %+v", tc.engine, tc.most, n)
		}
		want := saved(t, d)
		for count := 1; count <= 7; count += 2 {
			parts := filepath.Join(dir, fmt.Sprint("parts", tc.engine, tc.most, count))
			rnd := rand.New(rand.NewPCG(uint64(count), 0))
			for _, i := range append(rnd.Perm(count), 0) {
				if _, err := RunShard(t.Context(), paths, shard.Spec{Index: i, Count: count}, parts, opts); err != nil {
					t.Fatal(err)
				}
			}
			members, err := shard.Open(parts)
			if err != nil {
				t.Fatal(err)
			}
			rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
			merged, err := FitShards(t.Context(), parts, members, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(saved(t, merged), want) {
				t.Errorf("%s, at most %d windows of a workload, %d shards: another detector than that of one process", tc.engine, tc.most, count)
			}
		}
	}
}

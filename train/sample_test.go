package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"mayfly/feature"
)

// fleet is windows of containers of several workloads, some with many windows.
func fleet(rnd *rand.Rand, containers int) (all []feature.Window) {
	for c := range containers {
		for i := range 1 + rnd.IntN(9)*rnd.IntN(9) {
			all = append(all, feature.Window{Host: fmt.Sprintf("h%d", c%3), ContainerID: fmt.Sprintf("c%d", c/3),
				Workload: fmt.Sprintf("w%d", min(c%7, 3)), StartNS: int64(i) * second, WidthNS: second})
		}
	}
	return all
}

func counted(t *testing.T, most int64, windows []feature.Window) *Sample {
	t.Helper()
	s := NewSample(7, most)
	for i := range windows {
		s.Add(&windows[i])
	}
	return s
}

func encoded(t *testing.T, s *Sample) []byte {
	t.Helper()
	content, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// However windows are dealt out to parts, and in whatever order and grouping the
// parts are merged, before or after a way through a file, the sample is that of all.
func TestSampleOfPartsIsTheSampleOfAll(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		all := fleet(rnd, 5+rnd.IntN(800))
		most := int64(1 + rnd.IntN(200))
		want := encoded(t, counted(t, most, all))
		parts := make([][]feature.Window, 1+rnd.IntN(8))
		for _, i := range rnd.Perm(len(all)) {
			p := rnd.IntN(len(parts))
			parts[p] = append(parts[p], all[i])
		}
		states := make([]*Sample, len(parts))
		for i, p := range parts {
			states[i] = counted(t, most, p)
			if rnd.IntN(2) == 0 {
				read := new(Sample)
				if err := json.Unmarshal(encoded(t, states[i]), read); err != nil {
					t.Fatal(err)
				}
				states[i] = read
			}
		}
		for len(states) > 1 { // any two that are left, in any order: any tree
			i := rnd.IntN(len(states))
			a := states[i]
			states = slices.Delete(states, i, i+1)
			if err := states[rnd.IntN(len(states))].Merge(a); err != nil {
				t.Fatal(err)
			}
		}
		if got := encoded(t, states[0]); !bytes.Equal(got, want) {
			t.Fatalf("seed %d, at most %d windows, %d parts:\ngot  %s\nwant %s", seed, most, len(parts), got, want)
		}
	}
}

// A sample has whole containers, of every workload, as few as bring enough windows.
func TestSampleKeepsWholeContainersOfEachWorkload(t *testing.T) {
	all := fleet(rand.New(rand.NewPCG(3, 3)), 200)
	const most = 100
	s := counted(t, most, all)
	s.Cut()
	kept, of := map[string]int64{}, map[string]int64{}
	containers, largest := map[string]int64{}, map[string]int64{}
	for i := range all {
		w := &all[i]
		of[w.Workload]++
		if s.Keeps(w) {
			kept[w.Workload]++
			containers[w.Workload+w.Host+w.ContainerID]++
			largest[w.Workload] = max(largest[w.Workload], containers[w.Workload+w.Host+w.ContainerID])
		}
	}
	for workload, n := range of {
		if got := kept[workload]; got < min(n, most) || n > most && got >= most+largest[workload] {
			t.Errorf("%s: %d of %d windows kept, the largest container has %d; want %d, and less than a container more", workload, got, n, largest[workload], most)
		}
	}
	if s.Total() != int64(len(all)) || s.Kept() != sum(kept) || s.Kept() == s.Total() {
		t.Errorf("%d kept of %d, want %d of %d", s.Kept(), s.Total(), sum(kept), len(all))
	}
}

func sum(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func TestSampleRefuses(t *testing.T) {
	if err := NewSample(1, 5).Merge(NewSample(2, 5)); err == nil {
		t.Error("samples of two seeds were merged")
	}
	for _, bad := range []string{`{"most":0}`, `[`, `{"seed":7,"most":5,"total":1,"workloads":[{"workload":"w","containers":[{"hash":1,"host":"h","container_id":"c","windows":1}]}]}`} {
		if err := json.Unmarshal([]byte(bad), new(Sample)); err == nil {
			t.Errorf("%s: want an error", bad)
		}
	}
}

package feature

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

func windowsIn(t *testing.T, windows []Window) iter.Seq2[arrow.Record, error] {
	t.Helper()
	return func(yield func(arrow.Record, error) bool) {
		b := NewBuilder()
		defer b.Release()
		for i := range windows {
			if b.Append(&windows[i]); b.Len() == 7 || i == len(windows)-1 {
				rec := b.Record()
				goOn := yield(rec, nil)
				rec.Release()
				if !goOn {
					return
				}
			}
		}
	}
}

func merged(t *testing.T, parts ...[]Window) []string {
	t.Helper()
	var streams []iter.Seq2[arrow.Record, error]
	for _, p := range parts {
		streams = append(streams, windowsIn(t, p))
	}
	var got []string
	if err := Merge(t.Context(), streams, func(w *Window) error {
		got = append(got, fmt.Sprint(w.StartNS, w.ContainerID, w.Host, w.Counters[0]))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// Windows that are dealt out in any way come together in their order.
func TestMergeOfAnyParts(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		var all []Window
		for i := range rnd.IntN(200) {
			w := Window{Host: fmt.Sprintf("h%d", i%3), ContainerID: fmt.Sprintf("c%d", i/3%4), StartNS: int64(i / 12), WidthNS: 1}
			w.Counters[0] = uint32(i)
			all = append(all, w)
		}
		slices.SortFunc(all, func(a, b Window) int { return a.Compare(&b) })
		parts := make([][]Window, 1+rnd.IntN(6))
		for i := range all {
			p := rnd.IntN(len(parts))
			parts[p] = append(parts[p], all[i])
		}
		rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		if got, want := merged(t, parts...), merged(t, all); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got\n%v\nwant\n%v", seed, got, want)
		}
	}
}

func TestMergeRefusesTheSameWindowTwice(t *testing.T) {
	w := []Window{{Host: "h", ContainerID: "c", StartNS: 1, WidthNS: 1}}
	disorder := []Window{{Host: "h", ContainerID: "c", StartNS: 2, WidthNS: 1}, w[0]}
	for _, parts := range [][][]Window{{w, w}, {disorder}} {
		var streams []iter.Seq2[arrow.Record, error]
		for _, p := range parts {
			streams = append(streams, windowsIn(t, p))
		}
		err := Merge(t.Context(), streams, func(*Window) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("got error %v, want one that says so", err)
		}
	}
}

// partsIn writes as many parts, each of a container with as many windows.
func partsIn(t *testing.T, dir string, parts, windows int) (paths []string) {
	t.Helper()
	w := Window{Host: "h", WidthNS: 1}
	for i := range uint32(60) {
		w.Trigrams, w.TrigramCounts = append(w.Trigrams, i), append(w.TrigramCounts, 1)
	}
	for i := range parts {
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", i))
		out, err := CreatePart(path)
		if err != nil {
			t.Fatal(err)
		}
		w.ContainerID = fmt.Sprint(i)
		for k := range windows {
			w.StartNS, w.Counters[0] = int64(k*10+i%10), uint32(i*k)
			if err := out.Append(&w); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Close(&Provenance{WidthNS: 1}); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// More files than are open at once give the same, through spills of spills.
func TestMergeFilesOfMany(t *testing.T) {
	dir := t.TempDir()
	const files, windows = 29, 3
	paths := partsIn(t, dir, files, windows)
	n, last := 0, lastWindow{startNS: -1}
	if err := (fanIn{2, 3}).merge(t.Context(), paths, dir, func(w *Window) error {
		if n++; !last.before(w) {
			t.Errorf("window %d of %s is out of order", w.StartNS, w.ContainerID)
		}
		last.set(w)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || n != windows*files || len(left) != files {
		t.Errorf("%d windows, want %d; %d files, want %d; error %v", n, windows*files, len(left), files, err)
	}
}

// What a merge holds does not grow with the number of files.
func TestMergeFilesInTheSameMemory(t *testing.T) {
	dir := t.TempDir()
	const windows = 200
	paths := partsIn(t, dir, 80, windows)
	held := func(paths []string) uint64 {
		var stats runtime.MemStats
		n, at := 0, len(paths)*windows/2
		if err := (fanIn{8, 32}).merge(t.Context(), paths, dir, func(*Window) error {
			if n++; n == at {
				runtime.GC()
				runtime.ReadMemStats(&stats)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return stats.HeapAlloc
	}
	if few, many := held(paths[:8]), held(paths); many > few*3/2 {
		t.Errorf("8 files are merged in %d bytes, %d files in %d", few, len(paths), many)
	}
}

func TestProvenanceMergesInAnyOrder(t *testing.T) {
	part := func(host string, from int64, rows int64) *Provenance {
		p := &Provenance{WidthNS: 1, Creator: "v", Inputs: []InputFile{{Host: host, Table: "sequences"}, {Host: host, Table: "events"}}}
		p.Counts.FromNS, p.Counts.ToNS, p.Counts.Rows, p.Counts.Containers = from, from+5, rows, 1
		if rows > 0 {
			p.Counts.Windows = rows
		}
		return p
	}
	make4 := func() []*Provenance {
		return []*Provenance{part("a", 7, 3), part("b", 2, 4), part("c", 0, 0), part("d", 9, 1)}
	}
	var want *Provenance
	for seed := range uint64(20) {
		rnd, all := rand.New(rand.NewPCG(seed, 4)), make4()
		for len(all) > 1 {
			i := rnd.IntN(len(all))
			one := all[i]
			all = slices.Delete(all, i, i+1)
			if err := all[rnd.IntN(len(all))].Merge(one); err != nil {
				t.Fatal(err)
			}
		}
		if want == nil {
			want = all[0]
		}
		if !reflect.DeepEqual(all[0], want) || want.Counts.FromNS != 2 || want.Counts.Rows != 8 || want.Inputs[0].Table != "events" {
			t.Fatalf("seed %d: got %+v, want %+v", seed, all[0], want)
		}
	}
	if err := part("a", 1, 1).Merge(&Provenance{WidthNS: 2, Creator: "v"}); err == nil {
		t.Error("windows of two widths were merged")
	}
}

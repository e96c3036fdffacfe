package feature

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"reflect"
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

// More files than are open at once give the same.
func TestMergeFilesOfMany(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	const files = 3*mergeFanIn + 3
	for i := range files {
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", i))
		out, err := CreateFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for k := range int64(3) {
			if err := out.Append(&Window{Host: "h", ContainerID: fmt.Sprint(i), StartNS: k*10 + int64(i%10), WidthNS: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Close(&Provenance{WidthNS: 1}); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	n, last := 0, lastWindow{startNS: -1}
	if err := MergeFiles(context.Background(), paths, dir, func(w *Window) error {
		if n++; !last.before(w) {
			t.Errorf("window %d of %s is out of order", w.StartNS, w.ContainerID)
		}
		last.set(w)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "merge-*")); n != 3*files || len(left) > 0 {
		t.Errorf("%d windows, want %d; left behind: %v", n, 3*files, left)
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

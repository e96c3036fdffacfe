package feature

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

func writeFile(t testing.TB, path string, windows []Window) {
	t.Helper()
	f, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range windows {
		if err := f.Append(&windows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(&Provenance{WidthNS: 1e9, LateNS: 5e9, Creator: "test", BadInputs: 1, HostToo: true,
		Inputs: []InputFile{{Rel: "events/x.parquet", Table: "events", Host: "h", SHA256: "00", Rows: 3, Bytes: 9}},
		Counts: Counts{Containers: 2, FromNS: 1, ToNS: 2}}); err != nil {
		t.Fatal(err)
	}
}

func TestFileRoundTrip(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.parquet")
	windows := sampleWindows(3, 900) // more than one record
	windows[1].Items, windows[1].ItemCounts = []string{}, []uint32{}
	windows[2].Missing = MissingOrder
	writeFile(t, path, windows)
	writeFile(t, filepath.Join(dir, "g.parquet"), windows)
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []Window
	for rec, err := range f.Windows(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		v, err := View(rec)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v.Len() {
			var w Window
			v.At(i, &w)
			got = append(got, clone(w))
		}
	}
	for i := range windows {
		windows[i] = clone(windows[i])
	}
	if diff := cmp.Diff(windows, got); diff != "" {
		t.Errorf("windows (-written +read):\n%.2000s", diff)
	}
	if f.Rows != int64(len(windows)) || f.Provenance.WidthNS != 1e9 || f.Provenance.Inputs[0].Rel != "events/x.parquet" ||
		f.Provenance.Counts.Containers != 2 || !f.Provenance.HostToo || f.Provenance.BadInputs != 1 {
		t.Errorf("got %d rows, %+v", f.Rows, f.Provenance)
	}
	one, _ := os.ReadFile(path)
	two, _ := os.ReadFile(filepath.Join(dir, "g.parquet"))
	if !bytes.Equal(one, two) {
		t.Error("the same windows give other bytes")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("got %v in the directory, want two files", entries)
	}
}

// clone copies the views of a window, with empty lists as empty, not nil.
func clone(w Window) Window {
	w.Host, w.ContainerID, w.Workload = strings.Clone(w.Host), strings.Clone(w.ContainerID), strings.Clone(w.Workload)
	w.Calls = append([]trace.Call{}, w.Calls...)
	w.CallCounts = append([]uint32{}, w.CallCounts...)
	w.Trigrams = append([]uint32{}, w.Trigrams...)
	w.TrigramCounts = append([]uint32{}, w.TrigramCounts...)
	w.ItemCounts = append([]uint32{}, w.ItemCounts...)
	items := []string{}
	for _, item := range w.Items {
		items = append(items, strings.Clone(item))
	}
	w.Items = items
	return w
}

func TestOpenFileErrors(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.parquet")
	writeFile(t, good, sampleWindows(1, 20))
	bytes, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.parquet")
	w, err := trace.CreateParquet(other, schema, map[string]string{MetaSchema: "999"}, trace.ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign.parquet")
	if w, err = trace.CreateParquet(foreign, schema, nil, trace.ParquetOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"text": []byte("hello\n"), "empty": nil, "cut": bytes[:len(bytes)/2]} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"text": "", "empty": "", "cut": "", "none": "no such file",
		"other.parquet": "version \"999\", want 2", "foreign.parquet": "not a FEATURES file"} {
		_, err := OpenFile(filepath.Join(dir, name))
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, name)) || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got error %v, want one line that names the file and says %q", name, err, want)
		}
	}
}

func TestViewRefuses(t *testing.T) {
	good := sampleWindows(1, 1)[0]
	for name, change := range map[string]func(*Window){
		"more calls than counts": func(w *Window) { w.CallCounts = w.CallCounts[:1] },
		"calls out of order":     func(w *Window) { w.Calls = []trace.Call{3, 1, 0} },
		"an item twice":          func(w *Window) { w.Items = []string{"exec /a", "exec /a"} },
		"no width":               func(w *Window) { w.WidthNS = 0 },
		"time that overflows":    func(w *Window) { w.StartNS = 1<<63 - 5 },
	} {
		w := clone(good)
		change(&w)
		if _, err := View(record(t, []Window{w})); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func FuzzOpenFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "f.parquet")
	writeFile(f, path, sampleWindows(2, 3))
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("PAR1"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := OpenFile(path)
		if err != nil {
			return
		}
		defer in.Close()
		var w Window
		for rec, err := range in.Windows(context.Background()) {
			if err != nil {
				return
			}
			v, err := View(rec)
			if err != nil {
				t.Fatalf("Windows yields what View refuses: %v", err)
			}
			for i := range v.Len() {
				v.At(i, &w)
			}
		}
	})
}

// A part of a long recording has longer row groups than 2,048 windows: of these its footer
// would be more than is read again after five days of 24 containers.
func TestLongPartsHaveLongerRowGroups(t *testing.T) {
	const windows = partGroups*partRows + 3*partRows
	path := filepath.Join(t.TempDir(), "part.parquet")
	f, err := CreatePart(path)
	if err != nil {
		t.Fatal(err)
	}
	w := Window{Host: "h", ContainerID: "c", WidthNS: 1}
	for w.StartNS = range int64(windows) {
		if err := f.Append(&w); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(&Provenance{WidthNS: 1}); err != nil {
		t.Fatal(err)
	}
	in, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }() // only read
	if in.Rows != windows || in.Groups() != partGroups+2 {
		t.Errorf("%d windows in %d row groups, want %d in %d", in.Rows, in.Groups(), windows, partGroups+2)
	}
}

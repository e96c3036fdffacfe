package trace

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// filesBelow returns the paths of all files below dir.
func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func newTestWriter(t *testing.T, dir string) *Writer {
	t.Helper()
	w, err := NewWriter(dir, testMeta("a"), WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestNothingIsNamedBeforeSeal(t *testing.T) {
	dir := t.TempDir()
	w := newTestWriter(t, dir)
	if err := w.Events(sampleEvents(10, 1)); err != nil {
		t.Fatal(err)
	}
	for _, f := range filesBelow(t, dir) {
		if !strings.HasSuffix(f, tempSuffix) {
			t.Errorf("%s is there before Seal", f)
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a trace") {
		t.Errorf("open before Seal: got %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if files := filesBelow(t, dir); len(files) != 0 {
		t.Errorf("after Abort: got %v", files)
	}
}

func TestSealOpensNewFiles(t *testing.T) {
	dir := t.TempDir()
	w := newTestWriter(t, dir)
	for range 3 {
		if err := errors.Join(w.Events(sampleEvents(10, 1)), w.Seal(false)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Seal(true), w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	tr := mustOpen(t, dir)
	if got := len(tr.Files(Events)); got != 3 {
		t.Errorf("got %d event files, want 3", got)
	}
	last := tr.Files(Losses)
	if len(last) != 1 || !last[0].Meta.Final || last[0].Rows != 0 || last[0].Meta.FromNS < startNS {
		t.Errorf("got %+v, want one final file without rows", last)
	}
	if got, err := last[0].SHA256(); err != nil || len(got) != 64 {
		t.Errorf("SHA256: got %q, %v", got, err)
	}
}

func TestEmptyRecordingIsATrace(t *testing.T) {
	dir := t.TempDir()
	if err := newTestWriter(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if rows, err := readAll(dir); rows != 0 || err != nil {
		t.Errorf("got %d rows, %v", rows, err)
	}
}

// A disk that fails leaves nothing behind, and the writer goes on.
func TestFailedWriteLeavesNothing(t *testing.T) {
	for name, fail := range map[string]func(*Writer) error{
		"seal": func(w *Writer) error { return w.Seal(false) },
		"write": func(w *Writer) error {
			w.opts.GroupBytes = 1 // each write goes to disk
			return w.Events(sampleEvents(30_000, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := newTestWriter(t, dir)
			if err := w.Events(sampleEvents(10, 1)); err != nil {
				t.Fatal(err)
			}
			if err := w.events.file.file.Close(); err != nil {
				t.Fatal(err)
			}
			if err := fail(w); err == nil || !strings.Contains(err.Error(), "table events: ") ||
				!strings.Contains(err.Error(), "rows are lost") {
				t.Fatalf("got %v, want an error naming table and rows", err)
			}
			if files := filesBelow(t, dir); len(files) != 0 {
				t.Errorf("got %v, want no file", files)
			}
			w.opts.GroupBytes = DefaultWriterOptions().GroupBytes
			if err := errors.Join(w.Events(sampleEvents(20, 1)), w.Close()); err != nil {
				t.Fatal(err)
			}
			check(t, "rows", len(scanRows[Event](t, mustOpen(t, dir), Events, 0)), 20)
		})
	}
}

func TestTextsBecomeUTF8(t *testing.T) {
	dir := t.TempDir()
	w := newTestWriter(t, dir)
	rows := []Event{{Path: "/ok"}, {Path: "/a\xff\xfeb", Argv: []string{"x", "\x80"}, Comm: "é"}}
	if err := errors.Join(w.Events(rows), w.Close()); err != nil {
		t.Fatal(err)
	}
	check(t, "the caller's row", rows[1].Path+rows[1].Argv[1], "/a\xff\xfeb\x80")
	got := scanRows[Event](t, mustOpen(t, dir), Events, 0)
	check(t, "rows", got, []Event{{Path: "/ok"}, {Path: `/a\xff\xfeb`, Argv: []string{"x", `\x80`}, Comm: "é", Escaped: true}})
}

func TestWriterIsSafeForConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	w := newTestWriter(t, dir)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 20 {
				if err := errors.Join(w.Events(sampleEvents(50, uint64(i))), w.Sequences(sampleSequences(5, 1))); err != nil {
					t.Error(err)
				}
			}
			if err := w.Seal(false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rows, err := readAll(dir)
	if want := int64(4 * 20 * 55); rows != want || err != nil {
		t.Errorf("got %d rows, %v, want %d", rows, err, want)
	}
}

func TestPathText(t *testing.T) {
	for in, want := range map[string]string{"web-1.example": "web-1.example", "": "_", "..": "_..", "a/b": "a_b",
		".hidden": "_.hidden", "é\x00": "__", strings.Repeat("x", 300): strings.Repeat("x", maxPathText)} {
		if got := pathText(in); got != want {
			t.Errorf("pathText(%q): got %q, want %q", in, got, want)
		}
	}
}

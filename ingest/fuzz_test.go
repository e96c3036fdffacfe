package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"mayfly/trace"
)

// Whatever is in an archive, walking through it ends, keeps to its limits, and its
// errors go to failed.
func FuzzUnpack(f *testing.F) {
	for name, content := range packings(f, "x.log", linesFile("h", 0, 20)) {
		f.Add(content)
		for outer, twice := range packings(f, name, content) {
			if len(outer)%3 == 0 {
				f.Add(twice)
			}
		}
	}
	limits := Limits{Bytes: 4 << 20, Ratio: 20, Members: 50, Depth: 3, Window: 1 << 20}.orDefaults()
	f.Fuzz(func(t *testing.T, b []byte) {
		members, out := 0, int64(0)
		u := &unpacker{ctx: context.Background(), limits: limits,
			spool: func() (*os.File, error) {
				spool, err := os.CreateTemp(t.TempDir(), "spool")
				if err == nil {
					err = os.Remove(spool.Name())
				}
				return spool, err
			},
			failed: func(string, error) error { return nil },
			visit: func(l *leaf) error {
				members++
				if l.sibling != nil {
					if r, err := l.sibling("x.json"); err == nil {
						_, _ = io.Copy(io.Discard, r)
						_ = r.Close()
					}
				}
				n, _ := io.Copy(io.Discard, l.stream)
				out += n
				return nil
			}}
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
		if err := u.file("f", "f", int64(len(b)), open, "", nil); err != nil {
			t.Errorf("got %v, want it told to failed", err)
		}
		if members > int(limits.Members)+1 || out > limits.Bytes+int64(len(b)) {
			t.Errorf("%d members of %d bytes, want no more than %d of %d", members, out, limits.Members, limits.Bytes)
		}
	})
}

// Whatever is in a Parquet file, the process that reads it first says what it is or
// costs that file, and what it has found sound can be read here.
func FuzzCheckParquet(f *testing.F) {
	dir := f.TempDir()
	writeTrace(f, dir, "h", 0, 2)
	tr, err := trace.Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	var sound string
	for _, table := range trace.Tables() {
		for _, file := range tr.Files(table) {
			content, err := os.ReadFile(file.Path)
			if err != nil {
				f.Fatal(err)
			}
			sound = file.Path
			f.Add(content)
		}
	}
	limits := Limits{Memory: 256 << 20, CPUSeconds: 10, GroupRows: 1 << 16, PageBytes: 1 << 20, Columns: 200}.orDefaults()
	check := &checker{begin: testChecker, limits: limits}
	f.Cleanup(func() { _ = check.end() })
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "f.parquet")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := check.check(context.Background(), path)
		if err == nil {
			if _, err := readThroughFile(path, limits); err != nil {
				t.Errorf("sound there, and here %v", err)
			}
		}
		if errors.Is(err, errDied) {
			t.Logf("ended its reader: %v", err)
		}
		if _, err := check.check(context.Background(), sound); err != nil {
			t.Errorf("a sound file after it: %v", err)
		}
	})
}

package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/trace"
)

// storeEnv names the folder that the stand-in of mayfly-object takes for a store.
const storeEnv = "MAYFLY_INGEST_TEST_STORE"

// serveObjects speaks as mayfly-object does (the real one, against a real server,
// is tested beside it): s3://b/KEY is the file KEY of a folder. Objects named
// "*broken" break in their middle, "*deadly" end the program there, "*long" send
// more than was listed.
func serveObjects(dir string) error {
	out := bufio.NewWriter(os.Stdout)
	say := func(r map[string]any) {
		line, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		_, _ = out.Write(append(line, '\n'))
		_ = out.Flush()
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var q objectRequest
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		if q.Read != nil {
			content, err := os.ReadFile(filepath.Join(dir, strings.TrimPrefix(q.Read.URL, "s3://b/")))
			if err != nil {
				return err
			}
			half := content[:len(content)/2]
			say(map[string]any{"bytes": len(half)})
			_, _ = out.Write(half)
			switch {
			case strings.HasSuffix(q.Read.URL, "broken"):
				say(map[string]any{"error": q.Read.URL + ": the connection ended in the middle"})
				continue
			case strings.HasSuffix(q.Read.URL, "deadly"):
				return errors.Join(out.Flush(), errors.New("store: out of memory"))
			case strings.HasSuffix(q.Read.URL, "long"):
				content = append(content, "more"...)
			}
			say(map[string]any{"bytes": len(content) - len(half)})
			_, _ = out.Write(content[len(half):])
			say(map[string]any{"end": true})
			continue
		}
		root := filepath.Join(dir, strings.TrimPrefix(q.List, "s3://b"))
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			key, err := filepath.Rel(dir, path)
			name := strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
			if name == "" {
				name = filepath.Base(path)
			}
			say(map[string]any{"object": objectInfo{URL: "s3://b/" + key, Name: name, Size: info.Size(), ModTime: info.ModTime(),
				Version: fmt.Sprint(info.ModTime().UnixNano())}})
			return err
		})
		if err != nil {
			say(map[string]any{"error": q.List + ": no such object, and none below it"})
			continue
		}
		say(map[string]any{"end": true})
	}
	return lines.Err()
}

// testObjects starts the stand-in over a folder, and counts how often.
func testObjects(dir string, starts *int) func(context.Context) (*exec.Cmd, error) {
	return func(ctx context.Context) (*exec.Cmd, error) {
		*starts++
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = []string{childEnv + "=objects", storeEnv + "=" + dir}
		return cmd, nil
	}
}

// An object is read once for each of its versions, and what it holds is taken once
// whatever its name.
func TestObjects(t *testing.T) {
	dir := t.TempDir()
	store, tr := filepath.Join(dir, "store"), filepath.Join(dir, "trace")
	content := linesFile("h", 0, 500)
	write(t, filepath.Join(store, "logs/a"), content[:len(content)/2])
	packed := packings(t, "x.log", linesFile("h", 500, 100))
	write(t, filepath.Join(store, "logs/b.tar.gz"), packed["x.log.tar.gz"])
	for name, c := range packed {
		if strings.HasSuffix(name, ".zip") {
			write(t, filepath.Join(store, "logs/c.zip"), c)
		}
	}
	starts := 0
	opts := ConvertOptions{Objects: testObjects(store, &starts)}
	if c := convert(t, tr, opts, "s3://b/logs"); c.Taken != 2 || c.Known != 1 || len(c.Bad) > 0 || starts != 1 {
		t.Fatalf("first run: got %+v by %d processes, want a taken, and of b and c, which hold the same, one", c, starts)
	}
	before := tree(t, tr)
	if c := convert(t, tr, opts, "s3://b/logs", "s3://b/logs/a"); c.Taken != 0 || c.Known != 4 || c.Bytes != 0 {
		t.Errorf("again: got %+v, want all known and nothing read", c)
	}
	sameTree(t, before, tree(t, tr))

	// It has grown, and been copied.
	write(t, filepath.Join(store, "logs/a"), content)
	write(t, filepath.Join(store, "logs/copy"), content)
	if c := convert(t, tr, opts, "s3://b/logs/a", "s3://b/logs/copy"); c.Taken != 1 || c.Known != 1 || c.Rows < 200 || c.Rows > 300 {
		t.Errorf("grown: got %+v, want its second half, and the copy known", c)
	}
	checkPaths(t, tr, 600)
	copied := tree(t, tr)
	if c := convert(t, tr, opts, "s3://b/logs/copy"); c.Known != 1 || c.Bytes != 0 {
		t.Errorf("the copy again: got %+v, want it known unread", c)
	}
	sameTree(t, copied, tree(t, tr))
}

// An object that cannot be read to its end leaves nothing, costs one line, and the
// others come; the next run takes it.
func TestBrokenObjects(t *testing.T) {
	dir := t.TempDir()
	store, tr := filepath.Join(dir, "store"), filepath.Join(dir, "trace")
	names := []string{"a", "b broken", "c deadly", "d long", "e"}
	for i, name := range names {
		write(t, filepath.Join(store, name), linesFile("h", 100*i, 100))
	}
	starts := 0
	c := convert(t, tr, ConvertOptions{Objects: testObjects(store, &starts)}, "s3://b/")
	var notes []string
	for _, n := range c.Notes {
		notes = append(notes, n.Err.Error())
	}
	want := []string{"s3://b/b broken: the connection ended in the middle", "s3://b/c deadly: mayfly-object ended: store: out of memory",
		"s3://b/d long: mayfly-object sent another size"}
	if strings.Join(notes, "\n") != strings.Join(want, "\n") {
		t.Errorf("got notes\n%s\nwant\n%s", strings.Join(notes, "\n"), strings.Join(want, "\n"))
	}
	if c.Taken != 2 || c.Rows != 200 || starts != 3 || !c.Partial() {
		t.Errorf("got %+v by %d processes, want 2 of 5 taken by 3", c, starts)
	}
	for i, name := range names {
		if err := os.Rename(filepath.Join(store, name), filepath.Join(store, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if c := convert(t, tr, ConvertOptions{Objects: testObjects(store, &starts)}, "s3://b/"); c.Taken != 3 || c.Known != 2 || c.Partial() {
		t.Errorf("whole again: got %+v, want the other three", c)
	}
	checkPaths(t, tr, 500)

	for url, want := range map[string]string{"s3://b/none": "s3://b/none: no such object, and none below it", "gs://b/a": "gs://b/a: object stores are not read here"} {
		o := ConvertOptions{Trace: tr, Sources: []Source{lineSource{}}}
		if strings.HasPrefix(url, "s3") {
			o.Objects = testObjects(store, &starts)
		}
		if _, err := Convert(t.Context(), []string{url}, o); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", url, err, want)
		}
	}
}

// Windows of a trace in a store are those of the trace here, and its bad files are
// named by their URL.
func TestTraceInStore(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	writeTrace(t, filepath.Join(store, "t"), "h1", 0, 10)
	write(t, filepath.Join(store, "t/notes.txt"), []byte("not of the trace"))
	starts := 0
	opts := Options{Output: filepath.Join(dir, "f.parquet"), Objects: testObjects(store, &starts), Checker: testChecker}
	got := map[string][]byte{}
	for _, from := range []string{"s3://b/t", "s3://b/t/", filepath.Join(store, "t"), "file://" + filepath.Join(store, "t")} {
		if _, err := Run(t.Context(), []string{from}, opts); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(opts.Output)
		if err != nil {
			t.Fatal(err)
		}
		got[from] = content
		if !bytes.Equal(content, got["s3://b/t"]) {
			t.Errorf("%s: other bytes than from s3://b/t", from)
		}
	}
	tr, err := trace.Open(filepath.Join(store, "t"))
	if err != nil {
		t.Fatal(err)
	}
	rel := tr.Files(trace.Events)[0].Rel
	if err := os.WriteFile(filepath.Join(store, "t", rel), []byte("PAR1 and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), []string{"s3://b/t"}, opts)
	if err == nil || !strings.HasPrefix(err.Error(), "s3://b/t/"+rel+": ") {
		t.Errorf("a bad file: got %v, want s3://b/t/%s named", err, rel)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// No name that a store gives leads out of the folder that a trace is brought to.
func TestOfTrace(t *testing.T) {
	for name, want := range map[string]bool{
		"events/host=a/1.parquet": true, "losses/1.parquet": true, "journal/a.wal": true,
		"events/../../x.parquet": false, "/etc/x.parquet": false, "events/a.txt": false, "other/a.parquet": false, "events": false,
		"../events/a.parquet": false, "journal/../../a": false,
	} {
		if got := ofTrace(name); got != want {
			t.Errorf("%q: got %t, want %t", name, got, want)
		}
	}
}

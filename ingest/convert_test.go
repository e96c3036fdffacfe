package ingest

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"mayfly/trace"
)

// lineSource is a format for tests: "T host ns path" is an open, all else is bad.
type lineSource struct{ whole bool }

func (lineSource) Format() string                   { return "lines" }
func (lineSource) Sniff(_ string, head []byte) bool { return bytes.HasPrefix(head, []byte("T ")) }
func (s lineSource) Read(_ context.Context, in *Input, out *Sink) error {
	r := bufio.NewReader(in.Reader)
	at := in.Start
	for {
		line, err := r.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil {
			return nil
		}
		f := strings.Fields(line)
		if len(f) == 4 && f[0] == "T" {
			ns, _ := strconv.ParseInt(f[2], 10, 64)
			err = out.Event(f[1], &trace.Event{TimeNS: ns, Kind: string(trace.FileOpen), ContainerID: id, Path: f[3]})
		} else {
			err = out.Reject(Position{Offset: at}, []byte(line), errors.New("no T"))
		}
		if err != nil {
			return err
		}
		if at += int64(len(line)); !s.whole {
			out.Mark(at)
		}
	}
}

// linesFile is n lines from the second from on.
func linesFile(host string, from, n int) []byte {
	var b bytes.Buffer
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, "T %s %d /data/%d\n", host, t0+int64(i)*1e9, i)
	}
	return b.Bytes()
}

func write(t testing.TB, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// convert runs Convert and returns its report.
func convert(t *testing.T, dir string, opts ConvertOptions, paths ...string) *Conversion {
	t.Helper()
	opts.Trace = dir
	if opts.Sources == nil {
		opts.Sources = []Source{lineSource{}}
	}
	c, err := Convert(context.Background(), paths, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// paths returns the paths of all events, in the order of time.
func eventPaths(t *testing.T, dir string) []string {
	t.Helper()
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for row, err := range trace.Merge(context.Background(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Clone(row.Event.Path(row.Index)))
	}
	return got
}

func wantPaths(n int) []string {
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("/data/%d", i))
	}
	return want
}

func checkPaths(t *testing.T, dir string, n int) {
	t.Helper()
	if got := eventPaths(t, dir); !slices.Equal(got, wantPaths(n)) {
		t.Errorf("%s: got %d events %.100s, want %d in order", dir, len(got), fmt.Sprint(got), n)
	}
}

// The same content adds nothing: given twice, renamed, compressed, in an archive,
// in a second run.
func TestTakenOnce(t *testing.T) {
	dir := t.TempDir()
	tr := filepath.Join(dir, "trace")
	content := linesFile("h", 0, 500)
	a := write(t, filepath.Join(dir, "a.log"), content)
	b := write(t, filepath.Join(dir, "b.log"), content)
	if c := convert(t, tr, ConvertOptions{}, a, b, a); c.Taken != 1 || c.Known != 2 || c.Rows != 500 {
		t.Fatalf("first run: got %+v, want one file taken of three", c)
	}
	checkPaths(t, tr, 500)
	for name, packed := range packings(t, "x.log", content) {
		p := write(t, filepath.Join(dir, name), packed)
		if c := convert(t, tr, ConvertOptions{}, p); c.Taken != 0 || c.Known != 1 {
			t.Errorf("%s: got %d taken and %d known, want 0 and 1", name, c.Taken, c.Known)
		}
	}
	if c := convert(t, tr, ConvertOptions{Stdin: bytes.NewReader(content)}, "-"); c.Known != 1 {
		t.Errorf("standard input: got %+v, want it known", c)
	}
	checkPaths(t, tr, 500)
}

// packings is content in every packing, by file name.
func packings(t testing.TB, name string, content []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	pack := func(suffix string, of []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
		var b bytes.Buffer
		w, err := open(&b)
		if err == nil {
			_, err = w.Write(of)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		all[name+suffix] = b.Bytes()
		return b.Bytes()
	}
	gz := func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }
	packed := pack(".gz", content, gz)
	pack(".zst", content, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	pack(".xz", content, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	if err := errors.Join(tw.WriteHeader(&tar.Header{Name: "../logs/" + name + ".gz", Mode: 0o600, Size: int64(len(packed))})); err != nil {
		t.Fatal(err)
	}
	if _, err := tw.Write(packed); err != nil {
		t.Fatal(err)
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	pack(".tar.gz", b.Bytes(), gz)
	all[name+".tar"] = b.Bytes()
	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	f, err := zw.Create("/logs/" + name)
	if err == nil {
		_, err = f.Write(content)
	}
	if err = errors.Join(err, zw.Close()); err != nil {
		t.Fatal(err)
	}
	all[name+".zip"] = z.Bytes()
	return all
}

func TestPackings(t *testing.T) {
	content := linesFile("h", 0, 500)
	for name, packed := range packings(t, "x.log", content) {
		dir := t.TempDir()
		p := write(t, filepath.Join(dir, name), packed)
		if c := convert(t, filepath.Join(dir, "trace"), ConvertOptions{}, p); c.Rows != 500 || c.Partial() {
			t.Errorf("%s: got %+v, want 500 rows", name, c)
		}
		checkPaths(t, filepath.Join(dir, "trace"), 500)
		// Cut in the middle: what came before the cut counts, and the cut is told.
		p = write(t, filepath.Join(dir, "cut-"+name), packed[:len(packed)*2/3])
		c, err := Convert(context.Background(), []string{p}, ConvertOptions{Trace: filepath.Join(dir, "cut"), Sources: []Source{lineSource{}}})
		if err == nil && !c.Partial() || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s, cut: got %+v, %v, want a part, or an error of one line", name, c, err)
		}
	}
}

// A file that grows is taken up to its last line, and continued there.
func TestGrowing(t *testing.T) {
	dir := t.TempDir()
	tr := filepath.Join(dir, "trace")
	content := linesFile("h", 0, 900)
	log := filepath.Join(dir, "log")
	rows := int64(0)
	for _, n := range []int{100, 3000, 3001, 9000, 9000, len(content)} {
		write(t, log, content[:n])
		c := convert(t, tr, ConvertOptions{}, log)
		rows += c.Rows
		if want := int64(bytes.Count(content[:n], []byte("\n"))); rows != want || c.Rejected != 0 {
			t.Errorf("%d bytes: got %d rows in all, want %d; %+v", n, rows, want, c)
		}
	}
	checkPaths(t, tr, 900)
	// Rotated, compressed, and gone on under the old name.
	write(t, filepath.Join(dir, "log.1.gz"), packings(t, "log", content)["log.gz"])
	write(t, log, linesFile("h", 900, 100))
	if c := convert(t, tr, ConvertOptions{}, log, filepath.Join(dir, "log.1.gz")); c.Rows != 100 || c.Known != 1 {
		t.Errorf("after rotation: got %+v, want 100 rows more", c)
	}
	checkPaths(t, tr, 1000)
}

// A format without marks is taken as a whole, and its growth is told.
func TestWholeGrows(t *testing.T) {
	dir := t.TempDir()
	opts := ConvertOptions{Sources: []Source{lineSource{whole: true}}, SkipBad: true}
	log := write(t, filepath.Join(dir, "log"), linesFile("h", 0, 300))
	convert(t, filepath.Join(dir, "trace"), opts, log)
	write(t, log, linesFile("h", 0, 301))
	c := convert(t, filepath.Join(dir, "trace"), opts, log)
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0].Err.Error(), "has grown") || c.Taken != 0 {
		t.Errorf("got %+v, want an error that says that it has grown", c)
	}
}

// Files in any order, of many hosts, some inside of folders: each row once, and
// what is not known is told.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		write(t, filepath.Join(dir, "in", fmt.Sprint((i*7)%40), "x.log"), linesFile("h", i*10, 10))
	}
	write(t, filepath.Join(dir, "in", "README"), []byte("read me"))
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "in", "link.log")); err != nil {
		t.Fatal(err)
	}
	c := convert(t, filepath.Join(dir, "in", "trace"), ConvertOptions{}, filepath.Join(dir, "in"))
	if c.Taken != 40 || len(c.Passed) != 1 || c.Partial() {
		t.Errorf("got %+v, want 40 files taken and one passed over", c)
	}
	checkPaths(t, filepath.Join(dir, "in", "trace"), 400)
	tr, err := trace.Open(filepath.Join(dir, "in", "trace"))
	if err != nil || len(tr.Files(trace.Events)) != 1 {
		t.Errorf("got %d files, %v, want the rows of all inputs in one, in order", len(tr.Files(trace.Events)), err)
	}
}

// tree is every file below a directory, but for locks.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".lock" {
			return err
		}
		content, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameTree(t *testing.T, want, got map[string]string) {
	t.Helper()
	if maps.Equal(want, got) {
		return
	}
	for name := range want {
		if want[name] != got[name] {
			t.Errorf("%s: got %d bytes that differ from the %d wanted", name, len(got[name]), len(want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: should not be there", name)
		}
	}
}

func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	content := append(linesFile("h", 0, 3), "what \xff is this\nT h 5 /x\n"...)
	log := write(t, filepath.Join(dir, "log"), content)
	tr := filepath.Join(dir, "trace")
	c := convert(t, tr, ConvertOptions{}, log)
	if c.Rejected != 1 || c.Rows != 4 || !c.Partial() || len(c.Quarantine) != 1 {
		t.Fatalf("got %+v, want one record rejected", c)
	}
	got, err := os.ReadFile(c.Quarantine[0])
	want := fmt.Sprintf(`{"file":%q,"format":"lines","offset":%d,"reason":"no T","bytes":"d2hhdCD/IGlzIHRoaXMK"}`+"\n", log, len(linesFile("h", 0, 3)))
	if err != nil || string(got) != want {
		t.Errorf("quarantine: got %s, %v, want %s", got, err, want)
	}
	if _, err := Convert(context.Background(), []string{log}, ConvertOptions{Trace: filepath.Join(dir, "strict"), Strict: true,
		Sources: []Source{lineSource{}}}); err == nil || !strings.Contains(err.Error(), "no T") {
		t.Errorf("strict: got %v, want the reason", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "strict")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("strict: a trace without anything in it is left behind (%v)", err)
	}
	if _, err := Convert(context.Background(), []string{filepath.Join(dir, "none")}, ConvertOptions{Trace: tr}); err == nil || len(tree(t, tr)) == 0 {
		t.Errorf("got error %v; want one, and the trace that was there before", err)
	}
}

package trace

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// readAll opens and reads every row of what lies at path.
func readAll(path string) (rows int64, err error) {
	t, err := Open(path)
	if err != nil {
		return 0, err
	}
	for _, table := range Tables() {
		for rec, err := range t.Scan(context.Background(), table, ScanOptions{}) {
			if err != nil {
				return rows, err
			}
			rows += rec.NumRows()
			rec.Release()
		}
	}
	return rows, nil
}

func wantError(t *testing.T, what string, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: got no error, want %q", what, want)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: got %q, want %q in it", what, err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: got more than one line: %q", what, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	good := sampleFile(t, dir, sampleEvents(100, 1))
	bytes, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	meta := func(pairs ...string) map[string]string {
		m := map[string]string{keySchema: "1", keyTable: "events"}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	withFields := func(name string, m map[string]string, change func([]arrow.Field) []arrow.Field) string {
		fields := change(append([]arrow.Field(nil), ArrowSchema(Events).Fields()...))
		path := filepath.Join(dir, name)
		w, err := CreateParquet(path, arrow.NewSchema(fields, nil), m, ParquetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	same := func(f []arrow.Field) []arrow.Field { return f }
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	write("tmp/events/x.parquet.tmp", bytes[:10])
	write("tmp/events/.x.parquet", bytes[:10])
	write("other/losses/x.parquet", bytes)
	for what, c := range map[string]struct {
		path string
		want []string
	}{
		"missing":        {filepath.Join(dir, "nothing"), []string{"nothing: no such file"}},
		"empty folder":   {empty, []string{"empty: not a trace"}},
		"unfinished":     {filepath.Join(dir, "tmp"), []string{"tmp: not a trace"}},
		"other folder":   {filepath.Join(dir, "other"), []string{"x.parquet: a file of table events in the folder of losses"}},
		"text":           {write("text.parquet", []byte("time,pid\n1,2\n3,4\n")), []string{"text.parquet: not a Parquet file"}},
		"short":          {write("short.parquet", []byte("PAR1")), []string{"short.parquet: not a Parquet file"}},
		"empty file":     {write("void.parquet", nil), []string{"void.parquet: not a Parquet file: has 0 bytes"}},
		"truncated":      {write("cut.parquet", bytes[:len(bytes)/2]), []string{"cut.parquet: truncated Parquet"}},
		"footer size":    {write("foot.parquet", hugeFooter(bytes)), []string{"foot.parquet: truncated Parquet: a footer of"}},
		"foreign":        {withFields("foreign.parquet", nil, same), []string{"foreign.parquet: not a file of a trace"}},
		"version":        {withFields("v2.parquet", meta(keySchema, "2"), same), []string{"v2.parquet: schema version: want 1, got \"2\""}},
		"table":          {withFields("t.parquet", meta(keyTable, "rows"), same), []string{`t.parquet: metadata "mayfly.table": no table "rows"`}},
		"number":         {withFields("n.parquet", meta(keyFrom, "x"), same), []string{`n.parquet: metadata "mayfly.from_ns": "x"`}},
		"range":          {withFields("r.parquet", meta(keyFrom, "2", keyTo, "1"), same), []string{"r.parquet: metadata", "lies after"}},
		"column missing": {withFields("m.parquet", meta(), func(f []arrow.Field) []arrow.Field { return f[:5] }), []string{`m.parquet: column "pid": missing`}},
		"column type":    {withFields("s.parquet", meta(), retype("pid", arrow.BinaryTypes.String)), []string{`s.parquet: column "pid": want int32, got string`}},
		"column list":    {withFields("l.parquet", meta(), retype("pid", listOf(arrow.PrimitiveTypes.Int32))), []string{`l.parquet: column "pid": want int32, got list of int32`}},
		"column no list": {withFields("a.parquet", meta(), retype("argv", arrow.BinaryTypes.String)), []string{`a.parquet: column "argv": want list of string, got string`}},
		"column time":    {withFields("i.parquet", meta(), retype("time_ns", arrow.PrimitiveTypes.Int64)), []string{`i.parquet: column "time_ns": want timestamp[ns, UTC], got int64`}},
		"extra column ok": {withFields("x.parquet", meta(), func(f []arrow.Field) []arrow.Field {
			return append(f, arrow.Field{Name: "new", Type: arrow.PrimitiveTypes.Float64})
		}), nil},
	} {
		rows, err := readAll(c.path)
		if c.want == nil {
			if err != nil || rows != 0 {
				t.Errorf("%s: got %d rows, error %v", what, rows, err)
			}
			continue
		}
		wantError(t, what, err, c.want...)
	}
}

func TestOpenSound(t *testing.T) {
	dir := t.TempDir()
	good := sampleFile(t, dir, sampleEvents(10, 1))
	root := filepath.Join(dir, "good")
	torn := filepath.Join(filepath.Dir(good), "torn.parquet")
	if err := os.WriteFile(torn, []byte("PAR1 and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr, bad, err := OpenSound(root)
	if err != nil || len(bad) != 1 || len(tr.Files(Events)) != 1 {
		t.Fatalf("got %v, bad %v, error %v: want one file and one bad", tr, bad, err)
	}
	wantError(t, "bad file", bad[0], torn+": truncated Parquet")
	if err := errors.Join(os.Remove(good), os.RemoveAll(filepath.Join(root, string(Losses)))); err != nil {
		t.Fatal(err)
	}
	_, bad, err = OpenSound(root)
	wantError(t, "no sound file", err, "none of its 1 files can be read", torn)
	if len(bad) != 1 {
		t.Errorf("got %v, want one bad file", bad)
	}
}

func retype(name string, to arrow.DataType) func([]arrow.Field) []arrow.Field {
	return func(fields []arrow.Field) []arrow.Field {
		for i := range fields {
			if fields[i].Name == name {
				fields[i].Type = to
			}
		}
		return fields
	}
}

func hugeFooter(file []byte) []byte {
	b := append([]byte(nil), file...)
	binary.LittleEndian.PutUint32(b[len(b)-8:], 0xfffffff0)
	return b
}

// sampleFile writes a trace of events and returns the events file.
func sampleFile(t testing.TB, dir string, events []Event) string {
	t.Helper()
	sub := filepath.Join(dir, "good")
	writeTrace(t, sub, "web-1", events, nil)
	tr, err := Open(sub)
	if err != nil {
		t.Fatal(err)
	}
	return tr.Files(Events)[0].Path
}

func TestTruncatedAnywhere(t *testing.T) {
	dir := t.TempDir()
	bytes, err := os.ReadFile(sampleFile(t, dir, sampleEvents(500, 1)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cut.parquet")
	for n := 0; n < len(bytes); n += 1 + len(bytes)/200 {
		if err := os.WriteFile(path, bytes[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readAll(path)
		wantError(t, fmt.Sprint(n, " bytes"), err, path)
	}
}

// A flipped byte gives an error or, where it hits something that nobody reads or
// a value, other rows; never a panic and never a row too many or too few.
func TestFlippedBytes(t *testing.T) {
	dir := t.TempDir()
	bytes, err := os.ReadFile(sampleFile(t, dir, sampleEvents(500, 1)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "flip.parquet")
	r := rand.New(rand.NewPCG(1, 1))
	failed := 0
	const rounds = 800
	for range rounds {
		at, bit := r.IntN(len(bytes)), byte(1)<<r.IntN(8)
		if r.IntN(2) == 0 { // the footer holds most of what can go wrong
			at = len(bytes) - 1 - r.IntN(4000)
		}
		bytes[at] ^= bit
		if err := os.WriteFile(path, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		bytes[at] ^= bit
		rows, err := readAll(path)
		if err != nil {
			failed++
			wantError(t, fmt.Sprintf("bit %#x of byte %d", bit, at), err, path)
		} else if rows != 500 {
			t.Errorf("bit %#x of byte %d: got %d rows, want 500 or an error", bit, at, rows)
		}
	}
	if failed < rounds/4 {
		t.Errorf("got %d errors of %d flips: too few to be looking", failed, rounds)
	}
}

func TestLimits(t *testing.T) {
	path := sampleFile(t, t.TempDir(), sampleEvents(12_000, 1))
	for want, limits := range map[string]Limits{
		"columns: the limit is 3":        {Columns: 3},
		"row groups: the limit is 1":     {RowGroups: 1},
		"rows: the limit is 100":         {GroupRows: 100},
		"bytes: the limit is 1000":       {FooterBytes: 1000},
		"footer: has too many entries":   {FooterItems: 10},
		"bytes: the limit is 512":        {PageBytes: 512},
		"values: the limit is 10":        {PageValues: 10},
		"has 64 bytes: the limit is 63":  {StringBytes: 63},
		"list of more than 2 elements":   {ListLength: 2},
		"a record of more than 65536 by": {BatchBytes: 1 << 16},
	} {
		var err error
		f, err := OpenParquet(path, ArrowSchema(Events), limits)
		if err == nil {
			for rec, e := range f.Records(context.Background()) {
				if err = e; err == nil {
					rec.Release()
				}
			}
			f.Close()
		}
		wantError(t, want, err, path, want)
	}
}

// Pages in layouts that our own Writer does not write.
func TestOtherLayouts(t *testing.T) {
	rows := sampleSequences(3000, 5)
	want := rows
	for name, options := range map[string][]parquet.WriterOption{
		"v1 snappy": {parquet.DataPageVersion(1), parquet.Compression(&parquet.Snappy)},
		"v1 none":   {parquet.DataPageVersion(1), parquet.Compression(&parquet.Uncompressed)},
		"v2 none":   {parquet.DataPageVersion(2), parquet.Compression(&parquet.Uncompressed)},
		"v2 snappy": {parquet.Compression(&parquet.Snappy), parquet.PageBufferSize(1000)},
		"fallback":  {parquet.Compression(&parquet.Zstd), parquet.DictionaryMaxBytes(200), parquet.PageBufferSize(500)},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeLayout(t, rows, options)
			got := scanRows[Sequence](t, mustOpen(t, path), Sequences, 0)
			check(t, "rows", got, want)
		})
	}
	for name, codec := range map[string]compress.Codec{"GZIP": &parquet.Gzip, "BROTLI": &parquet.Brotli, "LZ4_RAW": &parquet.Lz4Raw} {
		path := writeLayout(t, rows, []parquet.WriterOption{parquet.Compression(codec)})
		_, err := readAll(path)
		wantError(t, name, err, path, `row group 0: column "time_ns"`, "codec "+name)
	}
}

func mustOpen(t *testing.T, path string) *Trace {
	t.Helper()
	tr, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func writeLayout[T any](t *testing.T, rows []T, options []parquet.WriterOption) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[T](f, options...)
	w.SetKeyValueMetadata(keySchema, "1")
	w.SetKeyValueMetadata(keyTable, "sequences")
	_, err = w.Write(rows)
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// A footer of a few bytes that declares lists of 2^31 entries.
func TestHugeCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.parquet")
	for name, footer := range map[string][]byte{
		"schema":     {0x15, 2, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0x15, 0},
		"row groups": {0x15, 2, 0x39, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0x15, 0},
		"string":     {0x15, 2, 0x58, 0xff, 0xff, 0xff, 0xff, 0x07, 0x15, 0},
		"nested":     []byte(strings.Repeat("\x1c", 4000)),
	} {
		b := append([]byte("PAR1"), footer...)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(footer))), "PAR1"...)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readAll(path)
		wantError(t, name, err, path, "footer")
	}
	if err := checkRuns([]byte{0xfe, 0xff, 0xff, 0xff, 0x0f, 1}, 1, 100); err == nil {
		t.Error("run of 2^31 values in a page of 100: got no error")
	}
}

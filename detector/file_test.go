package detector

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mayfly/feature"
	"mayfly/forest"
)

// part is one member of a detector file as a test bends it.
type part struct {
	name    string
	content []byte
}

// parts unpacks a detector file.
func parts(t testing.TB, packed []byte) []part {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var all []part
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part{f.Name, content})
	}
	return all
}

// zipped packs members as pack does.
func zipped(t testing.TB, members []part) []byte {
	t.Helper()
	var buf bytes.Buffer
	archive := zip.NewWriter(&buf)
	for _, m := range members {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: m.name, Method: zip.Deflate})
		if err == nil {
			_, err = w.Write(m.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// small fits a detector of a few trees and returns its file.
func small(t testing.TB, engine string) []byte {
	t.Helper()
	windows := quiet(4, 20)
	training := Training{Windows: source(windows)}
	if engine == Random {
		for i := 0; i < len(windows); i += 7 {
			windows[i] = attack(windows[i])
		}
		training.Class = shells
	}
	opts := DefaultOptions()
	opts.Engine, opts.Forest.NEstimators, opts.Random.NEstimators = engine, 4, 4
	d, err := Fit(context.Background(), training, opts)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := d.pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// swap replaces the content of a member.
func swap(name string, with func([]byte) []byte) func([]part) []part {
	return func(all []part) []part {
		i := slices.IndexFunc(all, func(p part) bool { return p.name == name })
		all[i].content = with(all[i].content)
		return all
	}
}

// text replaces the first piece of a member, which must be there.
func text(t *testing.T, name, old, with string) func([]part) []part {
	return swap(name, func(content []byte) []byte {
		if !bytes.Contains(content, []byte(old)) {
			t.Errorf("%s: no %q in it", name, old)
		}
		return bytes.Replace(content, []byte(old), []byte(with), 1)
	})
}

// field sets a field of the manifest to raw JSON.
func field(t *testing.T, name, value string) func([]part) []part {
	return swap(manifestName, func(content []byte) []byte {
		fields := map[string]json.RawMessage{}
		if err := json.Unmarshal(content, &fields); err != nil {
			t.Fatal(err)
		}
		var all []string
		fields[name] = nil
		for k, v := range fields {
			if k == name {
				v = json.RawMessage(value)
			}
			all = append(all, `"`+k+`":`+string(v))
		}
		return []byte("{" + strings.Join(all, ",") + "}")
	})
}

// narrow is a forest over three features.
func narrow(t *testing.T) []byte {
	t.Helper()
	columns := make([][]float32, 3)
	for c := range columns {
		for i := range 40 {
			columns[c] = append(columns[c], float32((i*7+c)%11))
		}
	}
	opts := forest.DefaultIsolationOptions()
	opts.NEstimators = 4
	m, err := forest.FitIsolation(columns, opts)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLoadRefuses(t *testing.T) {
	good, random := small(t, Isolation), small(t, Random)
	if _, err := unpack(zipped(t, parts(t, good))); err != nil {
		t.Fatalf("packed again: %v", err)
	}
	randomParts := parts(t, random)
	for _, tc := range []struct {
		name string
		bend func([]part) []part
		want string
	}{
		{"no members", func([]part) []part { return nil }, "not a detector: no manifest.json in it"},
		{"no manifest", func(all []part) []part { return all[1:] }, "not a detector: no manifest.json in it"},
		{"no space", func(all []part) []part { return slices.Delete(all, 1, 2) }, "not a detector: no space.json in it"},
		{"no forest", func(all []part) []part { return all[:2] }, "not a detector: no forest.bin in it"},
		{"a member twice", func(all []part) []part { return append(all, all[2]) }, `"forest.bin" stands in it twice`},
		{"a newer version", field(t, "version", "3"), "manifest.json: detector of version 3, this mayfly reads version 2"},
		{"no version", field(t, "version", "null"), "manifest.json: detector of version 0"},
		{"another format", field(t, "format", `"gzip"`), `manifest.json: want format "mayfly detector", got "gzip"`},
		{"an unknown engine", field(t, "engine", `"svm"`), `manifest.json: unknown engine "svm"`},
		{"another engine", field(t, "engine", `"random"`), "forest.bin: "},
		{"the forest of another engine", swap(forestName, func([]byte) []byte { return randomParts[2].content }), "forest.bin: "},
		{"no width", field(t, "width_ns", "0"), "manifest.json: width_ns: want more than 0, got 0"},
		{"a negative width", field(t, "width_ns", "-1000000000"), "manifest.json: width_ns: want more than 0"},
		{"a width beside the space's", field(t, "width_ns", "2000000000"), "manifest.json: windows of 2000000000 ns, space.json was learned from windows of 1000000000 ns"},
		{"a width that is no number", field(t, "width_ns", `"1s"`), "manifest.json: json: cannot unmarshal string"},
		{"a width too great", field(t, "width_ns", "1e30"), "manifest.json: json: cannot unmarshal number"},
		{"a threshold above 1", field(t, "threshold", "1.5"), "manifest.json: threshold: want [0,1], got 1.5"},
		{"a negative threshold", field(t, "threshold", "-0.1"), "manifest.json: threshold: want [0,1]"},
		{"an infinite threshold", field(t, "threshold", "1e999"), "manifest.json: json: cannot unmarshal number 1e999"},
		{"a threshold of NaN", field(t, "threshold", "NaN"), "manifest.json: invalid character 'N'"},
		{"no expected ranges", field(t, "expected", "[]"), "manifest.json: expected ranges of 0 features"},
		{"an expected range upside down", field(t, "expected", `[{"low":2,"high":1}]`), "manifest.json: expected range of feature 0: got 2 to 1"},
		{"a span upside down", field(t, "trained", `[{"from_ns":2,"to_ns":1}]`), "manifest.json: trained span 0 ends before it begins"},
		{"a deep manifest", field(t, "inputs", strings.Repeat("[", 1<<20)), "manifest.json: "},
		{"a cut manifest", swap(manifestName, func(b []byte) []byte { return b[:len(b)/2] }), "manifest.json: unexpected end of JSON input"},
		{"a cut space", swap(spaceName, func(b []byte) []byte { return b[:len(b)/2] }), "space.json: unexpected end of JSON input"},
		{"a space of another format", text(t, spaceName, "mayfly space 2", "mayfly space 9"), "space.json: space: format: "},
		{"a negative width of the space", text(t, spaceName, `"width_ns":1000000000`, `"width_ns":-1`), "space.json: space: width: got -1 ns"},
		{"a space without workloads", swap(spaceName, func([]byte) []byte { return []byte(`{"format":"mayfly space 2"}`) }), "space.json: space: "},
		{"many bad ranges", swap(spaceName, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`"up":`), []byte(`"up":-`)) }), "space.json: space: workload "},
		{"a forest of other features", swap(forestName, func([]byte) []byte { return narrow(t) }), "forest.bin: forest over 3 features, space.json has "},
		{"a cut forest", swap(forestName, func(b []byte) []byte { return b[:len(b)-5] }), "forest.bin: "},
		{"a forest with more", swap(forestName, func(b []byte) []byte { return append(b, 0) }), "forest.bin: "},
		{"an empty forest", swap(forestName, func([]byte) []byte { return nil }), "forest.bin: "},
		{"a bomb of a manifest", swap(manifestName, func([]byte) []byte { return make([]byte, freeBytes+1) }), "manifest.json: more than 16777216 bytes when unpacked"},
		{"a bomb of a forest", swap(forestName, func(b []byte) []byte { return append(b, make([]byte, 2*freeBytes)...) }), "forest.bin: more than 16777216 bytes when unpacked"},
	} {
		path := filepath.Join(t.TempDir(), "bad.mayfly")
		if err := os.WriteFile(path, zipped(t, tc.bend(parts(t, good))), 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, tc.name, path, path+": "+tc.want)
	}
}

// wantRefusal wants Load to say one line that begins so.
func wantRefusal(t *testing.T, name, path, want string) {
	t.Helper()
	switch _, err := Load(path); {
	case err == nil:
		t.Errorf("%s: got no error, want %q", name, want)
	case !strings.HasPrefix(err.Error(), want):
		t.Errorf("%s: got %.300q, want %q", name, err, want)
	case strings.Contains(err.Error(), "\n") || len(err.Error()) > len(path)+400:
		t.Errorf("%s: got more than a line: %.600q", name, err)
	}
}

// TestLoadRefusesBytes bends the archive itself, not what is in it.
func TestLoadRefusesBytes(t *testing.T) {
	good := small(t, Isolation)
	path := filepath.Join(t.TempDir(), "bad.mayfly")
	for cut := 0; cut < len(good); cut += 1 + len(good)/200 {
		if err := os.WriteFile(path, good[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, "truncated", path, path+": not a detector (or a truncated one): ")
	}
	if err := os.WriteFile(path, []byte("Dear diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, "a text", path, path+": not a detector")

	flipped := bytes.Clone(good)
	at := bytes.Index(flipped, []byte(manifestName)) + len(manifestName) + 200 // in the packed manifest
	flipped[at] ^= 0x10
	if err := os.WriteFile(path, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, "a flipped bit", path, path+": manifest.json: ")

	// What the directory of the archive claims of sizes is not believed.
	claims := bytes.Clone(good)
	entry := bytes.LastIndex(claims, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(claims[entry+24:], 0xfffffff0)
	if err := os.WriteFile(path, claims, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, "a size of 4 GiB", path, path+": forest.bin: ")
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	wantRefusal(t, "a folder", dir, "detector: "+dir+": is a folder")
	missing := filepath.Join(dir, "none")
	wantRefusal(t, "nothing", missing, "detector: ")
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("cannot make a pipe: %v", err)
	}
	wantRefusal(t, "a pipe that nobody writes to", pipe, "detector: "+pipe+": is no regular file")
	wantRefusal(t, "a device without end", "/dev/zero", "detector: /dev/zero: is no regular file")
}

// FuzzLoad takes any bytes as the archive, as the members of one, and as the
// forest of a sound one: the result is an error of one line, or a detector that
// scores and explains without a panic.
func FuzzLoad(f *testing.F) {
	isolation, random := small(f, Isolation), small(f, Random)
	for _, packed := range [][]byte{isolation, random} {
		p := parts(f, packed)
		f.Add(byte(0), packed, []byte(nil), []byte(nil))
		f.Add(byte(1), p[0].content, p[1].content, p[2].content)
	}
	f.Add(byte(1), []byte(`{"format":"mayfly detector","version":2}`), []byte("{}"), []byte{})
	f.Add(byte(0), []byte("PK\x05\x06"), []byte(nil), []byte(nil))
	window := attack(quiet(1, 1)[0])
	f.Fuzz(func(t *testing.T, how byte, a, b, c []byte) {
		packed := a
		if how%2 == 1 {
			packed = stored([]part{{manifestName, a}, {spaceName, b}, {forestName, c}})
		}
		d, err := unpack(packed)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		w := window
		w.WidthNS = d.Manifest.WidthNS
		for _, workload := range append(d.Space.Workloads(), "none that it knows") {
			w.Workload = workload
			if err := tryScore(d, &w); err != nil {
				t.Logf("score: %v", err)
			}
		}
	})
}

// stored packs members without deflating them: a fuzzer gets on faster.
func stored(members []part) []byte {
	var buf bytes.Buffer
	archive := zip.NewWriter(&buf)
	for _, m := range members {
		w, err := archive.CreateRaw(&zip.FileHeader{Name: m.name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(m.content),
			CompressedSize64: uint64(len(m.content)), UncompressedSize64: uint64(len(m.content))})
		if err == nil {
			_, err = w.Write(m.content)
		}
		if err != nil {
			return nil
		}
	}
	if archive.Close() != nil {
		return nil
	}
	return buf.Bytes()
}

// tryScore goes the way of a window through a detector.
func tryScore(d *Detector, w *feature.Window) error {
	b := feature.NewBuilder()
	defer b.Release()
	b.Append(w)
	rec := b.Record()
	defer rec.Release()
	scored, err := d.NewScorer(1).Score(rec)
	if err != nil {
		return err
	}
	defer scored.Release()
	_ = scored.Alarm(0)
	_ = d.Space.Describe(w, 10)
	_, reasons := scored.Reasons(0, 5)
	_, sum := d.SHA256()
	return errors.Join(reasons, sum)
}

// TestSaveRefusesWhatLoadWould has more spans of training time than fit.
func TestSaveRefusesWhatLoadWould(t *testing.T) {
	d, err := unpack(small(t, Isolation))
	if err != nil {
		t.Fatal(err)
	}
	d.Manifest.Mayfly = strings.Repeat("x", maxManifest)
	path := filepath.Join(t.TempDir(), "big.mayfly")
	if err := d.Save(path); err == nil || !strings.HasPrefix(err.Error(), path+": manifest.json: ") || !strings.Contains(err.Error(), "train on less") {
		t.Errorf("got %v, want an error that names the manifest", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("a file is left behind")
	}
}

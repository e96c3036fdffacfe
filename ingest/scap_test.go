package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mayfly/trace"
)

var scapSamples = []string{"curl_google", "curl_google_comments", "single_ipv6_conn", "test_ipv6_client"}

// scapSample returns a real capture, decompressed.
func scapSample(t testing.TB, name string) []byte {
	content := sampleFile(t, "fixtures/scap/"+name+".scap")
	if z, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
		if content, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return content
}

func TestScapGolden(t *testing.T) {
	for _, name := range scapSamples {
		content := scapSample(t, name)
		if !(Scap{}).Sniff(name, content[:min(len(content), 64<<10)]) {
			t.Errorf("%s: not taken for a capture", name)
		}
		golden(t, Scap{}, Input{Name: name}, content, filepath.Join("scap", name+".rows"))
	}
}

func TestScapSynthetic(t *testing.T) {
	for version := 1; version <= 3; version++ {
		golden(t, Scap{}, Input{Name: "synthetic"}, synthetic(version), fmt.Sprintf("scap/synthetic%d.rows", version))
	}
}

// TestScapAsSysdigReadsIt compares what sysdig itself says of captures, real and
// synthetic ones, with the rows.
func TestScapAsSysdigReadsIt(t *testing.T) {
	if _, err := exec.LookPath("sysdig"); err != nil {
		skipOrFail(t, "sysdig is not installed")
	}
	captures := map[string][]byte{"synthetic": synthetic(1)} // without what is newer than Debian's sysdig
	for _, name := range scapSamples {
		captures[name] = scapSample(t, name)
	}
	for name, content := range captures {
		file := filepath.Join(t.TempDir(), name+".scap")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := exec.Command("sysdig", "-r", file, "-p",
			"*%evt.rawtime|%evt.dir|%evt.type|%thread.tid|%evt.rawres|%evt.arg.name|%evt.arg.tuple|%evt.arg.filename|%evt.arg.res").Output()
		if err != nil && len(text) == 0 {
			if name != "curl_google_comments" { // which sysdig 0.29.3 cannot read
				t.Errorf("%s: sysdig: %v", name, err)
			}
			continue
		}
		rows, _, rejected, err := readAll(Scap{}, Input{Name: name}, content)
		if err != nil || rejected != "" {
			t.Errorf("%s: %v, rejected %s", name, err, rejected)
		}
		// Each end of a call is a call of the sequences.
		calls := 0
		for _, m := range regexp.MustCompile(`calls=\[([^\]]*)\]`).FindAllStringSubmatch(rows, -1) {
			calls += strings.Count(m[1], ",") + 1
		}
		ends, names := 0, map[string]int{}
		for line := range strings.Lines(string(text)) {
			f := strings.Split(strings.TrimSpace(line), "|")
			if len(f) < 9 {
				continue
			}
			child := strings.Contains(f[2], "clone") && f[8] == "0"
			if f[1] == "<" && f[2] != "drop" && !child || f[2] == "exit_group" || f[2] == "exit" {
				ends++
			}
			if f[1] != "<" {
				continue
			}
			names[f[2]]++
			if strings.HasPrefix(f[2], "open") || f[2] == "connect" {
				event := regexp.MustCompile(`(?m)^events .*time_ns=` + f[0] + ` .*$`).FindString(rows)
				want := f[5]
				if f[2] == "connect" {
					want = ""
					if i := strings.Index(f[6], "->"); i >= 0 && !strings.Contains(f[6], "/") {
						to := f[6][i+2:]
						want = fmt.Sprintf(`addr="%s" port=%s`, to[:strings.LastIndex(to, ":")], to[strings.LastIndex(to, ":")+1:])
					}
				}
				if event == "" || want != "<NA>" && want != "" && !strings.Contains(event, filepath.Base(want)) {
					t.Errorf("%s: %s\ngot %s\nwant %s", name, strings.TrimSpace(line), event, want)
				}
			}
		}
		if calls != ends {
			t.Errorf("%s: %d calls, sysdig shows the ends of %d", name, calls, ends)
		}
		for _, kind := range []trace.Kind{trace.Exec, trace.Connect, trace.Bind, trace.Listen} {
			call := map[trace.Kind]string{trace.Exec: "execve"}[kind]
			if call == "" {
				call = string(kind)
			}
			if got := strings.Count(rows, `kind="`+string(kind)+`"`); got != names[call] {
				t.Errorf("%s: %d events of %s, sysdig shows %d", name, got, kind, names[call])
			}
		}
	}
}

// TestScapNamesAndFlags asks sysdig for the name of each type and flag.
func TestScapNamesAndFlags(t *testing.T) {
	if _, err := exec.LookPath("sysdig"); err != nil {
		skipOrFail(t, "sysdig is not installed")
	}
	const newest = 175                                       // of Debian's sysdig
	dies := []int{scapContainer, scapContainerOld, 130, 161} // sysdig does, of these without JSON
	w := newScapWriter()
	w.process(100, 100, "x", "/x", "")
	for i := range newest + 1 {
		if !slices.Contains(dies, i) {
			w.event(2, uint16(2*i), 100, 1000*(i+1), 0, 0, 0, 0, 0, 0)
		}
	}
	show := func(w *scapWriter, format string) []string {
		file := filepath.Join(t.TempDir(), "x.scap")
		if err := os.WriteFile(file, w.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := exec.Command("sysdig", "-r", file, "-p", format).Output()
		if err != nil && len(text) == 0 {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	theirs := map[string]string{"pread": "pread64", "pwrite": "pwrite64", "llseek": "_llseek", "prlimit": "prlimit64",
		"send": "sendto", "recv": "recvfrom", "eventfd": "eventfd2"}
	got := map[string]string{}
	for _, line := range show(w, "*%evt.rawtime %evt.type") {
		if at, name, ok := strings.Cut(line, " "); ok {
			got[at] = name
		}
	}
	for i := range newest + 1 {
		name, ok := got[fmt.Sprint(scapBoot+1000*(i+1))]
		if theirs[name] != "" {
			name = theirs[name]
		}
		want := scapNames[i]
		if !ok || strings.ToLower(want) != want {
			continue // sysdig shows none that is unused
		}
		if name != want && name+"4" != want && name+"2" != want {
			t.Errorf("type %d: got %s, sysdig says %s", 2*i, want, name)
		}
	}
	if len(got) < 120 {
		t.Errorf("sysdig showed %d types only", len(got))
	}
	flagTest := func(half int, params func(bit int) []any, bits int, word *regexp.Regexp, ours func(int64) int64) {
		w := newScapWriter()
		w.process(100, 100, "x", "/x", "")
		for bit := range bits {
			w.event(2, uint16(2*half+1), 100, 1000*(bit+1), params(bit)...)
		}
		seen := 0
		for _, line := range show(w, "*%evt.rawtime %evt.args") {
			at, rest, _ := strings.Cut(line, " ")
			m := word.FindStringSubmatch(rest)
			if m == nil {
				continue
			}
			var ns int
			fmt.Sscan(at, &ns)
			bit := (ns-scapBoot)/1000 - 1
			want, known := int64(0), false
			for name := range strings.SplitSeq(m[1], "|") {
				if n, ok := flagBits[name]; ok && !slices.Contains([]string{"O_RDONLY", "O_NONE"}, name) {
					want, known = want|n, true
				}
			}
			if known {
				seen++
				if got := ours(1 << bit); got != want {
					t.Errorf("%s: bit %d: got %#x, want %#x", m[1], bit, got, want)
				}
			}
		}
		if seen < 10 {
			t.Errorf("type %d: sysdig named %d flags only", half, seen)
		}
	}
	flagTest(1, func(bit int) []any { return a(3, "/x", uint32(1<<bit), uint32(0), uint32(0)) }, 14,
		regexp.MustCompile(`flags=\d+\(([A-Z_|]+)\)`), func(n int64) int64 { return openFlags(n) })
	flagTest(111, func(bit int) []any {
		return a(5, "x", []byte{}, 100, 100, 1, "/", 0, 0, 0, uint32(0), uint32(0), uint32(0), "x", []byte{}, uint32(1<<bit), uint32(0),
			uint32(0), 100, 100)
	}, 29, regexp.MustCompile(`flags=\d+\(([A-Z_|]+)\)`), scapCloneFlags.of)
	w = newScapWriter()
	w.process(100, 100, "x", "/x", "")
	for i := range scapPtrace {
		w.event(2, 2*84, 100, 1000*(i+1), uint16(i), 7)
	}
	named := 0
	for i, line := range show(w, "*%evt.args") {
		if m := regexp.MustCompile(`request=(\d+)\(PTRACE_([A-Z]+)\)`).FindStringSubmatch(line); m != nil {
			named++
			if want := strings.Replace(m[2], "PEEKUSR", "PEEKUSER", 1); strings.Replace(want, "POKEUSR", "POKEUSER", 1) != scapPtrace[i] {
				t.Errorf("ptrace %d: got %s, sysdig says %s", i, scapPtrace[i], m[2])
			}
		}
	}
	if named < 25 {
		t.Errorf("sysdig named %d requests of ptrace only", named)
	}
}

func TestScapRejects(t *testing.T) {
	whole := synthetic(2)
	for n := range 60 { // ends anywhere
		cut := whole[:len(whole)*(n+1)/61]
		if _, report, rejected, err := readAll(Scap{}, Input{Name: "cut"}, cut); err != nil || report.Rejected > 1 {
			t.Errorf("%d of %d bytes: %v, rejected %d: %s", len(cut), len(whole), err, report.Rejected, rejected)
		}
	}
	for name, tc := range map[string]struct {
		content []byte
		want    string
	}{
		"nothing":    {nil, ""},
		"text":       {[]byte("hello, world, hello"), "block at byte 0: length"},
		"big-endian": {[]byte("\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x1a\x2b\x3c\x4d\x00\x01\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00"), "big-endian capture"},
		"trailer":    {append(newScapWriter().Bytes()[:24], 1, 2, 3, 4), "28 bytes by its begin"},
		"no section": {newScapWriter().Bytes()[28:], "no section header"},
	} {
		if _, _, _, err := readAll(Scap{}, Input{Name: name}, tc.content); tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	w := newScapWriter()
	w.block(0x216, pack(uint16(0), scapBoot, 5, uint32(200), uint16(3), uint32(1)))
	w.block(0x216, pack(uint16(0), scapBoot, 5, uint32(30), uint16(3), uint32(9), uint32(0)))
	w.block(0x215, pack(uint32(400)))
	w.block(0x218, pack(100, uint32(22), 5, 1, uint8(3), uint8(0), uint32(0), uint32(0)))
	w.event(2, 2*scapContainer, 0, 0, `{"container":{"id":"short"}}`)
	w.event(2, 2*153+1, 100, 0, 3, -100, "/x", uint32(1), uint32(0), uint32(0))
	rows, report, rejected, err := readAll(Scap{}, Input{Name: "x"}, w.Bytes())
	if err != nil || report.Rejected != 5 || !strings.Contains(rows, `path="/x"`) || strings.Count(rejected, `"record":`) != 5 {
		t.Errorf("got %v, %d rejected, %s, %s", err, report.Rejected, rejected, rows)
	}
}

// TestScapContainersAlike has two containers whose ids begin alike, and a description
// that has the beginning alone: the first in order gets it, each time.
func TestScapContainersAlike(t *testing.T) {
	other := testContainer[:63] + "0"
	w := newScapWriter()
	w.process(100, 100, "nginx", "/usr/sbin/nginx", "cpu=/docker/"+testContainer+"\x00")
	w.process(200, 200, "nginx", "/usr/sbin/nginx", "cpu=/docker/"+other+"\x00")
	w.event(3, 2*scapContainer, 0, 1, `{"container":{"id":"`+testContainer[:12]+`","name":"web","type":0}}`)
	for range 20 {
		rows, _, _, err := readAll(Scap{}, Input{Name: "x"}, w.Bytes())
		if err != nil || !strings.Contains(rows, other) || strings.Contains(rows, testContainer) {
			t.Fatalf("got %v, %s, want a row of %s", err, rows, other)
		}
	}
}

func FuzzScap(f *testing.F) {
	for version := 1; version <= 3; version++ {
		f.Add(synthetic(version))
	}
	for _, name := range scapSamples {
		if content, err := os.ReadFile("../../shared/datasets/fixtures/scap/" + name + ".scap"); err == nil {
			if z, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
				if content, err = io.ReadAll(z); err == nil {
					f.Add(content[:min(len(content), 20000)])
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) { fuzzSource(t, Scap{}, content) })
}

// BenchmarkScap reads the events of a real capture, many times over, and has
// sysdig print them: what one would take instead.
func BenchmarkScap(b *testing.B) {
	content := scapSample(b, "curl_google")
	events := 0
	for at := 0; at+8 <= len(content); at += int(binary.LittleEndian.Uint32(content[at+4:])) {
		if kind := binary.LittleEndian.Uint32(content[at:]); kind == 0x204 || kind == 0x208 || kind == 0x216 || kind == 0x217 {
			events = at
			break
		}
	}
	if events == 0 {
		b.Fatal("no events")
	}
	content = append(bytes.Clone(content), bytes.Repeat(content[events:], 200)...)
	b.Run("ingest", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for range b.N {
			in := Input{Reader: bytes.NewReader(content), Limits: Limits{}.orDefaults()}
			sink := &Sink{rows: discardRows{}, quarantine: newQuarantine(), limits: in.Limits, machines: map[string]Machine{}}
			if err := (Scap{}).Read(context.Background(), &in, sink); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sysdig", func(b *testing.B) {
		file := filepath.Join(b.TempDir(), "x.scap")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(content)))
		for range b.N {
			if err := exec.Command("sysdig", "-r", file, "-p", "%evt.num").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

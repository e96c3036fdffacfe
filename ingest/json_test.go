package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Alerts and events as the formats' documentation shows them, and some that are
// bad: shapes of Falco 0.28 to 0.41, of Tracee 0.8 to 0.23 and since.
func TestDocumentedSamples(t *testing.T) {
	for _, tt := range []struct {
		src  Source
		file string
	}{{Falco{}, "falco/alerts.jsonl"}, {Tracee{}, "tracee/events.jsonl"}, {Tracee{}, "tracee/workload.jsonl"}, {Tetragon{}, "tetragon/documented.jsonl"}} {
		content, err := os.ReadFile("testdata/" + tt.file)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, tt.src, Input{Name: tt.file, Host: "given"}, content, strings.TrimSuffix(tt.file, "jsonl")+"golden")
	}
}

// Each file is its own format's and nobody else's.
func TestSniffJSON(t *testing.T) {
	for _, file := range []string{"falco/alerts.jsonl", "tracee/events.jsonl", "tracee/workload.jsonl", "tetragon/documented.jsonl"} {
		format, _, _ := strings.Cut(file, "/")
		content, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, head := range [][]byte{content, content[:bytes.IndexByte(content, '\n')], append([]byte("\xef\xbb\xbf \n["), content...)} {
			got := ""
			for _, src := range Sources() {
				if src.Sniff(file, head[:min(len(head), peekBytes)]) {
					got = src.Format()
					break
				}
			}
			if got != format {
				t.Errorf("%s: got %q for %.60q…, want %q", file, got, head, format)
			}
		}
	}
}

// What encoding/json finds well-formed, and nothing else, is so for jsonScan.
func TestJSONGrammar(t *testing.T) {
	for _, s := range jsonCorpus {
		checkJSON(t, []byte(s))
	}
}

// jsonCorpus has what suites of JSON parsers try: each is one value, or none.
var jsonCorpus = []string{
	`{}`, `[]`, `{"a":1}`, `{"a":[1,2,{"b":null}],"c":true,"d":false}`, `{"a":-0}`, `{"a":-0.0e-0}`, `{"a":1e400}`, `{"a":1E+2}`,
	`{"a":0.1}`, ` {"a" : 1 , "b" : [ ] } `, "{\"a\":\t1\r\n}", `{"a":"\"\\\/\b\f\n\r\t"}`, `{"a":"\u0000\u00e9\ud83d\ude00"}`,
	`{"a":"\ud800"}`, `{"a":"\ud800\u0041"}`, `{"a":"\udc00\ud800"}`, "{\"a\":\"\xff\xfe\"}", `{"a":1,"a":2}`, `{"":""}`,
	`{"a":123456789012345678901234567890}`, `{"a":"` + strings.Repeat("x", 1000) + `"}`, strings.Repeat("[", 100) + strings.Repeat("]", 100),
	`{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,"a":1}`, `{"a":1 "b":2}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":1e+}`,
	`{"a":-}`, `{"a":--1}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":tru}`, `{"a":truee}`, `{"a":nul}`, `{"a":'b'}`, `{'a':1}`, `{a:1}`,
	`{"a":"b}`, "{\"a\":\"b\nc\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\x1f\"}", `{"a":"\x41"}`, `{"a":"\u12"}`, `{"a":"\u12G4"}`, `{"a":"\`, `{"a":"\"`,
	`{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":{]}`, `[1}`, `{"a":1]`, `{"a":1}}`, `{"a":1},`, `{} {}`, `{}x`, "{}\x00", "", " ", "null",
	`"a"`, `1`, `-`, `{"a":/*c*/1}`, `{"a":1}//`, "\xef\xbb\xbf{}", "{\"a\":\u00a01}", `{"a" 1}`, `{"a"::1}`, `{1:1}`, `{"a":1,,"b":2}`, `["a",`, `[`, `[[`,
	strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50),
}

// checkJSON compares the two on one value.
func checkJSON(t *testing.T, b []byte) {
	t.Helper()
	j := jsonScan{most: 10000}
	j.reset(b)
	j.skip()
	if j.err == nil {
		if j.peek(); j.i < len(b) {
			j.err = errors.New("more behind it")
		}
	}
	if want := json.Valid(b); want != (j.err == nil) {
		t.Errorf("%.200q: got %v, encoding/json says valid: %v", b, j.err, want)
	}
	if j.i > len(b) {
		t.Errorf("%.200q: at byte %d of %d", b, j.i, len(b))
	}
}

// Texts mean what encoding/json says; what is no UTF-8 stays what it is, where
// encoding/json has a replacement character.
func TestJSONTexts(t *testing.T) {
	for _, s := range jsonCorpus {
		checkTexts(t, []byte(s))
	}
	j := jsonScan{most: 10}
	j.reset([]byte(`"\ud800x` + "\xff" + `\udbff\udfff"`))
	if got, want := j.str("a"), "\xed\xa0\x80x\xff\U0010ffff"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func checkTexts(t *testing.T, b []byte) {
	t.Helper()
	var want map[string]any
	if json.Unmarshal(b, &want) != nil {
		return
	}
	j := jsonScan{most: 10000}
	j.reset(b)
	if !j.object() {
		return
	}
	for first := true; ; first = false {
		key, ok := j.key(first)
		if !ok {
			break
		}
		if j.peek() != '"' {
			j.skip()
			continue
		}
		got := j.str("")
		text, isText := want[strings.ToValidUTF8(string(key), "\ufffd")].(string)
		if isText && strings.ToValidUTF8(got, "\ufffd") != strings.ToValidUTF8(text, "\ufffd") && !strings.Contains(text, "\ufffd") {
			t.Errorf("%.200q: %q: got %q, want %q", b, key, got, text)
		}
	}
	if j.err != nil {
		t.Errorf("%.200q: %v", b, j.err)
	}
}

func TestJSONIntegers(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int64
		ok   bool
	}{{"0", 0, true}, {"-1", -1, true}, {"9223372036854775807", 1<<63 - 1, true}, {"-9223372036854775808", -1 << 63, true},
		{"18446744073709551615", -1, true}, {"18446744073709551616", 0, false}, {`"42"`, 42, true}, {`"-7"`, -7, true}, {"1.5", 0, false},
		{"1e3", 0, false}, {`""`, 0, false}, {`"-"`, 0, false}, {`"0x10"`, 0, false}, {"1e400", 0, false}, {"null", 0, false}, {"[1]", 0, false}, {"true", 0, false}} {
		j := jsonScan{most: 10}
		j.reset([]byte("[" + tt.text + "]"))
		j.array()
		j.element(true)
		got, ok := j.integer("n")
		if got != tt.want || ok != tt.ok || (j.bad == nil) == (!tt.ok && tt.text != "null") || j.err != nil {
			t.Errorf("%s: got %d, %v, bad %v, %v, want %d, %v", tt.text, got, ok, j.bad, j.err, tt.want, tt.ok)
		}
	}
}

func TestParseTime(t *testing.T) {
	for s, want := range map[string]int64{
		"1970-01-01T00:00:00Z": 0, "2000-02-29T12:00:00.5Z": 951825600500000000, "2022-10-18T03:16:18.273546829Z": 1666062978273546829,
		"2022-10-18T05:16:18.273546829+02:00": 1666062978273546829, "2026-07-10T19:10:32.000000001+0000": 1783710632000000001,
		"2199-12-31T23:59:59.999999999Z": 7258118399999999999,
	} {
		if got, ok := parseTime(s); !ok || got != want {
			t.Errorf("%s: got %d, %v, want %d", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "yesterday", "2022-02-30T00:00:00Z", "2022-13-01T00:00:00Z", "2022-01-01T24:00:00Z", "1969-12-31T23:59:59Z",
		"2200-01-01T00:00:00Z", "2022-01-01T00:00:00.Z", "2022-01-01T00:00:00.1234567890Z", "2022-01-01T00:00:0aZ", "9999-99-99T99:99:99Z"} {
		if got, ok := parseTime(s); ok {
			t.Errorf("%q: got %d, want none", s, got)
		}
	}
}

// falcoLine is an alert of an open at second n.
func falcoLine(n int, path string) string {
	return fmt.Sprintf(`{"rule":"r","time":"2026-01-01T00:00:%02dZ","output_fields":{"evt.type":"open","fd.name":%q,"container.id":"c"}}`, n, path)
}

// However records stand in a file, all that are sound are read, and what is not is
// told with its place.
func TestJSONRecords(t *testing.T) {
	a, b, c := falcoLine(1, "/a"), falcoLine(2, "/b"), falcoLine(3, "/c")
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(b), "", "  "); err != nil {
		t.Fatal(err)
	}
	long := falcoLine(4, "/"+strings.Repeat("l", 3<<20))
	for _, tt := range []struct {
		name, content string
		rows, bad     int64
		waiting       int64
	}{
		{"lines", a + "\n" + b + "\n" + c + "\n", 3, 0, 0},
		{"no break at the end", a + "\n" + b, 2, 0, 0},
		{"one line", a + b + " " + c, 3, 0, 0},
		{"CR LF", a + "\r\n" + b + "\r\n", 2, 0, 0},
		{"mark", "\xef\xbb\xbf" + a + "\n", 1, 0, 0},
		{"array", "[" + a + ",\n" + b + "\n,\n" + c + "]\n", 3, 0, 0},
		{"sequence", "\x1e" + a + "\n\x1e" + b + "\n", 2, 0, 0},
		{"several lines", a + "\n" + pretty.String() + "\n" + c + "\n", 3, 0, 0},
		{"cut", a + "\n" + b[:40], 1, 0, 40},
		{"cut, and gone on", a + "\n" + b[:40] + "\n" + c + "\n", 2, 1, 0},
		{"cut at a comma, and gone on", a + "\n" + `{"rule":"r",` + "\n" + c + "\n", 2, 1, 0},
		{"text", a + "\nhello\n" + c + "\n", 2, 1, 0},
		{"scalars", a + "\n1\n\"x\"\n" + c + "\n", 2, 1, 0},
		{"deep", a + "\n{\"x\":" + strings.Repeat("[", 1<<20) + "\n" + c + "\n", 2, 1, 0},
		{"NUL", a + "\n\x00\x00\x00\n" + c + "\n", 2, 1, 0},
		{"empty lines", "\n\n" + a + "\n\n\n", 1, 0, 0},
		{"long text", a + "\n" + long + "\n" + c + "\n", 2, 1, 0},
		{"never closed", a + "\n{\"x\":[" + strings.Repeat("1,", 5<<20) + "\n" + c + "\n", 2, 1, 0},
	} {
		limits := Limits{LineBytes: 4 << 20}
		_, report, rejected, err := readAll(Falco{}, Input{Name: tt.name, Limits: limits}, []byte(tt.content))
		report.Rows -= int64(strings.Count(rejected, "no such row"))
		if err != nil || report.Rows != tt.rows || report.Rejected != tt.bad || report.Waiting != tt.waiting {
			t.Errorf("%s: got %d rows, %d rejected, %d bytes waiting, %v, want %d, %d, %d\n%.300s", tt.name, report.Rows, report.Rejected,
				report.Waiting, err, tt.rows, tt.bad, tt.waiting, rejected)
		}
	}
}

// The place of a bad record is where it begins.
func TestJSONPosition(t *testing.T) {
	a := falcoLine(1, "/a")
	content := a + "\n" + a + "\n{\"rule\":7}\n" + a + "\n"
	_, _, rejected, err := readAll(Falco{}, Input{Name: "f"}, []byte(content))
	var got sample
	if err == nil {
		err = json.Unmarshal([]byte(rejected), &got)
	}
	if err != nil || got.Line != 3 || got.Record != 3 || got.Offset != int64(2*len(a)+2) || got.Text != `{"rule":7}` || !strings.Contains(got.Reason, "want a text") {
		t.Errorf("got %+v, %v, want record and line 3 at byte %d", got, err, 2*len(a)+2)
	}
}

func FuzzJSONScan(f *testing.F) {
	for _, s := range jsonCorpus {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkJSON(t, b)
		checkTexts(t, b)
	})
}

func fuzzJSON(f *testing.F, src Source, files ...string) {
	for _, file := range files {
		content, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(content) {
			f.Add(line)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, b []byte) { fuzzSource(t, src, b) })
}

func FuzzFalco(f *testing.F)    { fuzzJSON(f, Falco{}, "falco/alerts.jsonl") }
func FuzzTracee(f *testing.F)   { fuzzJSON(f, Tracee{}, "tracee/events.jsonl", "tracee/workload.jsonl") }
func FuzzTetragon(f *testing.F) { fuzzJSON(f, Tetragon{}, "tetragon/documented.jsonl") }

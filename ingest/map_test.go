package ingest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

func loadMap(t testing.TB, name string) Source {
	m, err := LoadMap(filepath.Join("testdata", "map", name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMapGolden(t *testing.T) {
	for name, data := range map[string]string{"edr.yaml": "edr.jsonl", "calls.yaml": "calls.csv"} {
		content, err := os.ReadFile(filepath.Join("testdata", "map", data))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, loadMap(t, name), Input{Name: data, Host: "host"}, content, filepath.Join("map", data+".rows"))
	}
}

// TestMapParquet: the same rows from Parquet as from a table of text.
func TestMapParquet(t *testing.T) {
	type row struct {
		When  int64    `parquet:"when,timestamp(microsecond)"`
		What  *string  `parquet:"what,optional"`
		PID   int32    `parquet:"pid"`
		Words []string `parquet:"words,list"`
	}
	run := "run"
	file := filepath.Join(t.TempDir(), "x.parquet")
	if err := parquet.WriteFile(file, []row{{1_700_000_000_000_000, &run, 7, []string{"a", "b"}}, {1, nil, 8, nil}}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMap("m", []byte("format: parquet\ncolumns: {time_ns: when, kind: {from: what, values: {run: exec}}, pid: pid, argv: words}\n"))
	if err != nil {
		t.Fatal(err)
	}
	rows, report, rejected, err := readAll(m, Input{Name: "x"}, content)
	if want := `time_ns=1700000000000000000 kind="exec" pid=7 argv=["a","b"]`; err != nil || !strings.Contains(rows, want) || report.Rejected != 1 || !strings.Contains(rejected, `what: no kind`) {
		t.Errorf("got %v, %s, rejected %s, want %s", err, rows, rejected, want)
	}
	if _, _, _, err := readAll(m, Input{Name: "x"}, content[:len(content)/2]); err == nil {
		t.Error("half a file: got no error")
	}
}

func TestMapErrorsNameTheLine(t *testing.T) {
	good := "format: csv\ncolumns:\n  kind: {const: open}\n  time_ns: t\n"
	if _, err := ParseMap("m.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ text, want string }{
		{"", "m.yaml:1: empty"},
		{"- a\n", "m.yaml:1: map: want names and values"},
		{"format: csv\n", "m.yaml:1: no columns"},
		{"columns: {}\n", "m.yaml:1: no format"},
		{"format: xml\n", `m.yaml:1: format: got "xml", want csv, jsonl, parquet`},
		{good + "colums: {}\n", `m.yaml:5: "colums": not known`},
		{good + "separator: ab\n", "m.yaml:5: separator"},
		{good + "arch: vax\n", "m.yaml:5: arch"},
		{good + "format: csv\n", `m.yaml:5: map: "format" stands twice`},
		{good + "  comand: x\n", `m.yaml:5: column "comand": table events has none`},
		{good + "  pid: {form: x}\n", `m.yaml:5: pid: "form": not known`},
		{good + "  pid: {from: x, const: 1}\n", "m.yaml:5: pid: want either from or const"},
		{good + "  pid: {const: x}\n", `m.yaml:5: column "pid": const: got "x", want a whole number`},
		{good + "  comm: {from: x, time: unix}\n", `m.yaml:5: column "comm": is no time`},
		{good + "  comm: {from: x, split: \" \"}\n", `m.yaml:5: column "comm": is no list`},
		{"format: csv\ncolumns:\n  kind: k\n  time_ns: {from: t, time: 15h}\n", "m.yaml:4: time_ns.time"},
		{"format: csv\ncolumns:\n  kind: k\n  time_ns: {from: t, zone: Mars}\n", `m.yaml:4: time_ns.zone: "Mars" is no time zone`},
		{"format: csv\ncolumns:\n  kind: k\n", "m.yaml:3: columns: no time_ns"},
		{"a: [\n", "m.yaml: line"},
	} {
		if _, err := ParseMap("m.yaml", []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got %v, want %q", tc.text, err, tc.want)
		}
	}
}

func TestMapTimes(t *testing.T) {
	for _, tc := range []struct {
		format, text string
		want         int64
	}{
		{"unix", "1700000000", 1700000000e9}, {"unix", "1700000000.123456789", 1700000000123456789}, {"unix", "1.7e9", 1.7e18},
		{"unix_ms", "1700000000123", 1700000000123e6}, {"unix_us", "1700000000123456", 1700000000123456e3},
		{"unix_ns", "1700000000123456789", 1700000000123456789}, {"rfc3339", "2023-11-14T22:13:20.5Z", 1700000000500000000},
		{"2006-01-02 15:04:05", "2023-11-14 22:13:20", 1700000000e9},
	} {
		m, err := ParseMap("m", []byte("format: csv\ncolumns: {kind: {const: open}, time_ns: {from: t, time: \""+tc.format+"\"}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		c := m.(*Map).columns[1]
		if got, err := timeOf(tc.text, &c); err != nil || got != tc.want {
			t.Errorf("%s %s: got %d, %v, want %d", tc.format, tc.text, got, err, tc.want)
		}
		for _, bad := range []string{"", "x", "-1", "1e300", "9999999999999999999999"} {
			if got, err := timeOf(bad, &c); err == nil {
				t.Errorf("%s %q: got %d", tc.format, bad, got)
			}
		}
	}
}

func FuzzMap(f *testing.F) {
	for _, name := range []string{"edr", "calls"} {
		for _, end := range []string{".yaml", ".jsonl", ".csv"} {
			if content, err := os.ReadFile(filepath.Join("testdata", "map", name+end)); err == nil {
				spec, _ := os.ReadFile(filepath.Join("testdata", "map", name+".yaml"))
				f.Add(string(spec), content)
			}
		}
	}
	f.Fuzz(func(t *testing.T, spec string, content []byte) {
		m, err := ParseMap("m", []byte(spec))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of more than one line: %q", err)
			}
			return
		}
		fuzzSource(t, m, content)
	})
}

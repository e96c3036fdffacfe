package sink

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"mayfly/detector"
)

var update = flag.Bool("update", false, "rewrite testdata")

// hostile is what an attacker may call a process: ANSI, a turned writing direction,
// quotes, markup, bytes that are no UTF-8.
const hostile = "\x1b[2J\u202egpj.exe\"',<script>\n=cmd|' /C calc'!A0\xff%s"

func findings() []*detector.Finding {
	return []*detector.Finding{{
		Time: "2026-11-22T06:18:57Z", Rule: "mayfly isolation forest", Priority: "Critical",
		Output:       "shop-3 (mayfly-demo/shop): never seen in 3 containers: executed /bin/busybox (score 0.906 above 0.819)",
		OutputFields: map[string]any{"container.name": "shop-3", "container.image": "mayfly-demo/shop:1", "k8s.pod.name": "shop-3-x"},
		Tags:         []string{"container", "mayfly", "mitre_execution", "T1059.004"}, Source: "mayfly", Hostname: "vm",
		Mayfly: detector.Detail{ID: "e587c10883642c46", ContainerID: strings.Repeat("5a", 32), Workload: "mayfly-demo/shop",
			FromNS: 1795328337_000_000_000, ToNS: 1795328339_000_000_000, PeakNS: 1795328337_000_000_000, Alarms: 2,
			Score: 0.906, Threshold: 0.819, Detector: strings.Repeat("ab", 32), New: []string{"exec /bin/busybox"},
			Features: []detector.Reason{{Name: "joint", Seen: 3.8, High: 1.1}}, Calls: []detector.Reason{},
			Evidence: []detector.Evidence{{File: "events/host=vm/a b.parquet", Row: 7, TimeNS: 1795328337_001_000_000, Kind: "exec", Text: "pid 9 executed /bin/busybox", New: true}},
			Ancestry: []detector.Process{{PID: 9, PPID: 8, Exe: "/bin/busybox", Argv: []string{"sh", "-c", "id"}}, {PID: 8, Exe: "/bin/shop"}}},
	}, {
		Time: "2026-11-22T06:19:00Z", Rule: "mayfly isolation forest", Priority: "Warning",
		Output: hostile + " (" + hostile + "): wrote " + hostile, OutputFields: map[string]any{"container.name": hostile}, Source: "mayfly", Hostname: "vm",
		Mayfly: detector.Detail{ID: "0000000000000001", ContainerID: strings.Repeat("5b", 32), Workload: hostile, Alarms: 1, Score: 0.9, Threshold: 0.8,
			Ancestry: []detector.Process{{PID: 1, Exe: hostile, Argv: []string{hostile}}}},
	}}
}

func encode(t *testing.T, format string, all []*detector.Finding) []byte {
	t.Helper()
	enc, err := NewEncoder(format, "v1")
	if err != nil {
		t.Fatal(err)
	}
	out := enc.Begin(nil)
	for _, f := range all {
		if out, err = enc.Append(out, f); err != nil {
			t.Fatal(err)
		}
	}
	return enc.End(out)
}

func TestFormsAreAsBefore(t *testing.T) {
	for _, format := range Formats() {
		got, golden := encode(t, format, findings()), filepath.Join("testdata", format)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", format, got, want)
		}
	}
}

// A form without findings is a whole document all the same.
func TestNothingFound(t *testing.T) {
	for _, format := range Formats() {
		out := encode(t, format, nil)
		if Grows(format) && len(out) > 0 {
			t.Errorf("%s grows from run to run, and begins with %q", format, out)
		}
	}
	var log struct {
		Runs []struct{ Results []any }
	}
	if err := json.Unmarshal(encode(t, SARIF, nil), &log); err != nil || len(log.Runs) != 1 || log.Runs[0].Results == nil {
		t.Errorf("sarif without findings: %v, %+v", err, log)
	}
}

// Names stay text in each form: a reader of it finds what was written.
func TestHostileNamesStayText(t *testing.T) {
	want := strings.ToValidUTF8(hostile, "\ufffd")
	line, _, _ := bytes.Cut(encode(t, OCSF, findings()[1:]), []byte("\n"))
	var event ocsfEvent
	if err := json.Unmarshal(line, &event); err != nil {
		t.Fatal(err)
	}
	if got := event.Evidences[0].Container.Name; got != want {
		t.Errorf("ocsf: name %q, want %q", got, want)
	}
	var log struct {
		Runs []struct{ Results []sarifResult }
	}
	if err := json.Unmarshal(encode(t, SARIF, findings()), &log); err != nil {
		t.Fatal(err)
	}
	if got := log.Runs[0].Results[1].Locations[0].Logical[0].Name; got != want {
		t.Errorf("sarif: name %q, want %q", got, want)
	}
	text := string(encode(t, Table, findings()))
	if lines := strings.Count(text, "\n"); lines != 3 {
		t.Errorf("table: %d lines, want a heading and two", lines)
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("table: %q reaches the terminal", r)
		}
	}
}

func TestUnknownForm(t *testing.T) {
	if _, err := NewEncoder("xml", ""); err == nil || !strings.Contains(err.Error(), "want ndjson, table, ocsf, sarif") {
		t.Errorf("got %v", err)
	}
}

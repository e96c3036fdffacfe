package sink

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"mayfly/detector"
	values "mayfly/rule/hostile"
)

// TestHostileValues: a terminal sees one line of what can be seen, and JSON gives
// each value back.
func TestHostileValues(t *testing.T) {
	for _, value := range values.Values() {
		if got := Printable(value); strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Printable(%q) = %q", value, got)
		}
		line, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(line, &back); err != nil || back != strings.ToValidUTF8(value, "\ufffd") && !strings.ContainsRune(back, '\ufffd') || strings.ContainsAny(string(line), "\n\r\x1b") {
			t.Errorf("JSON of %q is %s, read as %q, %v", value, line, back, err)
		}
	}
}

// TestHostileFindings: OCSF and SARIF give each value back, and keep to their lines.
func TestHostileFindings(t *testing.T) {
	for _, value := range values.Values() {
		f := *findings()[1]
		f.OutputFields = map[string]any{"container.name": value}
		f.Output, f.Mayfly.Workload = value, value
		f.Mayfly.Ancestry = []detector.Process{{PID: 1, Exe: value, Argv: []string{value}}}
		want := strings.ToValidUTF8(value, "\ufffd")
		var event ocsfEvent
		text := encode(t, OCSF, []*detector.Finding{&f})
		if err := json.Unmarshal(text, &event); err != nil || bytes.Count(text, []byte("\n")) != 1 {
			t.Fatalf("ocsf of %q: %v, %d lines", value, err, bytes.Count(text, []byte("\n")))
		}
		if got := event.Evidences[0].Container.Name; got != want && !strings.Contains(got, "\ufffd") {
			t.Errorf("ocsf: name %q, want %q", got, want)
		}
		var log struct {
			Runs []struct{ Results []sarifResult }
		}
		if err := json.Unmarshal(encode(t, SARIF, []*detector.Finding{&f}), &log); err != nil {
			t.Fatalf("sarif of %q: %v", value, err)
		}
		if got := log.Runs[0].Results[0].Locations[0].Logical[0].Name; got != want && !strings.Contains(got, "\ufffd") {
			t.Errorf("sarif: name %q, want %q", got, want)
		}
		if table := encode(t, Table, []*detector.Finding{&f}); bytes.Count(table, []byte("\n")) != 2 {
			t.Errorf("table of %q: %q", value, table)
		}
	}
}

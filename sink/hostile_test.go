package sink

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

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

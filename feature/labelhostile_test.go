package feature

import (
	"bytes"
	"testing"

	"mayfly/rule/hostile"
)

// TestHostileLabels: a label that may be written is read back as it was, whatever a
// spreadsheet or a terminal would make of its name.
func TestHostileLabels(t *testing.T) {
	written := 0
	for _, value := range hostile.Values() {
		want := Label{Container: "c1", FromNS: 1e18, ToNS: 1e18 + 5, Attack: value}
		var text bytes.Buffer
		if WriteLabels(&text, []Label{want}) != nil {
			continue // not plain text
		}
		written++
		got, err := ReadLabels(&text, "labels.csv")
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%q: got %+v, %v", value, got, err)
		}
	}
	if written < 100 {
		t.Errorf("only %d values could be written", written)
	}
}

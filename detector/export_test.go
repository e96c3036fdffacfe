package detector

import (
	"bytes"
	"strings"
	"testing"
)

func TestONNXNamesEverything(t *testing.T) {
	d := fit(t, Training{Windows: source(quiet(4, 60))}, nil)
	model, err := d.ONNX()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range d.Space.Features() {
		names = append(names, f.Name)
	}
	sum, err := d.SHA256()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{strings.Join(names, "\n"), sum, "width_ns", "1000000000", "TreeEnsembleRegressor", "beyond"} {
		if !bytes.Contains(model, []byte(want)) {
			t.Errorf("the model does not hold %q", want)
		}
	}
	again, err := d.ONNX()
	if err != nil || !bytes.Equal(model, again) {
		t.Errorf("a second time: got other bytes, or error %v", err)
	}
}

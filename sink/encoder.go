package sink

import (
	"fmt"
	"slices"
	"strings"

	"mayfly/detector"
)

// The forms of findings.
const (
	NDJSON = "ndjson" // a JSON line each, in the shape of Falco's alerts (detector/FORMAT.md)
	Table  = "table"  // a line each for a person, after a heading
	OCSF   = "ocsf"   // a JSON line each: Detection Finding (2004) of OCSF 1.4
	SARIF  = "sarif"  // one document, SARIF 2.1.0
)

// Formats lists the forms.
func Formats() []string { return []string{NDJSON, Table, OCSF, SARIF} }

// Grows reports whether a file of the form may be appended to by a later run.
func Grows(format string) bool { return format == NDJSON || format == OCSF }

// Encoder writes findings in one form. Each method appends to dst and returns it,
// as append does. Not safe for concurrent use: one run has one Encoder.
type Encoder interface {
	Begin(dst []byte) []byte
	Append(dst []byte, f *detector.Finding) ([]byte, error)
	End(dst []byte) []byte
}

// NewEncoder returns the encoder of a form; version is mayfly's, for the forms that
// name the program that made them.
func NewEncoder(format, version string) (Encoder, error) {
	switch format {
	case NDJSON:
		return ndjson{}, nil
	case Table:
		return table{}, nil
	case OCSF:
		return ocsf{version}, nil
	case SARIF:
		return &sarif{version: version}, nil
	}
	return nil, fmt.Errorf("format %q: want %s", format, strings.Join(Formats(), ", "))
}

// ndjson is the findings file's own form.
type ndjson struct{}

func (ndjson) Begin(dst []byte) []byte                                { return dst }
func (ndjson) Append(dst []byte, f *detector.Finding) ([]byte, error) { return f.AppendJSON(dst) }
func (ndjson) End(dst []byte) []byte                                  { return dst }

// techniques are the tags of a finding that are numbers of ATT&CK.
func techniques(f *detector.Finding) []string {
	return slices.DeleteFunc(slices.Clone(f.Tags), func(tag string) bool {
		return len(tag) < 5 || tag[0] != 'T' || strings.Trim(tag[1:], "0123456789.") != ""
	})
}

package sink

import (
	"encoding/json"
	"fmt"
	"net/url"

	"mayfly/detector"
)

// sarif is the Static Analysis Results Interchange Format, OASIS 2.1.0: one run with
// a result for each finding. A finding has no place in source code; its location is
// the container, and the trace's files that hold its rows.
type sarif struct {
	version string
	some    bool // a result was written
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Related      []sarifLocation   `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Rank         float64           `json:"rank"` // 0 to 100
	Properties   sarifProperties   `json:"properties"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	ID       *int           `json:"id,omitempty"`
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	Message  *sarifText     `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifLogical struct {
	Name string `json:"name"`
	Full string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type sarifProperties struct {
	Tags   []string         `json:"tags"`
	Host   string           `json:"hostname"`
	Detail *detector.Detail `json:"mayfly"`
}

// sarifRule is the one rule of a log: what a detector does.
const sarifRule = "mayfly/departs-from-the-learned"

func (s *sarif) Begin(dst []byte) []byte {
	head, err := json.Marshal(map[string]any{
		"name": "mayfly", "version": s.version,
		"rules": []any{map[string]any{
			"id":               sarifRule,
			"shortDescription": sarifText{"A container did what its workload was never seen to do."},
		}},
	})
	if err != nil { // strings only
		panic(err)
	}
	return fmt.Appendf(dst, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":%s},\"results\":[\n", head)
}

func (s *sarif) Append(dst []byte, f *detector.Finding) ([]byte, error) {
	d := &f.Mayfly
	name, _ := f.OutputFields["container.name"].(string)
	if name == "" {
		name = detector.ShortID(d.ContainerID)
	}
	r := sarifResult{RuleID: sarifRule, Level: "warning", Message: sarifText{f.Output},
		Locations:    []sarifLocation{{Logical: []sarifLogical{{name, f.Hostname + "/" + d.ContainerID, "container"}}}},
		Fingerprints: map[string]string{"mayflyFindingId/v1": d.ID}, Rank: 100 * min(1, max(0, d.Score)),
		Properties: sarifProperties{f.Tags, f.Hostname, d}}
	if f.Priority == "Critical" {
		r.Level = "error"
	}
	for i, row := range d.Evidence {
		r.Related = append(r.Related, sarifLocation{ID: &i, Physical: &sarifPhysical{sarifArtifact{(&url.URL{Path: row.File}).String()}},
			Message: &sarifText{fmt.Sprintf("row %d: %s", row.Row, row.Text)}})
	}
	line, err := json.Marshal(r)
	if err != nil {
		return dst, fmt.Errorf("finding %s: %w", d.ID, err)
	}
	if s.some {
		dst = append(dst, ",\n"...)
	}
	s.some = true
	return append(dst, line...), nil
}

func (s *sarif) End(dst []byte) []byte { return append(dst, "\n]}]}\n"...) }

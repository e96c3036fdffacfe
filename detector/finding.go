package detector

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Finding is an attack as far as windows tell: alarms of one container that belong
// together (see FORMAT.md), as one JSON line in the shape of
// Falco's alerts, so that whatever reads those reads these. What Falco has no
// word for stands under "mayfly".
type Finding struct {
	Time         string         `json:"time"` // RFC 3339, when its first window began
	Rule         string         `json:"rule"`
	Priority     string         `json:"priority"`
	Output       string         `json:"output"`
	OutputFields map[string]any `json:"output_fields"`
	Tags         []string       `json:"tags"`
	Source       string         `json:"source"`
	Hostname     string         `json:"hostname"`
	Mayfly       Detail         `json:"mayfly"`
}

// Detail is what stands behind a finding.
type Detail struct {
	ID          string     `json:"id"`                  // the same first window under the same detector has the same id
	Continues   string     `json:"continues,omitempty"` // id of the finding that grew too long, which this one goes on
	ContainerID string     `json:"container_id"`
	Workload    string     `json:"workload"`
	FromNS      int64      `json:"from_ns"` // start of the first window above the threshold
	ToNS        int64      `json:"to_ns"`   // end of the last one, exclusive
	PeakNS      int64      `json:"peak_ns"` // start of the first window with the highest score
	Alarms      int        `json:"alarms"`  // windows above the threshold
	Score       float64    `json:"score"`   // the highest
	Threshold   float64    `json:"threshold"`
	Detector    string     `json:"detector"`      // sha256 of the detector file
	Features    []Reason   `json:"features"`      // those that carried the highest score, strongest first
	New         []string   `json:"new"`           // items never seen in training, "kind value", most telling first
	Calls       []Reason   `json:"calls"`         // system calls that deviate most in the window at peak_ns
	Evidence    []Evidence `json:"evidence"`      // the event rows behind it, in time order
	Ancestry    []Process  `json:"ancestry"`      // who did it, and who began that one, nearest first, as far as the rows tell
	Lost        int64      `json:"lost"`          // records lost within these windows: what it cannot show
	Gap         bool       `json:"gap,omitempty"` // one of the windows touches a gap of the recording: more may be missing
}

// Reason is one number that carried a finding, beside what was usual.
type Reason struct {
	Name         string  `json:"name"`
	Seen         float64 `json:"seen"`
	Low          float64 `json:"expected_low"`
	High         float64 `json:"expected_high"`
	Contribution float64 `json:"contribution,omitempty"` // to the score's path length; greater carried more
	Doc          string  `json:"doc,omitempty"`
}

// Evidence is one event row: where it stands, and what it says in words.
type Evidence struct {
	File   string `json:"file"` // below the trace's folder
	Row    int64  `json:"row"`  // 0 is the file's first
	TimeNS int64  `json:"time_ns"`
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	New    bool   `json:"new"` // this row brought an item that was never seen in training
}

// Process is one program that ran.
type Process struct {
	PID  int32    `json:"pid"`  // host's pid namespace
	PPID int32    `json:"ppid"` // its parent
	Exe  string   `json:"exe"`  // "" where not known
	Argv []string `json:"argv"` // its first arguments; empty where not known
}

// FindingID names a finding by its first window under a detector: the first 16 hex digits of the
// SHA-256 of detector, host, container and start.
func FindingID(detectorSHA, host, containerID string, fromNS int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", detectorSHA, host, containerID, fromNS))
	return hex.EncodeToString(sum[:8])
}

// AppendJSON appends the finding as one line of JSON, newline included.
func (f *Finding) AppendJSON(dst []byte) ([]byte, error) {
	line, err := json.Marshal(f)
	if err != nil {
		return dst, fmt.Errorf("finding %s: %w", f.Mayfly.ID, err)
	}
	return append(append(dst, line...), '\n'), nil
}

// ShortID is a container's id as people and Falco write it: 12 digits.
func ShortID(containerID string) string {
	if len(containerID) > 12 {
		return containerID[:12]
	}
	return containerID
}

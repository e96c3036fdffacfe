package sink

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"mayfly/detector"
	"mayfly/profile"
)

// ocsf is the Detection Finding of the Open Cybersecurity Schema Framework, version
// 1.4 (ocsf-schema, events/findings/detection_finding.json). Times are milliseconds
// since 1970-01-01 UTC.
type ocsf struct{ version string }

func (ocsf) Begin(dst []byte) []byte { return dst }
func (ocsf) End(dst []byte) []byte   { return dst }

// Numbers of the schema.
const (
	ocsfFindings         = 2       // category_uid
	ocsfDetectionFinding = 2004    // class_uid
	ocsfCreate           = 1       // activity_id
	ocsfMedium           = 3       // severity_id
	ocsfCritical         = 5       // severity_id
	ocsfLearning         = 4       // analytic.type_id: learning, by machine
	ocsfNew              = 1       // status_id
	ocsfRegularFile      = 1       // file.type_id
	ocsfVersion          = "1.4.0" // with is_alert
)

type ocsfEvent struct {
	ActivityID  int            `json:"activity_id"`
	CategoryUID int            `json:"category_uid"`
	ClassUID    int            `json:"class_uid"`
	TypeUID     int            `json:"type_uid"`
	SeverityID  int            `json:"severity_id"`
	StatusID    int            `json:"status_id"`
	IsAlert     bool           `json:"is_alert"`
	Time        int64          `json:"time"`
	StartTime   int64          `json:"start_time"`
	EndTime     int64          `json:"end_time"`
	Count       int            `json:"count"` // windows that alarmed
	Message     string         `json:"message"`
	Metadata    ocsfMetadata   `json:"metadata"`
	FindingInfo ocsfFinding    `json:"finding_info"`
	Evidences   []ocsfEvidence `json:"evidences"`
	Resources   []ocsfResource `json:"resources"`
	Unmapped    ocsfUnmapped   `json:"unmapped"`
}

type ocsfMetadata struct {
	Version string      `json:"version"`
	Product ocsfProduct `json:"product"`
	UID     string      `json:"uid"`
}

type ocsfProduct struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version"`
}

type ocsfFinding struct {
	UID      string       `json:"uid"`
	Title    string       `json:"title"`
	Desc     string       `json:"desc"`
	First    int64        `json:"first_seen_time"`
	Last     int64        `json:"last_seen_time"`
	Analytic ocsfAnalytic `json:"analytic"`
	Attacks  []ocsfAttack `json:"attacks,omitempty"`
	Sources  []string     `json:"data_sources"`
}

type ocsfAnalytic struct {
	Name   string `json:"name"`
	TypeID int    `json:"type_id"`
	UID    string `json:"uid"`
}

type ocsfAttack struct {
	Version   string        `json:"version"`
	Technique ocsfTechnique `json:"technique"`
}

type ocsfTechnique struct {
	UID string `json:"uid"`
}

// ocsfEvidence is one row behind the finding; the first names process and container.
type ocsfEvidence struct {
	UID       string         `json:"uid,omitempty"`
	Container *ocsfContainer `json:"container,omitempty"`
	Process   *ocsfProcess   `json:"process,omitempty"`
	Data      any            `json:"data,omitempty"`
}

type ocsfContainer struct {
	UID   string    `json:"uid"`
	Name  string    `json:"name,omitempty"`
	Image ocsfImage `json:"image"`
}

type ocsfImage struct {
	Name string `json:"name,omitempty"`
	UID  string `json:"uid"`
}

type ocsfProcess struct {
	PID    int32        `json:"pid"`
	Name   string       `json:"name,omitempty"`
	Line   string       `json:"cmd_line,omitempty"`
	File   *ocsfFile    `json:"file,omitempty"`
	Parent *ocsfProcess `json:"parent_process,omitempty"`
}

type ocsfFile struct {
	Name   string `json:"name"`
	Path   string `json:"path"`
	TypeID int    `json:"type_id"`
}

type ocsfResource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
	Name string `json:"name,omitempty"`
}

// ocsfUnmapped is what the schema has no word for.
type ocsfUnmapped struct {
	Score     float64           `json:"score"`
	Threshold float64           `json:"threshold"`
	New       []string          `json:"new"`
	Features  []detector.Reason `json:"features"`
	Calls     []detector.Reason `json:"calls"`
	Workload  string            `json:"workload"`
	Host      string            `json:"hostname"`
	Continues string            `json:"continues,omitempty"`
	Lost      int64             `json:"lost"`
	Gap       bool              `json:"gap,omitempty"`
}

func (o ocsf) Append(dst []byte, f *detector.Finding) ([]byte, error) {
	const ms = 1_000_000
	d := &f.Mayfly
	field := func(name string) string { s, _ := f.OutputFields[name].(string); return s }
	e := ocsfEvent{
		ActivityID: ocsfCreate, CategoryUID: ocsfFindings, ClassUID: ocsfDetectionFinding,
		TypeUID: ocsfDetectionFinding*100 + ocsfCreate, SeverityID: ocsfMedium, StatusID: ocsfNew, IsAlert: true,
		Time: d.FromNS / ms, StartTime: d.FromNS / ms, EndTime: d.ToNS / ms, Count: d.Alarms, Message: f.Output,
		Metadata: ocsfMetadata{ocsfVersion, ocsfProduct{"mayfly", "mayfly", o.version}, d.ID},
		FindingInfo: ocsfFinding{UID: d.ID, Title: f.Rule, Desc: f.Output, First: d.FromNS / ms, Last: d.ToNS / ms,
			Analytic: ocsfAnalytic{f.Rule, ocsfLearning, d.Detector}, Sources: []string{"system calls", "kernel events"}},
		Resources: []ocsfResource{{"container", d.ContainerID, field("container.name")}, {"image", d.Workload, field("container.image")}},
		Unmapped:  ocsfUnmapped{d.Score, d.Threshold, d.New, d.Features, d.Calls, d.Workload, f.Hostname, d.Continues, d.Lost, d.Gap},
	}
	if f.Priority == "Critical" {
		e.SeverityID = ocsfCritical
	}
	for _, id := range techniques(f) {
		e.FindingInfo.Attacks = append(e.FindingInfo.Attacks, ocsfAttack{profile.AttackVersion, ocsfTechnique{id}})
	}
	e.Evidences = append(e.Evidences, ocsfEvidence{
		Container: &ocsfContainer{UID: d.ContainerID, Name: field("container.name"), Image: ocsfImage{field("container.image"), cmp.Or(field("container.image.digest"), d.Workload)}},
		Process:   ocsfLineage(d.Ancestry),
		Data:      map[string]string{"pod": field("k8s.pod.name"), "namespace": field("k8s.ns.name")},
	})
	for _, row := range d.Evidence {
		e.Evidences = append(e.Evidences, ocsfEvidence{UID: fmt.Sprintf("%s#%d", row.File, row.Row), Data: row})
	}
	line, err := json.Marshal(e)
	if err != nil {
		return dst, fmt.Errorf("finding %s: %w", d.ID, err)
	}
	return append(append(dst, line...), '\n'), nil
}

// ocsfLineage is a process with its parents, nearest first; nil where none is known.
func ocsfLineage(ancestry []detector.Process) *ocsfProcess {
	if len(ancestry) == 0 {
		return nil
	}
	p := ancestry[0]
	out := &ocsfProcess{PID: p.PID, Line: strings.Join(p.Argv, " "), Parent: ocsfLineage(ancestry[1:])}
	if p.Exe != "" {
		out.Name = path.Base(p.Exe)
		out.File = &ocsfFile{out.Name, p.Exe, ocsfRegularFile}
	}
	return out
}

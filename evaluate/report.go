package evaluate

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"mayfly/detector"
	"mayfly/page"
)

// ReportVersion is the version of Report's JSON form.
const ReportVersion = 1

// Report says how a detector did. Its JSON form holds no NaN and no infinity: a
// figure that does not exist is null, and Notes says why. The same windows,
// labels and options give the same bytes.
type Report struct {
	Format     string     `json:"format"` // "mayfly report"
	Version    int        `json:"version"`
	Provenance Provenance `json:"provenance"`

	Windows     Counts  `json:"windows"`
	Containers  int     `json:"containers"`            // with at least one window
	NormalHours float64 `json:"normal_hours"`          // container-hours of normal windows
	Lost        int64   `json:"lost"`                  // records that the recorder lost within the windows
	GapWindows  int64   `json:"gap_windows,omitempty"` // windows that touch a gap of the recording

	// What the scores are worth at any threshold.
	AUROC          *Estimate `json:"auroc"`
	AUPRC          *Estimate `json:"auprc"`
	DetectionRates []RateAt  `json:"detection_rates"`

	// What the detector does at its own threshold.
	AtThreshold Operating `json:"at_threshold"`
	Attacks     []Attack  `json:"attacks"` // by start, then name
	Found       int       `json:"attacks_found"`
	Missed      int       `json:"attacks_missed"`

	Curve        []Point            `json:"curve"`    // thinned; the full one is Ranking.Curve
	ROCBand      []Band             `json:"roc_band"` // recall by false-positive rate; empty without intervals
	PRBand       []Band             `json:"pr_band"`  // precision by recall; likewise
	Histogram    Histogram          `json:"histogram"`
	PerContainer []ContainerSummary `json:"per_container"` // most telling first, see ContainerSummary

	Notes []string `json:"notes"` // what a reader must know to read the figures right
}

// Provenance says what was measured on what.
type Provenance struct {
	Mayfly   string           `json:"mayfly"` // version of the program
	Detector string           `json:"detector"`
	SHA256   string           `json:"detector_sha256"`
	Engine   string           `json:"engine"`
	Seed     uint64           `json:"seed"` // of training
	WidthNS  int64            `json:"width_ns"`
	Budget   detector.Budget  `json:"budget"`
	Trained  []detector.Input `json:"trained_on"`
	Training detector.Counts  `json:"training"`
	Inputs   []detector.Input `json:"inputs"`
	Labels   *detector.Input  `json:"labels"` // Windows is the number of labels; null without labels
	Split    string           `json:"split"`  // why no window was both learned from and measured on

	AftermathNS   int64  `json:"aftermath_ns"`
	BootstrapSeed uint64 `json:"bootstrap_seed"`
	Resamples     int    `json:"bootstrap_resamples"`
}

// Counts says what became of the windows.
type Counts struct {
	Total     int `json:"total"`
	Normal    int `json:"normal"`
	Attack    int `json:"attack"`
	Aftermath int `json:"aftermath"` // measured nowhere: see MeasureOptions.Aftermath
	Trained   int `json:"trained"`   // measured nowhere: the detector has learned from them
}

// LeftOut is how many windows no figure counts.
func (c Counts) LeftOut() int { return c.Aftermath + c.Trained }

// RateAt is the largest share of attack windows that any threshold reaches with
// at most the share FPR of normal windows above it. It describes the ranking:
// that threshold was chosen knowing the labels.
type RateAt struct {
	FPR       float64  `json:"fpr"`
	Rate      Estimate `json:"rate"`
	Threshold *float64 `json:"threshold"` // alarms at or above; null when no threshold reaches anything
}

// Operating is what the detector does at its own threshold.
type Operating struct {
	Threshold              float64   `json:"threshold"` // alarms above
	NormalAlarms           int       `json:"normal_alarms"`
	AttackAlarms           int       `json:"attack_alarms"`
	AftermathAlarms        int       `json:"aftermath_alarms"`
	NormalFindings         int       `json:"normal_findings"` // of these alarms, merged (detector.Episodes) over silences as long as the aftermath
	AttackFindings         int       `json:"attack_findings"` // the same of attacks and aftermath
	FPR                    *float64  `json:"fpr"`             // share of normal windows that alarm
	Recall                 *float64  `json:"recall"`          // share of attack windows that alarm
	Precision              *float64  `json:"precision"`       // share of attack windows among alarms, aftermath left out
	AlarmsPerContainerHour *Estimate `json:"alarms_per_container_hour"`
}

// Attack is one label, and whether its attack was found: whether any window
// that shares time with it alarms.
type Attack struct {
	Attack    string    `json:"attack"`
	Container string    `json:"container"` // as the label names it
	Name      string    `json:"container_name"`
	Workload  string    `json:"workload"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Windows   int       `json:"windows"`
	Alarms    int       `json:"alarms"`
	Trained   int       `json:"trained"` // windows left out because the detector learned from them
	Found     bool      `json:"found"`
	// TimeToDetectS is from the label's start to the end of the first window
	// that alarms, when its score is known. Null when missed.
	TimeToDetectS *float64 `json:"time_to_detect_s"`
	PeakScore     *float64 `json:"peak_score"`
	PeakNS        int64    `json:"peak_ns"` // start of the window with the peak
	Carried       []string `json:"carried"` // what carried the peak's score, strongest first
}

// Where is what people call the container.
func (a *Attack) Where() string {
	if a.Name != "" {
		return a.Name
	}
	return page.ShortID(a.Container)
}

// Measured reports whether the attack counts: not when all that is there of it
// was learned from.
func (a *Attack) Measured() bool { return a.Windows > 0 || a.Trained == 0 }

// Band is the pointwise 95 % interval of a curve's height at one place.
type Band struct {
	At   float64 `json:"at"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Histogram counts scores of normal and of attack windows in bins of equal
// width from Low to High.
type Histogram struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Normal []int   `json:"normal"`
	Attack []int   `json:"attack"`
}

// ContainerSummary is one container's row. Containers under attack come first,
// then those with most alarms, then by peak; Timeline is kept for the first
// MeasureOptions.Timelines of them.
type ContainerSummary struct {
	Host         string    `json:"host"`
	ContainerID  string    `json:"container_id"`
	Name         string    `json:"name"`
	Workload     string    `json:"workload"`
	Windows      Counts    `json:"windows"`
	NormalAlarms int       `json:"normal_alarms"`
	AttackAlarms int       `json:"attack_alarms"`
	Peak         *float64  `json:"peak_score"`
	Timeline     *Timeline `json:"timeline"`
}

// Timeline is one container's scores in buckets of equal width.
type Timeline struct {
	FromNS  int64      `json:"from_ns"`
	ToNS    int64      `json:"to_ns"`
	Peaks   []*float64 `json:"peaks"` // largest score per bucket; null without windows
	Alarms  []int      `json:"alarms"`
	Attacks []Stretch  `json:"attacks"`
	Trained []Stretch  `json:"trained"`
}

// Stretch is a named piece of time.
type Stretch struct {
	Name   string `json:"name"`
	FromNS int64  `json:"from_ns"`
	ToNS   int64  `json:"to_ns"`
	Found  bool   `json:"found"`
}

// WriteJSON writes the report as indented JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// finite returns a pointer to v, or nil where JSON has no word for it.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// estimate joins a figure and its interval; nil where there is no figure.
func estimate(v float64, interval *[2]float64) *Estimate {
	if finite(v) == nil {
		return nil
	}
	e := &Estimate{Value: v}
	if interval != nil {
		e.Low, e.High = finite(interval[0]), finite(interval[1])
	}
	return e
}

package detector

import (
	"fmt"
	"math"

	"mayfly/profile"
)

// Version is the version of the detector file that this package writes, and the
// only one that it reads.
const Version = 2

// format names the file in its manifest.
const format = "mayfly detector"

// Engines of a detector.
const (
	Isolation = "isolation" // isolation forest on windows taken as normal
	Golearn   = "golearn"   // the same of the library golearn, for comparison (package reference)
	Random    = "random"    // random forest on labelled windows
)

// Manifest says what a detector is and what it was made from. It is the file
// manifest.json of the detector file.
type Manifest struct {
	Format  string `json:"format"`  // "mayfly detector"
	Version int    `json:"version"` // Version
	Engine  string `json:"engine"`  // Isolation, Random or Golearn
	Mayfly  string `json:"mayfly"`  // version of the program that trained it
	Seed    uint64 `json:"seed"`

	WidthNS   int64   `json:"width_ns"`  // of the windows that it scores
	Threshold float64 `json:"threshold"` // a window alarms when its score is greater
	Budget    Budget  `json:"budget"`

	NEstimators int   `json:"n_estimators"`
	MaxSamples  int   `json:"max_samples,omitempty"` // windows per tree; isolation forest only
	LongWindows int   `json:"long_windows"`          // widths of the longer time scale
	Split       Split `json:"split"`                 // what was held back, and how
	Labels      int   `json:"labels"`                // attacks that it knew of
	AftermathNS int64 `json:"aftermath_ns"`          // after a label that it left out

	Inputs   []Input `json:"inputs"`   // what it was trained on
	Training Counts  `json:"training"` // windows used and left aside
	Trained  []Span  `json:"trained"`  // container times of the training side, learned from or set aside: no evaluation may use them

	Trim                float64 `json:"trim,omitempty"`                  // share of the windows set aside as the oddest
	MaxContainerWindows int     `json:"max_container_windows,omitempty"` // learned from; 0: all

	// Oddest are the windows that were set aside as the oddest, oddest first, at
	// most maxOddest of them; Training.Trimmed counts all. Without Trim they are
	// those by which single containers stood alone.
	Oddest []OddWindow `json:"oddest,omitempty"`

	// Completeness says of each workload how much of what it does was probably not
	// seen, in the order of their names.
	Completeness []Completeness `json:"completeness"`

	// Expected holds, for each feature in order, the range that most training
	// windows taken as normal lie in (1st to 99th percentile).
	Expected []Range `json:"expected"`
}

// Completeness is that of one workload's profile.
type Completeness struct {
	Workload string `json:"workload"`
	profile.Completeness
}

func completeness(p *profile.Profile) []Completeness {
	all := []Completeness{}
	for i := range p.Workloads {
		all = append(all, Completeness{p.Workloads[i].Name, p.Workloads[i].Completeness()})
	}
	return all
}

// Input is one file that a detector was trained on.
type Input struct {
	Name    string `json:"name"` // base name
	SHA256  string `json:"sha256"`
	Windows int64  `json:"windows"`
}

// Split says what was held back from training.
type Split struct {
	By      string  `json:"by"`                // none, container or time
	Holdout float64 `json:"holdout,omitempty"` // share of the windows
}

// Counts says how many windows a training saw, and what became of them.
type Counts struct {
	Windows    int64 `json:"windows"`    // used
	Normal     int64 `json:"normal"`     // used as normal
	Attack     int64 `json:"attack"`     // used as attack (random forest only)
	HeldOut    int64 `json:"held_out"`   // on the test side of the split
	SetAside   int64 `json:"set_aside"`  // not learned from: attacks (isolation forest only), and what followed them
	Containers int   `json:"containers"` // of the windows used
	Lost       int64 `json:"lost"`       // records lost within the windows used

	// GapWindows are those of the windows used that touch a gap of their recording:
	// what the workload did then may be missing from what was learned.
	GapWindows int64 `json:"gap_windows,omitempty"`

	Trimmed int64 `json:"trimmed,omitempty"` // set aside as the oddest (Manifest.Oddest)
	Capped  int64 `json:"capped,omitempty"`  // not learned from: beyond Options.MaxContainerWindows

	// Unsampled are those that nothing looked at: of containers beyond
	// train.Options.MaxWorkloadWindows of their workload.
	Unsampled int64 `json:"unsampled,omitempty"`

	// Sampled is how many of the windows used the forest and the threshold are
	// made from, where there were more than Options.MaxWindows; else 0.
	Sampled int64 `json:"sampled,omitempty"`
}

// Span is a time of one container that a detector was trained on.
type Span struct {
	Host        string `json:"host"`
	ContainerID string `json:"container_id"`
	FromNS      int64  `json:"from_ns"`
	ToNS        int64  `json:"to_ns"` // exclusive
}

// Range is a closed interval of feature values.
type Range struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Budget says how many false alarms may be spent; the threshold follows from it.
// Exactly one of its wishes is set.
type Budget struct {
	AlarmsPerContainerDay float64 `json:"alarms_per_container_day,omitempty"` // alarms in a row are one: see Episode
	FalsePositiveRate     float64 `json:"false_positive_rate,omitempty"`      // share of normal windows, (0,1)

	// Resolved is the finest rate that the training windows can vouch for, in
	// the unit of the wish: 1/(n+1) of n windows, or one alarm in all the days of
	// containers that they are of. When it is above the wish, the threshold is the
	// highest training score, and the wish is a hope.
	Resolved float64 `json:"resolved"`
}

// check says what is wrong with a wish.
func (b Budget) check() error {
	day, rate := b.AlarmsPerContainerDay, b.FalsePositiveRate
	switch {
	case (day != 0) == (rate != 0):
		return fmt.Errorf("budget: want either alarms per container-day or a false-positive rate, got %g and %g", day, rate)
	case day != 0 && !(day > 0 && !math.IsInf(day, 0)):
		return fmt.Errorf("budget: want more than 0 alarms per container-day, got %g", day)
	case rate != 0 && !(rate > 0 && rate < 1):
		return fmt.Errorf("budget: want a false-positive rate between 0 and 1, got %g", rate)
	}
	return nil
}

const nanosPerDay = 24 * 60 * 60 * 1e9

// check refuses a manifest that this package cannot stand behind.
func (m *Manifest) check() error {
	switch {
	case m.Format != format:
		return fmt.Errorf("manifest.json: want format %q, got %q", format, m.Format)
	case m.Version != Version:
		return fmt.Errorf("manifest.json: detector of version %d, this mayfly reads version %d: train it again", m.Version, Version)
	case m.Engine != Isolation && m.Engine != Random && m.Engine != Golearn:
		return fmt.Errorf("manifest.json: unknown engine %q", m.Engine)
	case m.WidthNS <= 0:
		return fmt.Errorf("manifest.json: width_ns: want more than 0, got %d", m.WidthNS)
	case math.IsNaN(m.Threshold) || m.Threshold < 0 || m.Threshold > 1:
		return fmt.Errorf("manifest.json: threshold: want [0,1], got %g", m.Threshold)
	}
	if len(m.Oddest) > maxOddest {
		return fmt.Errorf("manifest.json: %d windows set aside, want at most %d", len(m.Oddest), maxOddest)
	}
	for i, r := range m.Expected {
		if !(r.Low <= r.High) {
			return fmt.Errorf("manifest.json: expected range of feature %d: got %g to %g", i, r.Low, r.High)
		}
	}
	for i, s := range m.Trained {
		if s.FromNS > s.ToNS {
			return fmt.Errorf("manifest.json: trained span %d ends before it begins", i)
		}
	}
	return nil
}

package evaluate

import "mayfly/feature"

// Windows are scored windows of containers, ready to be measured.
type Windows struct {
	Threshold  float64 // a window alarms when its score is greater
	Containers []Container
	Rows       []Scored // those of a container in time order
	Lost       int64    // records that the recorder lost within them
	GapWindows int64    // of them, those that touch a gap of the recording
	// Carried says what carried a row's score; it is asked for the peak of each
	// attack and may be nil.
	Carried func(row int) []string
}

// Container is what windows are grouped by.
type Container struct {
	Host, ID, Name, Workload string
}

// Scored is one window.
type Scored struct {
	Container int32 // index into Windows.Containers
	Trained   bool  // the detector learned from it: counted, measured nowhere
	StartNS   int64
	WidthNS   int64 // > 0
	Score     float64
}

// EndNS is the first nanosecond after the window.
func (s *Scored) EndNS() int64 { return s.StartNS + s.WidthNS }

// class is what a window counts as.
type class uint8

const (
	normal class = iota
	attacked
	aftermath
	trained
)

// classify gives each row its class. labels[c] are the labels of container c.
func classify(w *Windows, labels [][]int, all []feature.Label, aftermathNS int64) []class {
	classes := make([]class, len(w.Rows))
	for i := range w.Rows {
		row := &w.Rows[i]
		if row.Trained {
			classes[i] = trained
			continue
		}
		for _, l := range labels[row.Container] {
			switch label := &all[l]; {
			case shares(row, label):
				classes[i] = attacked
			case classes[i] == normal && row.StartNS > label.ToNS && row.StartNS-label.ToNS <= aftermathNS:
				classes[i] = aftermath
			}
		}
	}
	return classes
}

// shares reports whether a window and a label of its container have time in
// common; it agrees with feature.Label.Covers.
func shares(row *Scored, label *feature.Label) bool {
	return row.StartNS <= label.ToNS && row.EndNS() > label.FromNS
}

// assign lists, per container, the labels that name it.
func assign(containers []Container, labels []feature.Label) [][]int {
	out := make([][]int, len(containers))
	for c := range containers {
		for l := range labels {
			if labels[l].Names(containers[c].ID, containers[c].Name) {
				out[c] = append(out[c], l)
			}
		}
	}
	return out
}

package detector

import (
	"fmt"
	"math"
	"slices"

	"mayfly/feature"

	"github.com/apache/arrow/go/v17/arrow"
)

// Scorer scores windows. It carries what the longer time scales need from one
// record to the next, so the windows of a container must come in time order.
// Not safe for concurrent use; it scores on all processors by itself.
type Scorer struct {
	detector *Detector
	encoder  *feature.Encoder
	threads  int
}

// NewScorer returns a scorer that has seen nothing yet. threads below 1 means
// all processors; a score does not depend on it.
func (d *Detector) NewScorer(threads int) *Scorer {
	return &Scorer{d, d.Space.NewEncoder(), threads}
}

// Began tells that a container's first window began at startNS, for a scorer that
// comes in later.
func (s *Scorer) Began(host, containerID string, startNS int64) {
	s.encoder.Began(host, containerID, startNS)
}

// Scored is one record of windows with its scores.
type Scored struct {
	Windows *feature.Windows // of the record given to Score, valid as long as that is
	Scores  []float32        // one per window; higher is stranger
	columns [][]float32      // one per feature, of the encoded record
	encoded arrow.Record
	d       *Detector
}

// Score scores a record of feature.Schema. The caller Releases the result before
// the record.
func (s *Scorer) Score(rec arrow.Record) (*Scored, error) {
	windows, err := feature.View(rec)
	if err != nil {
		return nil, err
	}
	var w feature.Window
	for i := range windows.Len() {
		if windows.At(i, &w); w.WidthNS != s.detector.Manifest.WidthNS {
			return nil, fmt.Errorf("window of %d ns, the detector was trained on %d ns", w.WidthNS, s.detector.Manifest.WidthNS)
		}
	}
	encoded, err := s.encoder.Encode(rec)
	if err != nil {
		return nil, err
	}
	columns, err := float32Columns(encoded)
	if err != nil {
		encoded.Release()
		return nil, err
	}
	scores := make([]float32, windows.Len())
	if err := s.detector.model.Score(columns, scores, s.threads); err != nil {
		encoded.Release()
		return nil, err
	}
	return &Scored{windows, scores, columns, encoded, s.detector}, nil
}

// Release frees the encoded features.
func (s *Scored) Release() { s.encoded.Release() }

// Alarm reports whether window i is above the threshold.
func (s *Scored) Alarm(i int) bool { return float64(s.Scores[i]) > s.d.Manifest.Threshold }

// Reasons returns the features that carried the score of window i, strongest
// first, at most the given number. Only features whose value lies outside the
// expected range count: the others may have contributed, but explain nothing.
func (s *Scored) Reasons(i, most int) ([]Reason, error) {
	row := make([]float32, len(s.columns))
	for c, column := range s.columns {
		row[c] = column[i]
	}
	contributions := make([]float64, len(row))
	if _, err := s.d.model.Contributions(row, contributions); err != nil {
		return nil, err
	}
	if s.d.Manifest.Engine != Random {
		// They are parts of the path's length there, and a short path is strange.
		for c := range contributions {
			contributions[c] = -contributions[c]
		}
	}
	var reasons []Reason
	for c, f := range s.d.Space.Features() {
		usual, seen := s.d.Manifest.Expected[c], float64(row[c])
		if math.IsNaN(seen) || seen >= usual.Low && seen <= usual.High || contributions[c] <= 0 {
			continue
		}
		reasons = append(reasons, Reason{
			Name: f.Name, Seen: finite(row[c]), Low: usual.Low, High: usual.High,
			Contribution: contributions[c], Doc: f.Reason,
		})
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int {
		switch {
		case a.Contribution > b.Contribution:
			return -1
		case a.Contribution < b.Contribution:
			return 1
		}
		return 0
	})
	return reasons[:min(most, len(reasons))], nil
}

package feature

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"mayfly/profile"
)

// spaceFormat names what MarshalJSON writes, with its version.
const spaceFormat = "mayfly space 2"

// spaceFile is a Space as JSON.
type spaceFile struct {
	Format        string           `json:"format"`
	WidthNS       int64            `json:"width_ns"`
	LongWindows   int              `json:"long_windows"`
	MaxContainers int              `json:"max_containers"`
	Features      []string         `json:"features"`
	Counters      []string         `json:"counters"`
	Families      []string         `json:"families"`
	Global        *model           `json:"global"`
	Workloads     []*model         `json:"workloads"`
	Profile       *profile.Profile `json:"profile"`
}

// MarshalJSON writes the space: the same bytes for the same space. Where things
// were seen, which NewTrainingEncoder needs, is not written.
func (s *Space) MarshalJSON() ([]byte, error) {
	if s.global == nil {
		return nil, errors.New("space: empty")
	}
	f := spaceFile{Format: spaceFormat, WidthNS: s.WidthNS, LongWindows: s.LongWindows, MaxContainers: s.MaxContainers,
		Features: featureNames(), Counters: counterNames(), Families: familyNames[:], Global: s.global, Workloads: s.models, Profile: s.Profile}
	if len(s.models) == 1 {
		f.Global = nil // it is the same
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON wrote and holds it to every rule that the
// encoder relies on: it may come from a hostile file.
func (s *Space) UnmarshalJSON(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var f spaceFile
	if err := dec.Decode(&f); err != nil {
		return fmt.Errorf("space: %w", err)
	}
	if err := f.check(); err != nil {
		return fmt.Errorf("space: %w", err)
	}
	if f.Global == nil {
		only := *f.Workloads[0]
		only.Name = ""
		f.Global = &only
	}
	*s = Space{WidthNS: f.WidthNS, LongWindows: f.LongWindows, MaxContainers: f.MaxContainers,
		Profile: f.Profile, models: f.Workloads, global: f.Global}
	s.index()
	return nil
}

func featureNames() []string {
	names := make([]string, len(features))
	for i, f := range features {
		names[i] = f.Name
	}
	return names
}

func counterNames() []string {
	names := make([]string, NumCounters)
	for i, c := range Counters {
		names[i] = c.Name
	}
	return names
}

func (f *spaceFile) check() error {
	switch {
	case f.Format != spaceFormat:
		return fmt.Errorf("format: got %.40q, want %q", f.Format, spaceFormat)
	case f.WidthNS <= 0 || f.WidthNS > maxTimeNS/maxLongWindows:
		return fmt.Errorf("width: got %d ns", f.WidthNS)
	case f.LongWindows < 2 || f.LongWindows > maxLongWindows:
		return fmt.Errorf("long windows: got %d, want 2 to %d", f.LongWindows, maxLongWindows)
	case f.MaxContainers < 1 || f.MaxContainers > 1<<20:
		return fmt.Errorf("containers: got %d, want 1 to %d", f.MaxContainers, 1<<20)
	case !slices.Equal(f.Features, featureNames()):
		return errors.New("features: not those of this version of mayfly: train anew")
	case !slices.Equal(f.Counters, counterNames()) || !slices.Equal(f.Families, familyNames[:]):
		return errors.New("counters or families: not those of this version of mayfly: train anew")
	case f.Profile == nil:
		return errors.New("no profile")
	case len(f.Workloads) == 0 || len(f.Workloads) > maxWorkloads:
		return fmt.Errorf("workloads: got %d, want 1 to %d", len(f.Workloads), maxWorkloads)
	case f.Global == nil && len(f.Workloads) != 1:
		return errors.New("no model of all workloads")
	}
	all := f.Workloads
	if f.Global != nil {
		all = append([]*model{f.Global}, all...)
	}
	for i, m := range all {
		if m == nil {
			return fmt.Errorf("workload %d: none", i)
		}
		if err := m.check(); err != nil {
			return fmt.Errorf("workload %.80q: %w", m.Name, err)
		}
	}
	for i := 1; i < len(f.Workloads); i++ {
		if f.Workloads[i-1].Name >= f.Workloads[i].Name {
			return fmt.Errorf("workload %.80q: out of order", f.Workloads[i].Name)
		}
	}
	return nil
}

func (m *model) check() error {
	switch {
	case m.Windows == 0 || m.Windows > 1<<53:
		return fmt.Errorf("windows: got %d", m.Windows)
	case len(m.Counters) != int(NumCounters) || len(m.Families) != int(numFamilies):
		return fmt.Errorf("got %d counters and %d families, want %d and %d", len(m.Counters), len(m.Families), NumCounters, numFamilies)
	case len(m.Trigrams) != len(m.TrigramCounts) || len(m.Trigrams) != len(m.TrigramWindows):
		return fmt.Errorf("%d trigrams beside %d counts and %d numbers of windows", len(m.Trigrams), len(m.TrigramCounts), len(m.TrigramWindows))
	case len(m.NovelWindows) != numNovelKinds || slices.Max(m.NovelWindows) > m.Windows:
		return fmt.Errorf("windows with new items: got %d", m.NovelWindows)
	case m.Joint == nil:
		return errors.New("no joint model")
	case m.Missing&^missingAll != 0:
		return fmt.Errorf("missing: got %#x", m.Missing)
	}
	for i, c := range m.Calls {
		if i > 0 && m.Calls[i-1].Call >= c.Call {
			return fmt.Errorf("call %d: out of order", c.Call)
		}
		if c.Windows == 0 || c.Windows > m.Windows {
			return fmt.Errorf("call %d: in %d of %d windows", c.Call, c.Windows, m.Windows)
		}
		if err := cmp.Or(c.Short.check(), c.Long.check()); err != nil {
			return fmt.Errorf("call %d: %w", c.Call, err)
		}
	}
	for i, r := range slices.Concat(m.Counters, m.Families) {
		if err := cmp.Or(r[0].check(), r[1].check()); err != nil {
			return fmt.Errorf("range %d: %w", i, err)
		}
	}
	if err := m.Joint.check(); err != nil {
		return err
	}
	for i, t := range m.Trigrams {
		if i > 0 && m.Trigrams[i-1] >= t || t >= 1<<(3*callBits) || m.TrigramCounts[i] == 0 {
			return fmt.Errorf("trigram %d: out of order, or never seen", t)
		}
	}
	if err := checkBranches(m.Branches); err != nil {
		return err
	}
	return m.Neighbours.check()
}

// check wants a range that gives finite deviations.
func (r *Range) check() error {
	ordered := 0 <= r.Low && r.Low <= r.Median && r.Median <= r.High && r.High <= r.Max && r.Max <= math.MaxUint32*1e6
	scaled := r.Down >= minScale && r.Down <= 1e3 && r.Up >= minScale && r.Up <= 1e3
	if !ordered || !scaled {
		return fmt.Errorf("not a range: %+v", *r)
	}
	return nil
}

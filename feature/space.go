package feature

import (
	"slices"

	"mayfly/profile"
	"mayfly/trace"
)

// Bounds of what a Space may hold. A space that is decoded is held to them.
const (
	maxLongWindows = 600
	maxTrigrams    = 1 << 22
	maxWorkloads   = 1 << 16
)

// Space is what was learned of training windows: per workload the vocabularies
// (system calls, trigrams, and, in Profile, items), and the usual ranges of calls,
// call families and counters at two time scales, the window and the last
// LongWindows widths of a container. A window of a workload that it does not
// know is measured against all workloads together.
//
// A Space is read-only once learned or decoded and safe for concurrent use.
type Space struct {
	WidthNS       int64            // width of the windows, > 0
	LongWindows   int              // widths that the long time scale holds
	MaxContainers int              // containers whose long scale an Encoder keeps at once
	Profile       *profile.Profile // what the workloads do, with evidence

	models []*model // sorted by name
	global *model
	folds  int // of EncodeTraining; 0 in a decoded space
	byName map[string]*model
}

// model is what was learned of one workload.
type model struct {
	Name            string      `json:"name"`
	Windows         uint64      `json:"windows"`
	Missing         Missing     `json:"missing"`  // what no training window knew
	Calls           []callModel `json:"calls"`    // ascending
	Counters        [][2]Range  `json:"counters"` // NumCounters; window, long
	Families        [][2]Range  `json:"families"` // numFamilies; window, long
	Trigrams        []uint32    `json:"trigrams"` // ascending
	TrigramCounts   []uint32    `json:"trigram_counts"`
	TrigramWindows  []uint32    `json:"trigram_windows"`  // in how many windows
	TrigramOverflow uint64      `json:"trigram_overflow"` // trigrams that found the set full
	NovelWindows    []uint64    `json:"novel_windows"`    // windows with an item that no window before had; by novelKinds
	Joint           *jointModel `json:"joint"`            // how calls go together

	Neighbours neighbours `json:"neighbours"`
	Branches   []branch   `json:"branches"` // where something new may come, by node

	branches *branches            // of Branches
	workload *profile.Workload    // nil for the global one
	series   map[string]int       // see seriesOf; of the global one the most of any workload
	callAt   [maxKnownCall]uint16 // place in Calls, from 1; 0 where it is not
	pairs    map[uint32]pairModel // by the first two calls of trigrams
	order    *backoff             // of Trigrams
	rarity   []float64            // beside Trigrams, as are bits and excess; see step
	bits     []float64
	excess   []float64
	near     *neighbourIndex
	learned  *learning // nil in a decoded space
}

// callModel is what is usual of one system call, over all windows.
type callModel struct {
	Call    trace.Call `json:"call"`
	Windows uint64     `json:"windows"` // how many had it
	Short   Range      `json:"short"`
	Long    Range      `json:"long"`
}

// index makes what is looked up from what is stored.
func (s *Space) index() {
	s.byName = map[string]*model{}
	for _, m := range append([]*model{s.global}, s.models...) {
		for i, c := range m.Calls {
			if c.Call < maxKnownCall {
				m.callAt[c.Call] = uint16(i + 1)
			}
		}
		m.indexSequences()
		if m.branches == nil {
			m.branches = &branches{list: m.Branches}
			m.branches.index()
		}
	}
	s.global.series = map[string]int{}
	for _, m := range s.models {
		m.workload = s.Profile.Workload(m.Name)
		m.series = seriesOf(m.workload)
		s.byName[m.Name] = m
		for form, n := range m.series {
			s.global.series[form] = max(s.global.series[form], n)
		}
	}
}

// Workloads are the names of the workloads learned, sorted.
func (s *Space) Workloads() []string {
	names := make([]string, len(s.models))
	for i, m := range s.models {
		names[i] = m.Name
	}
	return names
}

// Windows is how many windows the space was learned from.
func (s *Space) Windows() uint64 { return s.global.Windows }

// model returns what a window is measured against.
func (s *Space) model(workload string) *model {
	if m := s.byName[workload]; m != nil {
		return m
	}
	return s.global
}

// call returns what is usual of a call, nil when no training window had it.
func (m *model) call(c trace.Call) *callModel {
	if c < maxKnownCall {
		if at := m.callAt[c]; at > 0 {
			return &m.Calls[at-1]
		}
		return nil
	}
	for i := len(m.Calls) - 1; i >= 0 && m.Calls[i].Call >= c; i-- { // few are that high
		if m.Calls[i].Call == c {
			return &m.Calls[i]
		}
	}
	return nil
}

// trigram returns how often a trigram was seen in training, and its place in
// Trigrams where it was.
func (m *model) trigram(t uint32) (at int, n uint64) {
	if at, ok := slices.BinarySearch(m.Trigrams, t); ok {
		return at, uint64(m.TrigramCounts[at])
	}
	return 0, 0
}

// hasItem reports whether the workload, or for unknown ones any workload, was
// seen doing a thing.
func (s *Space) hasItem(m *model, item profile.Item) bool {
	if m.workload != nil {
		return m.workload.Has(item)
	}
	for i := range s.Profile.Workloads {
		if s.Profile.Workloads[i].Has(item) {
			return true
		}
	}
	return false
}

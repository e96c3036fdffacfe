package profile

import (
	"cmp"
	"slices"
	"strings"
)

// Evidence says how an item was seen.
type Evidence struct {
	Count      int64 `json:"count"`      // how often
	Windows    int64 `json:"windows"`    // in how many windows
	Containers int   `json:"containers"` // in how many containers; stops at MaxEvidence
	Hosts      int   `json:"hosts"`      // on how many hosts; stops at MaxEvidence
	FirstNS    int64 `json:"first_ns"`   // start of the first window with it, ns since 1970-01-01 UTC
	LastNS     int64 `json:"last_ns"`    // end of the last window with it
}

// MaxEvidence is where the counts of containers and hosts of an item stop.
const MaxEvidence = 256

// Entry is an item with its evidence.
type Entry struct {
	Item Item `json:"item"`
	Evidence
}

// Overflow says how much of a kind did not fit into a profile.
type Overflow struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"` // occurrences of items that were left out
}

// Workload is what the containers of one image do.
type Workload struct {
	Name       string     `json:"name"`                  // see WorkloadName
	Items      []Entry    `json:"items"`                 // sorted by kind and value, no item twice
	Windows    int64      `json:"windows"`               // how many were added
	Containers []string   `json:"containers"`            // sorted; at most BuilderOptions.MaxContainers
	Hosts      []string   `json:"hosts"`                 // sorted; at most BuilderOptions.MaxContainers
	Machines   []string   `json:"machines,omitempty"`    // of the recordings, as GOARCH names them, sorted
	Lost       int64      `json:"lost"`                  // records lost in its windows
	GapWindows int64      `json:"gap_windows,omitempty"` // of them, those that touch a gap of the recording
	FromNS     int64      `json:"from_ns"`               // start of the first window
	ToNS       int64      `json:"to_ns"`                 // end of the last window
	Overflow   []Overflow `json:"overflow,omitempty"`    // sorted by kind
	Declared   *Declared  `json:"declared,omitempty"`    // nil where no runtime told
}

// Profile is what was learned of every workload. A profile that is not being
// changed is safe for concurrent use.
type Profile struct {
	Workloads []Workload `json:"workloads"` // sorted by name, no name twice
}

// Workload returns the workload of a name, or nil.
func (p *Profile) Workload(name string) *Workload {
	if p == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(p.Workloads, name, func(w Workload, name string) int {
		return cmp.Compare(w.Name, name)
	})
	if !ok {
		return nil
	}
	return &p.Workloads[i]
}

// Has says whether the workload was seen doing item. A nil workload does nothing.
func (w *Workload) Has(item Item) bool {
	_, ok := w.Lookup(item)
	return ok
}

// Lookup returns the evidence of an item.
func (w *Workload) Lookup(item Item) (Evidence, bool) {
	if w == nil {
		return Evidence{}, false
	}
	i, ok := slices.BinarySearchFunc(w.Items, item, func(e Entry, item Item) int {
		return e.Item.Compare(item)
	})
	if !ok {
		return Evidence{}, false
	}
	return w.Items[i].Evidence, true
}

// Kind returns the entries of one kind, sorted by value. The slice is a view.
func (w *Workload) Kind(kind string) []Entry {
	if w == nil {
		return nil
	}
	from, _ := slices.BinarySearchFunc(w.Items, kind, func(e Entry, kind string) int {
		return strings.Compare(e.Item.Kind, kind)
	})
	to := from
	for to < len(w.Items) && w.Items[to].Item.Kind == kind {
		to++
	}
	return w.Items[from:to:to]
}

// OverflowOf returns how many occurrences of a kind were left out.
func (w *Workload) OverflowOf(kind string) int64 {
	for _, o := range w.Overflow {
		if o.Kind == kind {
			return o.Count
		}
	}
	return 0
}

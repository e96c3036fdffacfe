package profile

import (
	"cmp"
	"slices"
	"strings"
)

// Workload is what the containers of one image do, in one deployment where that is
// known.
type Workload struct {
	Name       string     `json:"name"`                  // see NameOf
	Windows    int64      `json:"windows"`               // how many were added
	Containers []Replica  `json:"containers"`            // sorted by id; of more than BuilderOptions.MaxContainers the ones with the smallest hashes
	Hosts      []string   `json:"hosts"`                 // sorted; at most BuilderOptions.MaxContainers
	Machines   []string   `json:"machines,omitempty"`    // of the recordings, as GOARCH names them, sorted
	Lost       int64      `json:"lost"`                  // records lost in its windows
	GapWindows int64      `json:"gap_windows,omitempty"` // of them, those that touch a gap of the recording
	FromNS     int64      `json:"from_ns"`               // start of the first window
	ToNS       int64      `json:"to_ns"`                 // end of the last window
	Overflow   []Overflow `json:"overflow,omitempty"`    // sorted by kind
	Declared   *Declared  `json:"declared,omitempty"`    // nil where no runtime told
	Items      []Entry    `json:"items"`                 // sorted by kind and value, no item twice
}

// Profile is what was learned of every workload. A profile that is not being
// changed is safe for concurrent use.
type Profile struct {
	Traces    []Trace    // what it was made from, sorted by time, host and boot; empty where windows came without
	Workloads []Workload // sorted by name, no name twice
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

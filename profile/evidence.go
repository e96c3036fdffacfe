package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Trace is a recording that a profile was made from: what one directory holds of
// one boot of a host. All of it is content, so that the same recording is known
// again wherever it lies, but for Name.
type Trace struct {
	Name   string `json:"name"` // of the directory, for people
	Host   string `json:"host"`
	BootID string `json:"boot_id,omitempty"`
	Source string `json:"source,omitempty"` // "mayfly record", or the foreign format
	FromNS int64  `json:"from_ns"`          // of the first row, ns since 1970-01-01 UTC
	ToNS   int64  `json:"to_ns"`            // of the last row
}

// key is what tells one recording from another.
func (t *Trace) key() string {
	return fmt.Sprintf("%d %d %q %q %q", t.FromNS, t.ToNS, t.Host, t.BootID, t.Source)
}

func (t *Trace) check() error {
	for _, s := range []string{t.Name, t.Host, t.BootID, t.Source} {
		if !utf8.ValidString(s) || len(s) > MaxValue {
			return fmt.Errorf("trace: bad value %.80q", s)
		}
	}
	if t.FromNS > t.ToNS {
		return fmt.Errorf("trace %.80q: ends before it begins", t.Name)
	}
	return nil
}

// Replica is one container of a workload.
type Replica struct {
	ID         string `json:"id"`             // of the container, unique in the workload
	Name       string `json:"name,omitempty"` // of the container
	Host       string `json:"host,omitempty"`
	Windows    int64  `json:"windows"`
	Lost       int64  `json:"lost,omitempty"`        // records lost in its windows
	GapWindows int64  `json:"gap_windows,omitempty"` // of them, those that touch a gap of the recording
	FromNS     int64  `json:"from_ns"`               // start of its first window
	ToNS       int64  `json:"to_ns"`                 // end of its last window
}

// UnmarshalJSON reads a replica. In files of version 1 there is its id alone.
func (r *Replica) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &r.ID)
	}
	type plain Replica
	return strictly(text, (*plain)(r))
}

func (r *Replica) check() error {
	switch {
	case r.ID == "" || !validText(r.ID) || !validText(r.Name) || !validText(r.Host):
		return fmt.Errorf("container %.80q: bad name", r.ID)
	case r.Windows < 0 || r.Lost < 0 || r.GapWindows < 0:
		return fmt.Errorf("container %.80q: negative count", r.ID)
	case r.FromNS > r.ToNS:
		return fmt.Errorf("container %.80q: ends before it begins", r.ID)
	}
	return nil
}

func validText(s string) bool { return utf8.ValidString(s) && len(s) <= MaxValue }

// widen makes the replica's time include [from, to].
func (r *Replica) widen(from, to int64) {
	if r.Windows == 0 {
		r.FromNS, r.ToNS = from, to
	}
	r.FromNS, r.ToNS = min(r.FromNS, from), max(r.ToNS, to)
}

// add joins what two profiles know of one container. Names may differ where a
// container was renamed: the one that sorts last stays.
func (r *Replica) add(other *Replica) {
	r.Name, r.Host = max(r.Name, other.Name), max(r.Host, other.Host)
	if other.Windows > 0 {
		r.widen(other.FromNS, other.ToNS)
	}
	r.Windows += other.Windows
	r.Lost += other.Lost
	r.GapWindows += other.GapWindows
}

// Evidence says how an item was seen.
type Evidence struct {
	Count      int64 `json:"count"`      // how often
	Windows    int64 `json:"windows"`    // in how many windows
	Containers int   `json:"containers"` // in how many containers; stops at MaxEvidence
	Hosts      int   `json:"hosts"`      // on how many hosts; stops at MaxEvidence
	FirstNS    int64 `json:"first_ns"`   // start of the first window with it, ns since 1970-01-01 UTC
	LastNS     int64 `json:"last_ns"`    // end of the last window with it
}

// MaxEvidence is where the counts of containers and hosts of an item stop, and how
// many of its containers and traces an entry lists.
const MaxEvidence = 256

// Entry is an item with its evidence.
type Entry struct {
	Item Item `json:"item"`
	Evidence
	In     Members `json:"in,omitempty"`     // places in Workload.Containers; of more than MaxEvidence the ones with the smallest hashes; empty in files of version 1
	Traces Members `json:"traces,omitempty"` // places in Profile.Traces, in the same way
}

func (e *Entry) check(w *Workload, traces int) error {
	if err := e.Item.check(); err != nil {
		return err
	}
	switch {
	case e.Count < 0 || e.Windows < 1 || e.Windows > w.Windows:
		return errors.New("windows or count that cannot be")
	case e.Containers < 0 || e.Containers > MaxEvidence || e.Hosts < 0 || e.Hosts > MaxEvidence,
		len(e.In) > 0 && len(e.In) != e.Containers:
		return errors.New("containers or hosts that cannot be")
	case e.FirstNS > e.LastNS:
		return errors.New("last seen before it was first seen")
	}
	if err := e.In.check(len(w.Containers)); err != nil {
		return fmt.Errorf("containers: %w", err)
	}
	if err := e.Traces.check(traces); err != nil || len(e.Traces) > MaxEvidence {
		return errors.Join(errors.New("traces that cannot be"), err)
	}
	return nil
}

// Overflow says how much of a kind did not fit into a profile.
type Overflow struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"` // occurrences of items that were left out
}

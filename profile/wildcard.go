package profile

import (
	"fmt"
	"strings"
)

// Form says what a wildcard stands for.
type Form string

// The forms of wildcards.
const (
	FormTemplate Form = "template" // of a path: the parts that Template replaced may be any text
	FormName     Form = "name"     // of a path: a part of a name may be any text, for names of this form differ
	FormBelow    Form = "below"    // of a directory: everything in it, at any depth
	FormPrefix   Form = "prefix"   // of addresses: a CIDR prefix
	FormPort     Form = "port"     // of addresses: every address, of one port
)

// Wildcard stands for values that were recorded and for others that were not, and
// says what that costs and what it saves. Both rest on the profile alone.
type Wildcard struct {
	Pattern    string `json:"pattern"` // "/data/temp-*.rdb", "/var/cache" (below), "10.0.1.0/26:5432", "*:443"
	Form       Form   `json:"form"`
	Values     int    `json:"values"`     // different recorded values that it stands for
	Containers int    `json:"containers"` // that they were seen in

	// SavedReplicas is how many of the values would have been false alarms had one
	// replica been left out of the learning: those that one replica alone had and
	// that the wildcard made of the others admits, added up over the replicas.
	SavedReplicas int `json:"saved_replicas"`

	// SavedLate is the same for the second half of the time, had only the first been
	// learned.
	SavedLate int `json:"saved_late"`

	// Occurrences of values that Template made one already: each of them may have had
	// a name of its own. 0 for other forms.
	Occurrences int64 `json:"occurrences,omitempty"`

	Opens string `json:"opens"` // what it admits beyond the recorded, in words
	Size  bool   `json:"size"`  // it saves nothing known: the list would have been too long
}

// Words says the price in a line.
func (w *Wildcard) Words() string {
	s := fmt.Sprintf("stands for %s of %s", count(w.Values, "recorded value"), count(w.Containers, "container"))
	switch {
	case w.Form == FormTemplate:
		s += fmt.Sprintf(", seen %d times; saves an alarm for each new name", w.Occurrences)
	case w.Size:
		s += "; saves no known false alarm, but a list too long to read"
	default:
		s += fmt.Sprintf("; saves %s of a replica left out, %d of the later half", count(w.SavedReplicas, "false alarm"), w.SavedLate)
	}
	return s + "; opens " + w.Opens
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sighting is the evidence that wildcards rest on: of one value, or of several.
type sighting struct {
	in      Members // empty in profiles of version 1
	seenIn  int     // how many containers
	firstNS int64
	values  int
	count   int64
}

func sightingOf(e *Entry) sighting {
	return sighting{in: e.In, seenIn: e.Containers, firstNS: e.FirstNS, values: 1, count: e.Count}
}

// join is the evidence of all of some sightings.
func join(all []sighting) sighting {
	out := sighting{}
	for i, s := range all {
		if i == 0 || s.firstNS < out.firstNS {
			out.firstNS = s.firstNS
		}
		out.in = out.in.union(s.in)
		out.seenIn = max(out.seenIn, s.seenIn, len(out.in))
		out.values += s.values
		out.count += s.count
	}
	return out
}

// union joins two ascending lists.
func (m Members) union(other Members) Members {
	out := make(Members, 0, max(len(m), len(other)))
	i, j := 0, 0
	for i < len(m) || j < len(other) {
		switch {
		case j == len(other) || i < len(m) && m[i] < other[j]:
			out = append(out, m[i])
			i++
		case i == len(m) || other[j] < m[i]:
			out = append(out, other[j])
			j++
		default:
			out = append(out, m[i])
			i, j = i+1, j+1
		}
	}
	return out
}

// trial is what the evidence of a workload says of held-out time.
type trial struct {
	replicas int
	middleNS int64 // of the learning time
	lateNS   int64 // where its last fifth begins
	fromNS   int64
}

func newTrial(w *Workload) trial {
	length := w.ToNS - w.FromNS
	return trial{len(w.Containers), w.FromNS + length/2, w.ToNS - length/5, w.FromNS}
}

// isLate says that something was first seen in the last fifth of the time.
func (t trial) isLate(s sighting) bool { return s.firstNS >= t.lateNS && s.firstNS > t.fromNS }

// least is how many values must be left for anybody to see a pattern in them.
const least = 2

// saved says how many of some values a wildcard for all of them would have saved:
// with one replica left out, over all replicas; and with the later half of the time
// left out. A wildcard that too few of the others would have suggested saves nothing.
func (t trial) saved(all []sighting) (replicas, late int) {
	sole := map[int]int{}
	for _, s := range all {
		if len(s.in) == 1 && t.replicas > 1 {
			sole[s.in[0]]++
		}
		if s.firstNS >= t.middleNS {
			late++
		}
	}
	for _, n := range sole {
		if len(all)-n >= least {
			replicas += n
		}
	}
	if len(all)-late < least {
		late = 0
	}
	return replicas, late
}

// missed says how many values were seen in one replica alone.
func (t trial) missed(all []sighting) (n int) {
	for _, s := range all {
		if len(s.in) == 1 && t.replicas > 1 {
			n++
		}
	}
	return n
}

// depth is how many directories lie above a path.
func depth(path string) int { return strings.Count(strings.TrimSuffix(path, "/"), "/") }

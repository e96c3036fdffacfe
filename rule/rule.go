package rule

import (
	"fmt"
	"strings"

	"mayfly/profile"
)

// Kind says what a rule watches.
type Kind string

// The kinds of rule, in the order in which they are written. Beside each: when
// it fires, and which fields of Rule it reads.
const (
	Program   Kind = "program"   // a file is executed that is not in Allowed.Exact
	Dropped   Kind = "dropped"   // a file written after the container's start, or from memory, is executed and is not in Allowed.Exact
	Secret    Kind = "secret"    // a file of Denied is opened for reading
	Write     Kind = "write"     // a file outside Allowed is opened for writing
	Connect   Kind = "connect"   // a connection to an address and port not in Peers, nor to a port of Ports, nor to a unix socket of Allowed
	Listen    Kind = "listen"    // a socket listens on a port not in Ports; of unix sockets those in Allowed were served
	Privilege Kind = "privilege" // one of Operations is asked for by a program of Allowed.Exact
	Found     Kind = "found"     // one of Items, which findings named, happens again
	Calls     Kind = "calls"     // a system call is made that is not in the seccomp profile
)

// The kinds of Falco rules that several of these make, see FalcoRules.
const (
	Files    Kind = "file"     // Secret and Write
	Network  Kind = "network"  // Connect and Listen
	Takeover Kind = "takeover" // Dropped, Privilege and Found
)

// Paths is a set of paths.
type Paths struct {
	Exact []string // whole paths, sorted
	Dirs  []string // everything below; no slash at the end, sorted
	Globs []string // * is any text, slashes included; sorted
}

// Empty says that no path is in the set.
func (p *Paths) Empty() bool { return len(p.Exact)+len(p.Dirs)+len(p.Globs) == 0 }

// Peer is an address with a port, as profile.Connect items have it.
type Peer struct {
	Addr string `json:"addr"` // an IP address, or a prefix of them in CIDR notation
	Port uint16 `json:"port"`
}

// Rule is one rule, apart from any target's language.
type Rule struct {
	Name       string // unique, printable ASCII
	Kind       Kind
	Priority   string // as Falco names it
	Desc       string
	Tags       []string
	Allowed    Paths
	Denied     Paths
	Peers      []Peer         // sorted by port, then address
	Ports      []uint16       // sorted
	Operations []string       // of operations, in its order
	Items      []profile.Item // sorted
	Basis      Basis
	Price
	Notes []string // what the rule does not cover, or covers too broadly
}

// Price is what a rule costs, by the evidence of its profile.
type Price struct {
	Wildcards []profile.Wildcard `json:"wildcards,omitempty"` // what stands in Allowed, Peers and Ports for more than was recorded; sorted by pattern
	Unseen    Unseen             `json:"unseen"`              // how much of what it allows was probably not seen yet
}

// Basis is what a rule rests on.
type Basis struct {
	Items      int   `json:"items"`      // of the profile that the rule took in
	Containers int   `json:"containers"` // of the workload
	Windows    int64 `json:"windows"`
	FromNS     int64 `json:"from_ns"`
	ToNS       int64 `json:"to_ns"`
	Lost       int64 `json:"lost"`                  // records lost while it was learned
	GapWindows int64 `json:"gap_windows,omitempty"` // of the windows, those that touch a gap of the recording
}

// String is one line for a table or a comment.
func (b Basis) String() string {
	s := fmt.Sprintf("%d items, %d containers, %d windows", b.Items, b.Containers, b.Windows)
	if b.Lost > 0 {
		s += fmt.Sprintf(", %d records LOST", b.Lost)
	}
	if b.GapWindows > 0 {
		s += fmt.Sprintf(", %d windows TOUCH A GAP", b.GapWindows)
	}
	return s
}

// Set is every rule of one workload.
type Set struct {
	Workload        string
	Images          []string          // values of container.image.repository that it may have, sorted; empty when the image is not known
	Digest          string            // of the image, when the workload is bound to it
	Audit           bool              // only to be watched: each target writes the form that denies nothing
	Declared        *profile.Declared // what the runtime said of its containers; nil when none did
	Rules           []Rule            // in the order of the kinds
	Calls           *CallSet          // nil when the profile has no system calls
	HiddenListeners bool              // connections were accepted, and no listen was recorded: it began before the recording
	Scripts         []string          // files that interpreters may run as programs: entry points, and what was read that looks like one; sorted
	Families        []string          // of sockets, see familiesUsed; nil when the recording cannot say
	Risks           []string          // why the set would have been refused without force, and what it left out
	Covered         []string          // items of findings that a rule of the set catches already: "item: rule"
	Skipped         []string          // items of findings that no target can express
	Basis           Basis
}

// CallSet is what a seccomp profile allows.
type CallSet struct {
	Machine  string      // as GOARCH names it
	Guessed  bool        // the profile did not know its machine
	Compat   bool        // 32-bit calls were recorded
	Recorded []string    // sorted
	Added    []string    // needed by every program or by the runtime, and not recorded; sorted
	Refused  []string    // recorded, but the container has no right to them, see adminCalls; sorted
	Unknown  []string    // recorded calls without a name that a target knows; sorted
	Filters  []ArgFilter // of calls of Recorded and Added, by call
	NoClone3 bool        // clone3, whose flags no filter can see, is answered ENOSYS: C libraries then use clone
}

// Refusal is the error of Build when there is too little to make rules of.
type Refusal struct {
	Workload string
	Reasons  []string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("workload %q: no rules: %s", r.Workload, strings.Join(r.Reasons, "; "))
}

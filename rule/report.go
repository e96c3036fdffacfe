package rule

// Report is what Test and TestFiles found: how rules would have done over
// recorded traces.
type Report struct {
	Rules     []Result  `json:"rules"`     // in the order of the files; of sets, a set's seccomp profile comes after its rules
	Attacks   []Attack  `json:"attacks"`   // a row per label, in the labels' order
	Refused   []Refused `json:"refused"`   // calls that seccomp profiles would have refused, by container, then call
	Events    int64     `json:"events"`    // rows of events that were read
	Sequences int64     `json:"sequences"` // rows of sequences that were read
	Unscoped  int       `json:"unscoped"`  // containers that no rule speaks of
	Host      int64     `json:"host"`      // of Events, those of the host that no rule was tried on
	IOUring   int64     `json:"io_uring"`  // of Events, those that came through io_uring, which Falco does not see

	// RefusedBefore counts calls on normal time that a seccomp profile refuses as the
	// container's own did when it was recorded: nothing changes for it, and no rule fires.
	RefusedBefore int64 `json:"refused_before"`
}

// Result is how one rule did.
type Result struct {
	Workload string   `json:"workload,omitempty"` // of a set
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`
	Rule     string   `json:"rule"`
	Kind     Kind     `json:"kind,omitempty"`
	Basis    *Basis   `json:"basis,omitempty"`    // of a set's rule
	Verdict  string   `json:"verdict"`            // evaluated, partly, not evaluated, disabled: falco.Verdict
	Missing  []string `json:"missing,omitempty"`  // what a trace does not have of what the rule asks for
	Warnings []string `json:"warnings,omitempty"` // what Falco warns of when it loads the rule, and what to know of its test

	Fires       int64   `json:"fires"`        // in all
	Normal      int64   `json:"fires_normal"` // outside every label and its aftermath
	Containers  int     `json:"containers"`   // in which the rule may fire
	NormalHours float64 `json:"normal_hours"` // their container-hours outside every label and its aftermath
	PerHour     float64 `json:"normal_per_container_hour"`

	// Unsure counts rows on which the rule may have fired: what decides it is not
	// recorded. With Fires it is the most that can be.
	Unsure       int64 `json:"unsure"`
	UnsureNormal int64 `json:"unsure_normal"`

	Attacks  []string      `json:"attacks"`         // names of the labels it fired in, sorted
	Maybe    []string      `json:"maybe,omitempty"` // those it may have fired in, and did not
	Examples []Example     `json:"examples"`        // the first that fired on normal time, but for those that say the same; unsure ones come last
	attacks  map[int]int64 // label → when it first fired
	maybe    map[int]int64 // label → when it first may have
	unsure   []Example
}

// maxExamples bounds the examples of one result, of either sort, and maxLooked the
// fires that are looked at for them.
const (
	maxExamples = 5
	maxLooked   = 1000
)

// Example is one row that a rule fired on.
type Example struct {
	TimeNS      int64  `json:"time_ns"`
	ContainerID string `json:"container_id"`
	Text        string `json:"text"`          // what happened, as an item; raw: quote it for the sink
	Exe         string `json:"exe,omitempty"` // who did it; raw
	File        string `json:"file"`          // below the trace's folder
	Row         int64  `json:"row"`           // 0 is the file's first
	Unsure      bool   `json:"unsure,omitempty"`
}

// Attack is one label and what caught it.
type Attack struct {
	Attack    string   `json:"attack"`
	Container string   `json:"container"`
	FromNS    int64    `json:"from_ns"`
	ToNS      int64    `json:"to_ns"`
	Recorded  bool     `json:"recorded"` // its container is in the traces, and rules speak of it
	Caught    bool     `json:"caught"`
	AfterNS   int64    `json:"after_ns"`        // from the label's start to the first rule that fired, when caught
	Rules     []string `json:"rules"`           // that fired, sorted: their kinds, or their names where they are of files
	Maybe     []string `json:"maybe,omitempty"` // that may have fired, and did not
}

// Refused is a call of a container that a seccomp profile would have refused.
type Refused struct {
	Workload    string `json:"workload,omitempty"`
	File        string `json:"file,omitempty"`
	ContainerID string `json:"container_id"`
	Call        string `json:"call"`
	Count       int64  `json:"count"`
	Normal      int64  `json:"count_normal"`
	FirstNS     int64  `json:"first_ns"` // to the precision of its sequence
}

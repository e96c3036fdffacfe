package rule

// Report is what Test found: how the rules of some sets would have done over
// recorded traces.
type Report struct {
	Rules     []Result  `json:"rules"`     // in the order of the sets and their rules; a set's seccomp profile comes last
	Attacks   []Attack  `json:"attacks"`   // a row per label, in the labels' order
	Refused   []Refused `json:"refused"`   // calls that seccomp profiles would have refused, by container, then call
	Events    int64     `json:"events"`    // rows of events that were read
	Sequences int64     `json:"sequences"` // rows of sequences that were read
	Unscoped  int       `json:"unscoped"`  // containers that no set speaks of
}

// Result is how one rule did.
type Result struct {
	Workload    string        `json:"workload"`
	Rule        string        `json:"rule"`
	Kind        Kind          `json:"kind"`
	Basis       Basis         `json:"basis"`
	Fires       int64         `json:"fires"`        // in all
	Normal      int64         `json:"fires_normal"` // outside every label and its aftermath
	NormalHours float64       `json:"normal_hours"` // container-hours outside every label and its aftermath
	PerHour     float64       `json:"normal_per_container_hour"`
	Attacks     []string      `json:"attacks"`  // names of the labels it fired in, sorted
	Examples    []Example     `json:"examples"` // the first that fired on normal time, at most maxExamples
	attacks     map[int]int64 // label → when it first fired
}

// maxExamples bounds the examples of one result.
const maxExamples = 5

// Example is one row that a rule fired on.
type Example struct {
	TimeNS      int64  `json:"time_ns"`
	ContainerID string `json:"container_id"`
	Text        string `json:"text"` // what happened, as an item; raw: quote it for the sink
}

// Attack is one label and what caught it.
type Attack struct {
	Attack    string   `json:"attack"`
	Container string   `json:"container"`
	FromNS    int64    `json:"from_ns"`
	ToNS      int64    `json:"to_ns"`
	Recorded  bool     `json:"recorded"` // its container is in the traces and has rules
	Caught    bool     `json:"caught"`
	AfterNS   int64    `json:"after_ns"` // from the label's start to the first rule that fired, when caught
	Rules     []string `json:"rules"`    // kinds that fired, sorted
}

// Refused is a call of a container that a seccomp profile would have refused.
type Refused struct {
	Workload    string `json:"workload"`
	ContainerID string `json:"container_id"`
	Call        string `json:"call"`
	Count       int64  `json:"count"`
	Normal      int64  `json:"count_normal"`
	FirstNS     int64  `json:"first_ns"` // to the precision of its sequence
}

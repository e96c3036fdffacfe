package adfald

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"mayfly/trace"
)

// Part is one of the three folders of the dataset.
type Part uint8

// The parts. Training and Validation are normal; each trace of Attack is of a
// process that took part in an attack.
const (
	Training Part = iota
	Validation
	Attack
)

var partNames = [...]string{"training", "validation", "attack"}

func (p Part) String() string { return partNames[p] }

// Trace is the system calls of one process, in the order in which its threads
// made them.
type Trace struct {
	Name    string // of its file, without ".txt"; distinct within a part and session
	Part    Part
	Kind    string // of attack, such as Hydra_FTP; "" where normal
	Session string // of attack, such as Hydra_FTP_3; "" where normal
	Calls   []trace.Call
}

// maxCalls bounds a trace; the longest real one has 4,494 calls.
const maxCalls = 1 << 20

// ParseTrace reads the text of one trace: numbers of i386's table of system
// calls, parted by white space. Each becomes the number that x86-64 gives the
// call of that name; calls that x86-64 lacks keep numbers of their own
// (trace.Call). The error names the number's place, counted from 1.
func ParseTrace(text []byte) ([]trace.Call, error) {
	table, err := i386()
	if err != nil {
		return nil, err
	}
	var calls []trace.Call
	for field := range bytes.FieldsSeq(text) {
		n, err := strconv.ParseUint(string(field), 10, 16)
		if err != nil || n&trace.CompatCall != 0 {
			return nil, fmt.Errorf("call %d: got %.40q, want a number of i386's table", len(calls)+1, field)
		}
		if len(calls) == maxCalls {
			return nil, fmt.Errorf("more than %d calls", maxCalls)
		}
		calls = append(calls, table.Call(uint16(n)))
	}
	if len(calls) == 0 {
		return nil, errors.New("no calls in it")
	}
	return calls, nil
}

// i386 returns the table that the numbers are of.
var i386 = sync.OnceValues(func() (*trace.CallTable, error) { return trace.NewCallTable("386") })

// Key is the same for two traces exactly when they have the same calls in the
// same order.
func (t *Trace) Key() string {
	b := make([]byte, 2*len(t.Calls))
	for i, c := range t.Calls {
		b[2*i], b[2*i+1] = byte(c>>8), byte(c)
	}
	return string(b)
}

// Unique keeps the first of traces with the same calls, in their order, and
// leaves out those that without has too. Half of the dataset repeats itself: a
// split of traces that are not unique puts the same trace on both sides.
func Unique(traces []Trace, without ...[]Trace) []Trace {
	seen := map[string]bool{}
	for _, others := range without {
		for i := range others {
			seen[others[i].Key()] = true
		}
	}
	var unique []Trace
	for i := range traces {
		if key := traces[i].Key(); !seen[key] {
			seen[key] = true
			unique = append(unique, traces[i])
		}
	}
	return unique
}

package ingest

import (
	"fmt"
	"maps"

	"mayfly/trace"
)

// Sink takes the rows of one input. What it is given it copies before it
// returns: texts may be views of a buffer that is used again. Its methods fail
// where the trace cannot be written; a Source returns such an error as it is.
// Not safe for concurrent use.
type Sink struct {
	rows       rowTaker
	quarantine *quarantine
	format     string
	name       string
	limits     Limits
	strict     bool
	machines   map[string]Machine
	count      FileReport
	mark       int64
	marked     bool
	failed     error // why the trace cannot be written
	copies     struct {
		event     trace.Event
		sequence  trace.Sequence
		process   trace.Process
		container trace.Container
		loss      trace.Loss
	}
}

// rowTaker takes the rows of all inputs of a batch.
type rowTaker interface {
	event(origin, *trace.Event) error
	sequence(origin, *trace.Sequence) error
	process(origin, *trace.Process) error
	container(origin, *trace.Container) error
	loss(origin, *trace.Loss) error
}

// origin is what a trace's files say of where their rows came from: rows of
// different origins stand in different files.
type origin struct {
	host, format string
	machine      Machine
}

// FileReport counts what became of one input.
type FileReport struct {
	Name     string
	Format   string
	Bytes    int64            // read, decompressed
	Rows     int64            // of all tables
	Rejected int64            // bad records
	Waiting  int64            // bytes at the end that are no complete record yet
	Unmapped map[string]int64 // sound records that no kind of event stands for, by what they are
	Err      error            // why reading ended before the end of the file
}

// maxUnmapped bounds the names that Unmapped tells apart.
const maxUnmapped = 256

// Event takes a row of the events table. host is the machine's name as the
// format says it; where that is empty, Input.Host is what a Source passes.
func (s *Sink) Event(host string, e *trace.Event) error {
	s.copies.event = *e // what fits of it; the Source's own stays as it is
	if err := s.fitEvent(&s.copies.event); err != nil {
		return s.misfit(err)
	}
	return s.took(s.rows.event(s.origin(host), &s.copies.event))
}

// Sequence takes a row of the sequences table. The host's Machine, with its
// Arch, was given before.
func (s *Sink) Sequence(host string, q *trace.Sequence) error {
	s.copies.sequence = *q // what fits of it; the Source's own stays as it is
	if err := s.fitSequence(&s.copies.sequence); err != nil {
		return s.misfit(err)
	}
	return s.took(s.rows.sequence(s.origin(host), &s.copies.sequence))
}

// Process takes a row of the processes table.
func (s *Sink) Process(host string, p *trace.Process) error {
	s.copies.process = *p // what fits of it; the Source's own stays as it is
	if err := s.fitProcess(&s.copies.process); err != nil {
		return s.misfit(err)
	}
	return s.took(s.rows.process(s.origin(host), &s.copies.process))
}

// Container takes a row of the containers table. A Source gives one when it has
// learned something new of a container, not for each event.
func (s *Sink) Container(host string, c *trace.Container) error {
	s.copies.container = *c // what fits of it; the Source's own stays as it is
	if err := s.fitContainer(&s.copies.container); err != nil {
		return s.misfit(err)
	}
	return s.took(s.rows.container(s.origin(host), &s.copies.container))
}

// Loss takes a row of the losses table: what the format itself says was lost.
func (s *Sink) Loss(host string, l *trace.Loss) error {
	s.copies.loss = *l // what fits of it; the Source's own stays as it is
	if err := s.fitLoss(&s.copies.loss); err != nil {
		return s.misfit(err)
	}
	return s.took(s.rows.loss(s.origin(host), &s.copies.loss))
}

// Machine says what is known of a host, for the rows of it that come after.
func (s *Sink) Machine(host string, m Machine) error {
	if len(s.machines) >= s.limits.Hosts {
		return fmt.Errorf("more than %d hosts", s.limits.Hosts)
	}
	s.machines[string([]byte(host))] = m
	return nil
}

// misfit rejects a row that a trace does not take; where exactly its record
// stands only the Source knows.
func (s *Sink) misfit(why error) error { return s.Reject(Position{Offset: s.mark}, nil, why) }

// took counts a row, or keeps why the trace cannot be written.
func (s *Sink) took(err error) error {
	if err != nil {
		s.failed = err
		return err
	}
	s.count.Rows++
	return nil
}

func (s *Sink) origin(host string) origin { return origin{host, s.format, s.machines[host]} }

// Reject counts a record that is bad, keeps a sample of it in the quarantine,
// and returns nil; where the command is strict it returns an error instead, that
// ends the work. record is the record's bytes, or their begin.
func (s *Sink) Reject(pos Position, record []byte, why error) error {
	s.count.Rejected++
	if s.strict {
		return &RecordError{s.name, pos, why}
	}
	return s.quarantine.add(s.name, s.format, pos, record, why)
}

// Unmapped counts a sound record that becomes no row, by what it is: the name of
// a probe, of a kind of event. It is not an error; the report tells of it.
func (s *Sink) Unmapped(what string) {
	if s.count.Unmapped == nil {
		s.count.Unmapped = map[string]int64{}
	}
	if _, ok := s.count.Unmapped[what]; !ok {
		if len(s.count.Unmapped) >= maxUnmapped {
			what = "others"
		}
		what = string([]byte(what[:min(len(what), 100)]))
	}
	s.count.Unmapped[what]++
}

// Mark says that all records before the byte offset of the input are done with:
// a file that grows is continued there. A Source that never calls it has files
// that are taken once, as a whole.
func (s *Sink) Mark(offset int64) { s.mark, s.marked = offset, true }

// RecordError is a bad record that ended the work.
type RecordError struct {
	Name string
	At   Position
	Err  error
}

func (e *RecordError) Error() string {
	switch {
	case e.At.Line > 0:
		return fmt.Sprintf("%s: line %d (byte %d): %v", e.Name, e.At.Line, e.At.Offset, e.Err)
	case e.At.Record > 0:
		return fmt.Sprintf("%s: record %d (byte %d): %v", e.Name, e.At.Record, e.At.Offset, e.Err)
	}
	return fmt.Sprintf("%s: byte %d: %v", e.Name, e.At.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// report returns what was counted.
func (s *Sink) report() FileReport {
	r := s.count
	r.Unmapped = maps.Clone(r.Unmapped)
	return r
}

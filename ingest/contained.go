package ingest

import (
	"cmp"
	"context"

	"mayfly/trace"
)

// Contained is a source of which each file becomes a container (see StandIn), for
// recordings of one container in a format that does not know of containers, such
// as strace's. Rows that are of a container stay in it.
func Contained(src Source) Source { return contained{src} }

type contained struct{ Source }

// Sniff is the source's.
func (c contained) Sniff(name string, head []byte) bool { return c.Source.Sniff(name, head) }

// Read decodes the input.
func (c contained) Read(ctx context.Context, in *Input, out *Sink) error {
	id, name := StandIn(c.Format(), in.Name)
	rows := out.rows
	out.rows = containedRows{rows, id}
	defer func() { out.rows = rows }()
	if err := out.Container(in.Host, standInRow(id, name, 0)); err != nil {
		return err
	}
	return c.Source.Read(ctx, in, out)
}

// containedRows gives rows a container.
type containedRows struct {
	rowTaker
	id string
}

func (r containedRows) event(o origin, e *trace.Event) error {
	e.ContainerID = cmp.Or(e.ContainerID, r.id)
	return r.rowTaker.event(o, e)
}

func (r containedRows) sequence(o origin, s *trace.Sequence) error {
	s.ContainerID = cmp.Or(s.ContainerID, r.id)
	return r.rowTaker.sequence(o, s)
}

func (r containedRows) process(o origin, p *trace.Process) error {
	p.ContainerID = cmp.Or(p.ContainerID, r.id)
	return r.rowTaker.process(o, p)
}

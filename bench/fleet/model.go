package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"mayfly/feature"
	"mayfly/trace"
)

const (
	blockNS = 10 * time.Second
	longNS  = 30 * time.Second // who lives longer is a service
)

// model is what is followed.
type model struct {
	meta     trace.Meta
	services []*template
	jobs     []*template
	attacked []*template
	perBlock float64 // jobs that start in a block beside one service
}

// template is the life of one container, from its first row on.
type template struct {
	about     trace.Container
	fromNS    int64
	lengthNS  int64
	events    []trace.Event    // by time
	sequences []trace.Sequence // by time
}

// learn reads a model into memory: it is a small recording.
func learn(path string, attacks []feature.Label) (*model, error) {
	ctx := context.Background()
	t, err := trace.Open(path)
	if err != nil {
		return nil, err
	}
	containers, err := t.Containers(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]*template{}
	of := func(id string) *template {
		if all[id] == nil {
			all[id] = &template{about: containers[id]}
		}
		return all[id]
	}
	m := &model{}
	if err := each(ctx, t, trace.Events, func(e *trace.Event) { c := of(e.ContainerID); c.events = append(c.events, *e) }); err != nil {
		return nil, err
	}
	if err := each(ctx, t, trace.Sequences, func(s *trace.Sequence) { c := of(s.ContainerID); c.sequences = append(c.sequences, *s) }); err != nil {
		return nil, err
	}
	for _, f := range t.Files(trace.Events) {
		m.meta = f.Meta
	}
	recordedNS := int64(0)
	for id, c := range all {
		c.order()
		switch {
		case id == "" || c.about.ContainerID == "":
		case slices.ContainsFunc(attacks, func(l feature.Label) bool { return l.Names(id, c.about.Name) }):
			m.attacked = append(m.attacked, c)
			recordedNS += c.lengthNS
		case c.lengthNS >= int64(longNS):
			m.services = append(m.services, c)
			recordedNS += c.lengthNS
		default:
			m.jobs = append(m.jobs, c)
		}
	}
	if len(m.services) == 0 {
		return nil, fmt.Errorf("%s: no container of it lived for %v without an attack", path, longNS)
	}
	for _, list := range [][]*template{m.services, m.jobs, m.attacked} {
		slices.SortFunc(list, func(a, b *template) int { return cmp.Compare(a.about.ContainerID, b.about.ContainerID) })
	}
	m.perBlock = float64(len(m.jobs)) * float64(blockNS) / float64(recordedNS)
	return m, nil
}

// each reads a table row by row.
func each[T trace.Event | trace.Sequence](ctx context.Context, t *trace.Trace, table trace.Table, take func(*T)) error {
	for rec, err := range t.Scan(ctx, table, trace.ScanOptions{}) {
		if err != nil {
			return err
		}
		rows, err := trace.Rows[T](rec)
		rec.Release()
		if err != nil {
			return err
		}
		for i := range rows {
			take(&rows[i])
		}
	}
	return nil
}

// order sorts the rows, and says when the container lived.
func (c *template) order() {
	slices.SortStableFunc(c.events, func(a, b trace.Event) int { return cmp.Compare(a.TimeNS, b.TimeNS) })
	slices.SortStableFunc(c.sequences, func(a, b trace.Sequence) int { return cmp.Compare(a.TimeNS, b.TimeNS) })
	first, last := int64(1<<62), int64(0)
	if n := len(c.events); n > 0 {
		first, last = min(first, c.events[0].TimeNS), max(last, c.events[n-1].TimeNS)
	}
	if n := len(c.sequences); n > 0 {
		first, last = min(first, c.sequences[0].TimeNS), max(last, c.sequences[n-1].TimeNS)
	}
	c.fromNS, c.lengthNS = first, last-first
}

// within are the rows of a stretch of the life, [from, to) since its begin.
func (c *template) within(from, to int64) ([]trace.Event, []trace.Sequence) {
	e0, _ := slices.BinarySearchFunc(c.events, c.fromNS+from, func(e trace.Event, at int64) int { return cmp.Compare(e.TimeNS, at) })
	e1, _ := slices.BinarySearchFunc(c.events, c.fromNS+to, func(e trace.Event, at int64) int { return cmp.Compare(e.TimeNS, at) })
	s0, _ := slices.BinarySearchFunc(c.sequences, c.fromNS+from, func(s trace.Sequence, at int64) int { return cmp.Compare(s.TimeNS, at) })
	s1, _ := slices.BinarySearchFunc(c.sequences, c.fromNS+to, func(s trace.Sequence, at int64) int { return cmp.Compare(s.TimeNS, at) })
	return c.events[e0:e1], c.sequences[s0:s1]
}

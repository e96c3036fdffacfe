package replay

import (
	"cmp"
	"math"
	"slices"

	"mayfly/trace"
)

// An alarm goes on with its container's episode after a silence of at most the gap
// (detector.EpisodeGapNS, as evaluate has it), but begins another when it brings
// something new and more than a window lies between it and the last one that did:
// that is another act, and nobody waits for the end of the first. An episode that
// is older than twice the longer time scale is written as it is: a finding is late
// by no more than that. What follows within the gap without anything new is a part
// that continues it; each part is twice as long as the one before, up to maxPart.

// closed is an episode that takes no alarm any more.
type closed struct {
	place Place
	e     *episode
}

// ends says when an open episode takes no alarm any more, and whether it only grew
// too long then, so that another part may follow.
func (p *pass) ends(e *episode) (atNS int64, long bool) {
	atNS = e.EndNS + p.gapNS + 1
	for _, ns := range p.finals[e.Of.Host] { // ascending
		if ns > e.EndNS-p.d.Manifest.WidthNS {
			atNS = min(atNS, ns)
			break
		}
	}
	if cut := e.Of.FromNS + p.partNS<<min(e.Part, maxPart); e.Of.Alarms > 0 && cut < atNS {
		return cut, true
	}
	return atNS, false
}

// sweep closes the episodes whose end lies at or before the start of every window
// to come: nowNS, or how far their host is due. It depends on windows alone.
func (p *pass) sweep(nowNS int64) {
	from := len(p.closed)
	for key, l := range p.open {
		due, ok := p.plan.hosts[key.host]
		if !ok {
			continue
		}
		for l.Open != nil {
			at, long := p.ends(l.Open)
			through := min(nowNS, due.throughNS)
			if at > through && through != math.MaxInt64 {
				break
			}
			p.close(l, at, long)
		}
		if l.Open == nil {
			delete(p.open, key)
		}
	}
	slices.SortFunc(p.closed[from:], func(a, b closed) int {
		return a.place.Compare(&b.place)
	})
}

// close ends a container's episode, which is written when it has alarms. Where it
// only grew too long, its next part waits.
func (p *pass) close(l *life, atNS int64, long bool) {
	e := l.Open
	l.Open = nil
	if e.Of.Alarms > 0 {
		p.closed = append(p.closed, closed{p.place(atNS, e), e})
	}
	if long {
		l.Open = e.after()
		l.Open.Part, l.Open.Continues = min(e.Part+1, maxPart), p.id(e)
	}
}

// place is that of an episode which is closed now.
func (p *pass) place(atNS int64, e *episode) Place {
	at := Place{AtNS: atNS, FromNS: e.Of.FromNS, Host: e.Of.Host, ID: e.Of.ContainerID}
	if p.by != nil {
		p.byAlarms++
		at = Place{AtNS: atNS, ByAlarm: true, FromNS: e.Of.FromNS, Host: p.by.host, ID: p.by.id, Number: p.byAlarms}
	}
	return at
}

// begin makes room for one more open episode of a host.
func (p *pass) begin(key containerKey, l *life, nowNS int64) {
	var oldest containerKey
	n := 0
	for k, other := range p.open {
		if k.host != key.host {
			continue
		}
		n++
		if o := p.open[oldest]; o == nil || cmp.Or(cmp.Compare(other.Open.EndNS, o.Open.EndNS), cmp.Compare(k.id, oldest.id)) < 0 {
			oldest = k
		}
	}
	if n >= maxOpen {
		p.close(p.open[oldest], nowNS, false)
		delete(p.open, oldest)
	}
	p.open[key] = l
}

// finalSeals are, by host, when recorders stopped in good order, ascending.
func finalSeals(traces []*trace.Trace) map[string][]int64 {
	at := map[string][]int64{}
	for _, t := range traces {
		for _, f := range t.Files(trace.Losses) {
			if f.Meta.Final {
				at[f.Meta.Host] = append(at[f.Meta.Host], f.Meta.ToNS)
			}
		}
	}
	for _, all := range at {
		slices.Sort(all)
	}
	return at
}

package replay

import (
	"cmp"
	"math"
	"slices"

	"mayfly/feature"
	"mayfly/trace"
)

// plan is what one run scores.
type plan struct {
	files []trace.File         // of events and sequences, to be read
	fresh []trace.File         // those of them that were not scored before
	late  []trace.File         // those of the fresh whose time has been scored without them
	hosts map[string]hostRange // by host
}

// hostRange says which windows of a host are due: those that end after afterNS
// and by throughNS.
type hostRange struct{ afterNS, throughNS int64 }

func (r hostRange) due(endNS int64) bool { return endNS > r.afterNS && endNS <= r.throughNS }

// makePlan finds the files that were not scored and, so that windows on their
// border are whole and longer time scales are warm, the files that reach within
// contextNS of them. Windows are due as far as the host has been sealed; what lies
// after that waits for the next run, unless there is no state to remember it in.
// Windows that end by sinceNS are due to nobody, and files that lie before them are
// done unread.
func makePlan(files []trace.File, sealed map[string]int64, s *state, remember bool, contextNS, sinceNS int64) *plan {
	p := &plan{hosts: map[string]hostRange{}}
	byHost := map[string][]trace.File{}
	for _, f := range files {
		byHost[f.Meta.Host] = append(byHost[f.Meta.Host], f)
	}
	for host, files := range byHost {
		progress := s.host(host)
		first := int64(math.MaxInt64)
		for i := range files {
			if f := &files[i]; !progress.scored(f) {
				p.fresh = append(p.fresh, *f)
				first = min(first, f.Meta.FromNS)
				if f.Meta.ToNS < progress.ThroughNS {
					p.late = append(p.late, *f)
				}
			}
		}
		due := hostRange{progress.ThroughNS, math.MaxInt64}
		if sinceNS > 0 {
			due.afterNS = max(due.afterNS, sinceNS)
		}
		if remember {
			due.throughNS = sealed[host]
		}
		if first == math.MaxInt64 && due.throughNS <= due.afterNS {
			continue
		}
		p.hosts[host] = due
		for i := range files {
			if sinceNS > 0 && files[i].Meta.ToNS < sinceNS-contextNS {
				continue
			}
			if !progress.scored(&files[i]) || files[i].Meta.ToNS >= min(first, due.afterNS)-contextNS {
				p.files = append(p.files, files[i])
			}
		}
	}
	for _, list := range [][]trace.File{p.files, p.fresh} {
		slices.SortFunc(list, func(a, b trace.File) int {
			return cmp.Or(cmp.Compare(a.Meta.Host, b.Meta.Host), cmp.Compare(a.Rel, b.Rel))
		})
	}
	return p
}

// rows is how many rows of events and sequences the files have.
func (p *plan) rows() (n int64) {
	for i := range p.files {
		if t := p.files[i].Table; t == trace.Events || t == trace.Sequences {
			n += p.files[i].Rows
		}
	}
	return n
}

// sealedThrough is, by host, the end of the last window that no later file can add
// to. A recorder seals the losses last: where they are, the rest is. Rows may
// reach the file after the one that their time belongs to, so that latenessNS
// before the seal is not settled yet, until the recorder has stopped.
func sealedThrough(traces []*trace.Trace, widthNS, latenessNS int64) map[string]int64 {
	rows, seals, ended := map[string]int64{}, map[string]int64{}, map[string]int64{}
	grow := func(m map[string]int64, f trace.File) { m[f.Meta.Host] = max(m[f.Meta.Host], f.Meta.ToNS) }
	for _, t := range traces {
		for _, f := range append(t.Files(trace.Events), t.Files(trace.Sequences)...) {
			grow(rows, f)
			if f.Meta.Source != feature.RecorderSource {
				grow(seals, f) // nothing says more of it
			}
		}
		for _, f := range t.Files(trace.Losses) {
			grow(seals, f)
			if f.Meta.Final {
				grow(ended, f)
			}
		}
	}
	through := map[string]int64{}
	for host, last := range rows {
		if end, ok := ended[host]; ok && end >= last {
			through[host] = math.MaxInt64
			continue
		}
		settled := seals[host] - latenessNS
		through[host] = settled - settled%widthNS
	}
	return through
}

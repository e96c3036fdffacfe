package replay

import (
	"cmp"
	"math"
	"slices"

	"mayfly/trace"
)

// plan is what one run scores.
type plan struct {
	files []trace.File         // of events and sequences, to be read
	fresh []trace.File         // those of them that were not scored before
	hosts map[string]hostRange // by host
}

// hostRange says which windows of a host are due: those that end after afterNS
// and by throughNS.
type hostRange struct{ afterNS, throughNS int64 }

func (r hostRange) due(endNS int64) bool { return endNS > r.afterNS && endNS <= r.throughNS }

// makePlan finds the files that were not scored and, so that windows on their
// border are whole and longer time scales are warm, the files that reach within
// contextNS of them. Windows are due through the time that every table of the
// host has been sealed; what lies after that waits for the next run, unless the
// recorder said that there will be none, or there is no state to remember it in.
func makePlan(files []trace.File, s *state, remember bool, widthNS, contextNS int64) *plan {
	p := &plan{hosts: map[string]hostRange{}}
	byHost := map[string][]trace.File{}
	for _, f := range files {
		byHost[f.Meta.Host] = append(byHost[f.Meta.Host], f)
	}
	for host, files := range byHost {
		progress := s.host(host)
		first := int64(math.MaxInt64)
		for i := range files {
			if !progress.scored(&files[i]) {
				p.fresh = append(p.fresh, files[i])
				first = min(first, files[i].Meta.FromNS)
			}
		}
		if first == math.MaxInt64 {
			continue
		}
		due := hostRange{progress.ThroughNS, math.MaxInt64}
		if remember {
			due.throughNS = sealedThrough(files, widthNS)
		}
		p.hosts[host] = due
		for i := range files {
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

// sealedThrough is the end of the last window that no later file can add to.
func sealedThrough(files []trace.File, widthNS int64) int64 {
	last := map[trace.Table]*trace.File{}
	for i := range files {
		f := &files[i]
		if l := last[f.Table]; l == nil || f.Meta.ToNS > l.Meta.ToNS {
			last[f.Table] = f
		}
	}
	through := int64(math.MaxInt64)
	for _, f := range last {
		if !f.Meta.Final {
			through = min(through, f.Meta.ToNS)
		}
	}
	if through == math.MaxInt64 {
		return through
	}
	return through - through%widthNS
}

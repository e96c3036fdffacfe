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
// after that waits for the next run, unless the recorder stopped there (ended: by
// host, the end of its last file), or there is no state to remember it in.
func makePlan(files []trace.File, ended map[string]int64, s *state, remember bool, widthNS, contextNS int64) *plan {
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
		if first == math.MaxInt64 {
			continue
		}
		due := hostRange{progress.ThroughNS, math.MaxInt64}
		if remember {
			due.throughNS = sealedThrough(files, ended[host], widthNS)
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

// sealedThrough is the end of the last window that no later file can add to. A
// recorder seals events before sequences, and nothing happens without a system
// call: so it is the sequences that tell, where there are any.
func sealedThrough(files []trace.File, endedNS, widthNS int64) int64 {
	last := map[trace.Table]int64{}
	for i := range files {
		last[files[i].Table] = max(last[files[i].Table], files[i].Meta.ToNS)
	}
	through, ok := last[trace.Sequences]
	if !ok {
		through = last[trace.Events]
	}
	if endedNS >= through {
		return math.MaxInt64
	}
	return through - through%widthNS
}

// endings are, by host, the ends of the files that a recorder marked as its last.
func endings(traces []*trace.Trace) map[string]int64 {
	ended := map[string]int64{}
	for _, t := range traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				if f.Meta.Final {
					ended[f.Meta.Host] = max(ended[f.Meta.Host], f.Meta.ToNS)
				}
			}
		}
	}
	return ended
}

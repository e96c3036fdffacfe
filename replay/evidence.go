package replay

import (
	"cmp"
	"context"
	"slices"

	"mayfly/detector"
	"mayfly/profile"
	"mayfly/trace"
)

// window names a pending finding's container and start.
type window struct {
	key    containerKey
	fromNS int64
}

// gather reads the event rows of the pending findings' windows: those that
// brought something new first, then the ones of kinds that seldom mean nothing.
func (p *pass) gather(ctx context.Context) error {
	if len(p.pending) == 0 {
		return nil
	}
	widthNS := p.d.Manifest.WidthNS
	byWindow := map[window]*pendingFinding{}
	from, to := p.pending[0].finding.Mayfly.FromNS, p.pending[0].finding.Mayfly.ToNS
	for _, f := range p.pending {
		byWindow[window{f.key, f.finding.Mayfly.FromNS}] = f
		from, to = min(from, f.finding.Mayfly.FromNS), max(to, f.finding.Mayfly.ToNS)
	}
	var files []trace.File
	for _, f := range p.plan.files {
		if f.Table == trace.Events && f.Meta.FromNS < to && f.Meta.ToNS >= from {
			files = append(files, f)
		}
	}
	var items []profile.Item
	for row, err := range trace.MergeFiles(ctx, files) {
		if err != nil {
			return err
		}
		if row.TimeNS < from || row.TimeNS >= to {
			continue
		}
		key := containerKey{row.File.Meta.Host, row.Event.ContainerID(row.Index)}
		f := byWindow[window{key, row.TimeNS - row.TimeNS%widthNS}]
		if f == nil {
			continue
		}
		items = profile.AppendRow(items[:0], row.Event, row.Index)
		f.add(row, items)
	}
	for _, f := range p.pending {
		f.choose(p.opts.MaxEvidence)
	}
	return nil
}

// maxRows bounds the rows that a finding holds before it chooses.
const maxRows = 1000

func (f *pendingFinding) add(row trace.Row, items []profile.Item) {
	kind := row.Event.Kind(row.Index)
	fresh := slices.ContainsFunc(items, func(item profile.Item) bool { return f.fresh[item.String()] })
	rows := &f.finding.Mayfly.Evidence
	if !fresh && (!telling(kind) || len(*rows) >= maxRows) {
		return
	}
	if len(*rows) >= 2*maxRows {
		return
	}
	*rows = append(*rows, detector.Evidence{
		File: row.File.Rel, Row: row.FileRow, TimeNS: row.TimeNS,
		Kind: string(kind), Text: sentence(row.Event, row.Index), New: fresh,
	})
}

// telling says which kinds of event explain a window even where they are usual.
func telling(kind trace.Kind) bool {
	switch kind {
	case trace.Exec, trace.SetUID, trace.SetGID, trace.CapSet, trace.Mount, trace.Umount, trace.Ptrace,
		trace.ModuleLoad, trace.BPF, trace.MemfdCreate, trace.Unshare, trace.Setns:
		return true
	}
	return false
}

// choose keeps the rows that tell most, in the order of time.
func (f *pendingFinding) choose(most int) {
	rows := f.finding.Mayfly.Evidence
	slices.SortStableFunc(rows, func(a, b detector.Evidence) int {
		switch {
		case a.New == b.New:
			return 0
		case a.New:
			return -1
		}
		return 1
	})
	rows = rows[:min(most, len(rows))]
	slices.SortStableFunc(rows, func(a, b detector.Evidence) int { return cmp.Compare(a.TimeNS, b.TimeNS) })
	f.finding.Mayfly.Evidence = rows
}

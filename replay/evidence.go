package replay

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"mayfly/detector"
	"mayfly/profile"
	"mayfly/trace"
)

// window names a pending window by its container and start.
type window struct {
	key    containerKey
	fromNS int64
}

// gather reads the event rows of the pending windows: those that
// brought something new first, then the ones of kinds that seldom mean nothing.
func (p *pass) gather(ctx context.Context) error {
	p.pending = slices.DeleteFunc(p.pending, func(n *note) bool { return n.dropped })
	if len(p.pending) == 0 {
		return nil
	}
	defer func() { p.pending = p.pending[:0] }()
	widthNS := p.d.Manifest.WidthNS
	byWindow := map[window]*note{}
	from, to := p.pending[0].FromNS, p.pending[0].toNS
	for _, f := range p.pending {
		byWindow[window{f.key, f.FromNS}] = f
		from, to = min(from, f.FromNS), max(to, f.toNS)
	}
	var files []trace.File
	for _, f := range p.plan.files {
		if f.Table == trace.Events && f.Meta.FromNS < to && f.Meta.ToNS >= from-p.pastNS() {
			files = append(files, f)
		}
	}
	var items []profile.Item
	people := newFamily()
	for row, err := range trace.MergeFiles(ctx, files) {
		if err != nil {
			return err
		}
		people.see(&row, max(from, row.TimeNS)-p.pastNS())
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
		if f.wantsAncestry(row, items) {
			f.Ancestry = people.up(&row, f.FromNS-p.pastNS())
		}
	}
	for _, f := range p.pending {
		f.Evidence = choose(f.Evidence, p.opts.MaxEvidence)
	}
	return nil
}

// name puts the process behind the evidence into the fields that Falco has for it.
func name(f *detector.Finding) {
	who := f.Mayfly.Ancestry
	if len(who) == 0 {
		return
	}
	fields := f.OutputFields
	fields["proc.pid"], fields["proc.ppid"] = who[0].PID, who[0].PPID
	fields["proc.exepath"], fields["proc.cmdline"] = who[0].Exe, strings.Join(who[0].Argv, " ")
	if len(who) > 1 {
		fields["proc.pexepath"] = who[1].Exe
	}
}

// maxRows bounds the rows that a window holds before it chooses.
const maxRows = 1000

func (f *note) add(row trace.Row, items []profile.Item) {
	kind := row.Event.Kind(row.Index)
	fresh := f.rank(items) < usual
	rows := &f.Evidence
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

// pastNS is how far before a window its ancestry is looked for: as far
// as windows depend on what came before them, so that those rows are at hand.
func (p *pass) pastNS() int64 { return int64(p.d.Space.LongWindows) * p.d.Manifest.WidthNS }

// wantsAncestry says whether the process of a row stands for the window better
// than those before it: by the strongest new thing that the row brought.
func (f *note) wantsAncestry(row trace.Row, items []profile.Item) bool {
	rank := f.rank(items)
	if rank >= f.traced || rank == usual && !telling(row.Event.Kind(row.Index)) {
		return false
	}
	f.traced = rank
	return true
}

// usual is the rank of a row without anything new.
const usual = math.MaxInt - 1

// rank is the place of the strongest new item among items, 0 the strongest.
func (f *note) rank(items []profile.Item) int {
	rank := usual
	for _, item := range items {
		if at, ok := f.fresh[item.String()]; ok {
			rank = min(rank, at)
		}
	}
	return rank
}

// choose keeps the rows that tell most, in the order of time.
func choose(rows []detector.Evidence, most int) []detector.Evidence {
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
	return rows
}

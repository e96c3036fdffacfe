package profile

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"mayfly/trace"
)

// losses are what the losses tables of traces say: records that containers lost,
// and times in which rows of a host may be missing.
type losses struct {
	containers map[windowKey]int64
	gaps       map[string][]span // by host, ascending and apart once sorted
	sorted     bool
}

type span struct{ fromNS, toNS int64 }

func newLosses() *losses {
	return &losses{containers: map[windowKey]int64{}, gaps: map[string][]span{}}
}

// read takes in the losses of a trace.
func (l *losses) read(ctx context.Context, t *trace.Trace) error {
	for _, file := range t.Files(trace.Losses) {
		for rec, err := range t.Scan(ctx, trace.Losses, trace.ScanOptions{Files: []trace.File{file}}) {
			if err != nil {
				return err
			}
			rows, err := trace.Rows[trace.Loss](rec)
			rec.Release()
			if err != nil {
				return fmt.Errorf("%s: %w", file.Path, err)
			}
			for i := range rows {
				l.add(file.Meta.Host, &rows[i])
			}
		}
	}
	return nil
}

func (l *losses) add(host string, row *trace.Loss) {
	switch {
	case row.Class == trace.LossGap || row.Class == trace.LossRetention:
		l.gaps[host] = append(l.gaps[host], span{row.FromNS, max(row.FromNS, row.ToNS)})
		l.sorted = false
	case row.ContainerID != "" && row.Lost > 0:
		l.containers[windowKey{host, row.ContainerID}] += row.Lost
	}
}

// gap says whether [from, to) touches a time of a host in which rows may be missing.
func (l *losses) gap(host string, from, to int64) bool {
	if !l.sorted {
		for host, spans := range l.gaps {
			slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.fromNS, b.fromNS) })
			joined := spans[:0]
			for _, s := range spans {
				if n := len(joined); n > 0 && s.fromNS <= joined[n-1].toNS {
					joined[n-1].toNS = max(joined[n-1].toNS, s.toNS)
				} else {
					joined = append(joined, s)
				}
			}
			l.gaps[host] = joined
		}
		l.sorted = true
	}
	spans := l.gaps[host]
	i, _ := slices.BinarySearchFunc(spans, from, func(s span, from int64) int { return cmp.Compare(s.toNS, from) })
	return i < len(spans) && spans[i].fromNS < to
}

package trace

import (
	"cmp"
	"slices"
)

// A recorder tells how much a container produced when it seals its files, or when
// it has lost something. One that is killed in between has rows in its journal
// that no row of the losses table counts. What it counted died with it, but for
// those rows it is known: each was a record, so the salvager counts them, and
// produced = written + lost holds of a salvaged trace as of any other. What came
// after them is what the gap row stands for.

// salvageKey is a container's class of records.
type salvageKey struct {
	cgroup           uint64
	container, class string
}

// salvageCounts is how many records of each are in a journal, as rows or as told
// losses, and not told as produced.
type salvageCounts map[salvageKey]int64

func (c *salvageCounts) add(key salvageKey, n int64) {
	if *c == nil {
		*c = salvageCounts{}
	}
	(*c)[key] += n
}

func (c *salvageCounts) events(rows []Event) {
	for i := range rows {
		if class := Kind(rows[i].Kind).Class(); class != "" && rows[i].Seq != nil {
			c.add(salvageKey{rows[i].CgroupID, rows[i].ContainerID, class}, 1)
		}
	}
}

func (c *salvageCounts) sequences(rows []Sequence) {
	for i := range rows {
		if rows[i].Seq != nil {
			c.add(salvageKey{rows[i].CgroupID, rows[i].ContainerID, LossSequences}, 1)
		}
	}
}

func (c *salvageCounts) losses(rows []Loss) {
	for i := range rows {
		switch l := &rows[i]; l.Class {
		case LossEvents, LossSecurity, LossSequences:
			c.add(salvageKey{l.CgroupID, l.ContainerID, l.Class}, l.Lost-l.Produced)
		}
	}
}

// tellCounts writes what the rows of the journal leave untold.
func (w *salvageWriter) tellCounts(r *journalReader) error {
	from, to := r.head.BeganNS, max(r.ack, r.head.BeganNS)
	var rows []Loss
	for key, n := range w.counts {
		if n > 0 {
			rows = append(rows, Loss{FromNS: from, ToNS: to, ContainerID: key.container, CgroupID: key.cgroup, Class: key.class, Produced: n})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(a.CgroupID, b.CgroupID), cmp.Compare(a.ContainerID, b.ContainerID), cmp.Compare(a.Class, b.Class))
	})
	return salvageRows(w, r, Losses, rows, (*Writer).Losses)
}

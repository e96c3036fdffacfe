package replay

import (
	"cmp"

	"mayfly/detector"
)

// Place is where a finding stands among all findings of a run: in the order in which
// their episodes were closed, whichever hosts are scored together. At one time, those
// that silence closed come first, by begin, host and container, then those that an
// alarm closed, in the order of the windows.
type Place struct {
	AtNS    int64  `json:"at_ns"`              // no alarm from then on belongs to it
	ByAlarm bool   `json:"by_alarm,omitempty"` // of a window that starts at AtNS
	FromNS  int64  `json:"from_ns"`            // of its first alarm
	Host    string `json:"host"`
	ID      string `json:"container_id"` // of the episode, or of the window whose alarm closed it
	Number  int64  `json:"number"`       // among those that a host's alarms closed
}

// Compare orders places; those of two findings of one run differ.
func (p *Place) Compare(o *Place) int {
	switch {
	case p.AtNS != o.AtNS:
		return cmp.Compare(p.AtNS, o.AtNS)
	case p.ByAlarm != o.ByAlarm && o.ByAlarm:
		return -1
	case p.ByAlarm != o.ByAlarm:
		return 1
	case p.ByAlarm:
		return cmp.Or(cmp.Compare(p.ID, o.ID), cmp.Compare(p.Host, o.Host), cmp.Compare(p.Number, o.Number))
	}
	return cmp.Or(cmp.Compare(p.FromNS, o.FromNS), cmp.Compare(p.Host, o.Host), cmp.Compare(p.ID, o.ID))
}

// Found is a finding and its place. As JSON it is a line of what a shard of replay
// writes; the finding comes back as it was, to the byte.
type Found struct {
	Place   Place             `json:"place"`
	Finding *detector.Finding `json:"finding"`
}

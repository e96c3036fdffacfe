package profile

import "slices"

// Completeness says how much of what a workload does has probably not been seen
// yet. All figures rest on the items of its profile and their evidence.
//
// The first estimate is Good's (Biometrika 40, 1953): of what is drawn next, the
// share that is new is about the number of things seen once by the number of
// draws. The second is its form for samples that hold many things at once, with
// the correction of Chao and Jost (Ecology 93, 2012): a container is a sample,
// and what only one container did stands for what the next one will do anew.
// Windows of one container follow each other and are no independent draws, so
// where there are several containers, theirs is the figure to trust.
type Completeness struct {
	Items      int   `json:"items"`
	Windows    int64 `json:"windows"`
	Containers int   `json:"containers"`
	Lost       int64 `json:"lost"` // records: what they held is not in the profile

	OnceInWindows    int `json:"once_in_windows"`    // items of one window only
	OnceInContainers int `json:"once_in_containers"` // items of one container only

	// NewPerWindow is how many items the next window of the containers seen is
	// expected to add: OnceInWindows by Windows. 1 where there is no window.
	NewPerWindow float64 `json:"new_per_window"`

	// NewPerContainer is how many items one more container is expected to add:
	// OnceInContainers by Containers, which is also what each container would
	// have added to the others on average (leave one replica out). -1 where fewer
	// than two containers were seen: one cannot say what another would do.
	NewPerContainer float64 `json:"new_per_container"`

	// UnseenShare is the share of a further container's items that is estimated
	// to be new, in [0,1]; -1 as above.
	UnseenShare float64 `json:"unseen_share"`

	// NewLately is how many items were first seen in the last fifth of the
	// learning time. Where little is new to expect and much came late, the
	// workload changed while it was learned.
	NewLately int `json:"new_lately"`

	// Overflowed: items did not fit into the profile, so the figures are too good.
	Overflowed bool `json:"overflowed,omitempty"`
}

// Completeness estimates what is missing in the workload, of some kinds of items
// where they are named, else of all. A nil workload, or one without windows, is not
// complete at all.
func (w *Workload) Completeness(kinds ...string) Completeness {
	c := Completeness{NewPerWindow: 1, NewPerContainer: -1, UnseenShare: -1}
	if w == nil {
		return c
	}
	of := func(kind string) bool { return len(kinds) == 0 || slices.Contains(kinds, kind) }
	c.Windows, c.Containers, c.Lost = w.Windows, len(w.Containers), w.Lost
	c.Overflowed = slices.ContainsFunc(w.Overflow, func(o Overflow) bool { return of(o.Kind) })
	var twice, incidences float64
	late := w.ToNS - (w.ToNS-w.FromNS)/5
	for i := range w.Items {
		if !of(w.Items[i].Item.Kind) {
			continue
		}
		c.Items++
		e := &w.Items[i].Evidence
		if e.Windows == 1 {
			c.OnceInWindows++
		}
		if e.FirstNS >= late && e.FirstNS > w.FromNS {
			c.NewLately++
		}
		incidences += float64(e.Containers)
		switch e.Containers {
		case 1:
			c.OnceInContainers++
		case 2:
			twice++
		}
	}
	if c.Windows > 0 {
		c.NewPerWindow = float64(c.OnceInWindows) / float64(c.Windows)
	}
	if c.Containers > 1 {
		m, once := float64(c.Containers), float64(c.OnceInContainers)
		c.NewPerContainer = once / m
		c.UnseenShare = unseenShare(m, once, twice, incidences)
	}
	return c
}

// UnseenShare estimates which share of what one more container does is new, in
// [0,1], of things that were each seen in so many of the containers: as
// Completeness.UnseenShare, for things that a rule has made of several items. once
// is how many were seen in one container only. -1 where fewer than two containers
// were seen.
func UnseenShare(seenIn []int, containers int) (share float64, once int) {
	var twice, incidences float64
	for _, n := range seenIn {
		switch n {
		case 1:
			once++
		case 2:
			twice++
		}
		incidences += float64(n)
	}
	if containers < 2 {
		return -1, once
	}
	return unseenShare(float64(containers), float64(once), twice, incidences), once
}

// unseenShare is 1 less the sample coverage of m samples with the given numbers
// of things seen in one and in two of them: equation 12 of Chao and Jost, and
// its form for no thing seen in two.
func unseenShare(m, once, twice, incidences float64) float64 {
	if once == 0 || incidences == 0 {
		return 0
	}
	weight := (m - 1) * once / ((m-1)*once + 2*twice)
	if twice == 0 {
		weight = (m - 1) * (once - 1) / ((m-1)*(once-1) + 2)
	}
	return min(1, once/incidences*weight)
}

package feature

import (
	"cmp"
	"math"
	"slices"

	"mayfly/profile"
)

// Deviation is one count of a window beside what is usual of it.
type Deviation struct {
	Name   string  // of the system call or counter
	Seen   float64 // in the window
	Low    float64 // 1 % of training windows lie below
	High   float64 // 1 % of training windows lie above
	Scales float64 // distance from the median, as in the deviation features; negative below
	New    bool    // never seen in training
}

// NewItem is a thing that the workload was never seen doing.
type NewItem struct {
	Item  profile.Item
	Count uint32 // in the window
}

// NewTrigram is an order of three calls that was never seen.
type NewTrigram struct {
	Calls [3]string
	Count uint32 // in the window
}

// Description is what is strange about one window, by itself, without a forest.
type Description struct {
	Known    bool         // the workload was learned; otherwise all workloads together are the measure
	Calls    []Deviation  // outside [Low, High] or new; strongest first
	Counters []Deviation  // the same, of counters
	Items    []NewItem    // by kind in the order that the new_ features have, then by value
	Trigrams []NewTrigram // most frequent first
}

// Describe says what of a window is new or lies outside the usual range, at most
// limit of each sort. It looks at the window alone, not at the long time scale.
func (s *Space) Describe(w *Window, limit int) *Description {
	m := measure{space: s, model: s.model(w.Workload)}
	d := &Description{Known: s.byName[w.Workload] != nil}
	d.calls(&m, w)
	for c := range w.Counters {
		if w.Known(Counter(c)) {
			r := &m.model.Counters[c][0]
			d.Counters = appendStrange(d.Counters, Counters[c].Name, float64(w.Counters[c]), r, r.Max == 0)
		}
	}
	for i, text := range w.Items {
		if item, err := profile.ParseItem(text); err == nil && !m.seenItem(item, text) {
			item = profile.NewItem(item.Kind, item.Value)
			d.Items = append(d.Items, NewItem{item, w.ItemCounts[i]})
		}
	}
	for i, t := range w.Trigrams {
		if _, seen := m.trigram(t); seen == 0 {
			a, b, c := TrigramCalls(t)
			d.Trigrams = append(d.Trigrams, NewTrigram{[3]string{callName(a), callName(b), callName(c)}, w.TrigramCounts[i]})
		}
	}
	d.order(limit)
	return d
}

func (d *Description) calls(m *measure, w *Window) {
	never := Range{Down: minScale, Up: minScale}
	for i, c := range w.Calls {
		r := &never
		cm := m.callModel(c)
		if cm != nil {
			r = &cm.Short
		}
		d.Calls = appendStrange(d.Calls, callName(c), float64(w.CallCounts[i]), r, cm == nil)
	}
	for i := range m.model.Calls {
		cm := &m.model.Calls[i]
		if _, ok := slices.BinarySearch(w.Calls, cm.Call); !ok && w.Known(NCalls) {
			d.Calls = appendStrange(d.Calls, callName(cm.Call), 0, &cm.Short, false)
		}
	}
}

func appendStrange(all []Deviation, name string, seen float64, r *Range, isNew bool) []Deviation {
	d := Deviation{Name: name, Seen: seen, Low: r.Low, High: r.High, Scales: r.deviation(seen), New: isNew && seen > 0}
	if d.New {
		d.Scales = unseen(seen)
	}
	if d.New || seen < r.Low || seen > r.High {
		all = append(all, d)
	}
	return all
}

func (d *Description) order(limit int) {
	strongest := func(a, b Deviation) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Scales), math.Abs(a.Scales)), cmp.Compare(a.Name, b.Name))
	}
	slices.SortFunc(d.Calls, strongest)
	slices.SortFunc(d.Counters, strongest)
	slices.SortStableFunc(d.Items, func(a, b NewItem) int {
		return cmp.Or(cmp.Compare(kindRank(a.Item.Kind), kindRank(b.Item.Kind)), cmp.Compare(a.Item.Value, b.Item.Value))
	})
	slices.SortStableFunc(d.Trigrams, func(a, b NewTrigram) int { return cmp.Compare(b.Count, a.Count) })
	limit = max(limit, 0)
	d.Calls = d.Calls[:min(limit, len(d.Calls))]
	d.Counters = d.Counters[:min(limit, len(d.Counters))]
	d.Items = d.Items[:min(limit, len(d.Items))]
	d.Trigrams = d.Trigrams[:min(limit, len(d.Trigrams))]
}

func kindRank(kind string) novel {
	if at, ok := novelIndex[kind]; ok {
		return at
	}
	return numNovel
}

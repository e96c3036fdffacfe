package feature

import "mayfly/profile"

// A service that numbers its files, by a counter or by the number of a process, opens
// another one for as long as it lives, and replicas that grow old side by side come to
// the same number in the same minute. Names that differ in their numbers alone are a
// series (profile.Item.Series): once training had enough of one, the next number is
// nothing new.

// seriesLeast is how many names of a series training must have had.
const seriesLeast = 8

// seriesOf counts the names of each series.
func seriesOf(w *profile.Workload) map[string]int {
	out := map[string]int{}
	for _, kind := range []string{profile.Read, profile.Write} {
		for _, entry := range w.Kind(kind) {
			if form, ok := entry.Item.Series(); ok {
				out[form]++
			}
		}
	}
	return out
}

// inSeries reports whether an item is one more of a series that was learned, of which a
// training window's own part does not count.
func (m *measure) inSeries(item profile.Item) bool {
	form, ok := item.Series()
	if !ok {
		return false
	}
	n := m.model.series[form]
	if m.part != nil {
		n -= m.model.branches.seriesIn[partOf{form, m.part.container, m.part.block}]
	}
	return n >= seriesLeast
}

// continuing finds the items that are of a series of which enough was learned elsewhere: to
// the part of the time that had them they were nothing new. It counts into b what each
// part alone had.
func (m *learning) continuing(b *branches, containers []*container, folds int) map[string]bool {
	type name struct {
		form string
		part partOf // zero where several parts had it
	}
	names := map[string]name{}
	for text, s := range m.items {
		item, err := profile.ParseItem(text)
		if err != nil {
			continue // left out by the profile too
		}
		form, ok := item.Series()
		if !ok {
			continue
		}
		n := name{form: form}
		if s.container >= 0 {
			if p := m.partOf(containers[s.container], s.startNS, folds); p.only(&s.sole) {
				n.part = partOf{form, p.container, p.block}
				b.seriesIn[n.part]++
			}
		}
		names[text] = n
	}
	known := map[string]bool{}
	for text, n := range names {
		known[text] = m.series[n.form]-b.seriesIn[n.part] >= seriesLeast
	}
	return known
}

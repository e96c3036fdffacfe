package feature

import "mayfly/profile"

// Unseen calls each for the items of a window that its workload was never seen
// doing in training. For a workload that was not learned those are the items that
// no workload was seen doing. known says whether the workload was learned.
func (s *Space) Unseen(w *Window, each func(profile.Item)) (known bool) {
	m := measure{space: s, model: s.model(w.Workload)}
	for _, text := range w.Items {
		if item, err := profile.ParseItem(text); err == nil && !m.seenItem(item, text) {
			each(item)
		}
	}
	return s.byName[w.Workload] != nil
}

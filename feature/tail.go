package feature

import (
	"container/list"
	"strings"

	"mayfly/trace"
)

// tail is the long time scale of one container: the sums over its last windows.
// The newest window is part of it.
type tail struct {
	key      containerKey
	firstNS  int64 // start of the first window since the tail began
	whole    bool  // it has gone on for the whole long scale; until then its sums are lower bounds: a container's first seconds are no silence
	recent   []recentWindow
	calls    map[trace.Call]uint64 // no zeros
	counters [NumCounters]uint64
	families [numFamilies]uint64
	novelty  [numNovel]uint64
}

// recentWindow is what a tail must take away again when a window grows old.
type recentWindow struct {
	startNS  int64
	calls    []trace.Call
	counts   []uint32
	counters [NumCounters]uint32
	families [numFamilies]uint64
	novelty  [numNovel]uint64
}

// tails keeps the tail of each container, of the limit seen last.
type tails struct {
	limit int
	byKey map[containerKey]*list.Element
	order *list.List             // of *tail; the one used last in front
	began map[containerKey]int64 // of containers that began before their first window here
}

func newTails(limit int) *tails {
	return &tails{limit: limit, byKey: map[containerKey]*list.Element{}, order: list.New(), began: map[containerKey]int64{}}
}

func keyOf(w *Window) containerKey { return containerKey{w.Host, w.ContainerID} }

// push adds a window to its container's tail, which it returns, and drops the
// windows that began long widths or more before it. A window from before the
// last one (a new recording, a rerun) starts the tail anew.
func (t *tails) push(key containerKey, w *Window, long int64) *tail {
	el := t.byKey[key]
	if el == nil {
		first := w.StartNS
		if began, ok := t.began[key]; ok {
			first = min(first, began)
		}
		el = t.order.PushFront(&tail{key: containerKey{strings.Clone(key.host), strings.Clone(key.id)}, firstNS: first, calls: map[trace.Call]uint64{}})
		t.byKey[el.Value.(*tail).key] = el
		if t.order.Len() > t.limit {
			old := t.order.Remove(t.order.Back()).(*tail)
			delete(t.byKey, old.key)
		}
	}
	t.order.MoveToFront(el)
	tail := el.Value.(*tail)
	tail.expire(w.StartNS, long*w.WidthNS)
	tail.whole = w.StartNS-tail.firstNS >= (long-1)*w.WidthNS
	tail.add(w)
	return tail
}

func (t *tail) expire(now, span int64) {
	n, old := len(t.recent), 0
	if n > 0 && t.recent[n-1].startNS >= now {
		t.firstNS = now
		now = t.recent[n-1].startNS + span // all of them
	}
	for old < n && t.recent[old].startNS <= now-span {
		t.drop(&t.recent[old])
		old++
	}
	t.recent = append(t.recent[:0], t.recent[old:]...)
}

func (t *tail) drop(r *recentWindow) {
	for i, c := range r.calls {
		if t.calls[c] -= uint64(r.counts[i]); t.calls[c] == 0 {
			delete(t.calls, c)
		}
	}
	for i, n := range r.counters {
		t.counters[i] -= uint64(n)
	}
	for i, n := range r.families {
		t.families[i] -= n
	}
	for i, n := range r.novelty {
		t.novelty[i] -= n
	}
}

func (t *tail) add(w *Window) {
	r := recentWindow{startNS: w.StartNS, calls: append([]trace.Call(nil), w.Calls...),
		counts: append([]uint32(nil), w.CallCounts...), counters: w.Counters, families: familyCounts(w)}
	for i, c := range r.calls {
		t.calls[c] += uint64(r.counts[i])
	}
	for i, n := range r.counters {
		t.counters[i] += uint64(n)
	}
	for i, n := range r.families {
		t.families[i] += n
	}
	t.recent = append(t.recent, r)
}

// addNovelty adds the novelty of the newest window, which push could not know.
func (t *tail) addNovelty(n [numNovel]uint64) {
	t.recent[len(t.recent)-1].novelty = n
	for i := range n {
		t.novelty[i] += n[i]
	}
}

func familyCounts(w *Window) (out [numFamilies]uint64) {
	for i, c := range w.Calls {
		out[familyOf(c)] += uint64(w.CallCounts[i])
	}
	return out
}

// cleanName makes a workload's name fit for JSON.
func cleanName(s string) string { return strings.ToValidUTF8(strings.Clone(s), "\ufffd") }

// counter is the sum of a counter over the tail. What is counted as different
// does not add up: calls are counted anew, the others are sums over windows.
func (t *tail) counter(c Counter) uint64 {
	if c == NDistinctCalls {
		return uint64(len(t.calls))
	}
	return t.counters[c]
}

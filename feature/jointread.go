package feature

import (
	"math"

	"mayfly/trace"
)

// pairCounts are the calls of a window and of the one before it.
type pairCounts struct {
	calls  []trace.Call // ascending
	counts []uint32
}

// pair fills p from the last windows of a tail, of which the newest is w.
func (t *tail) pair(w *Window, p *pairCounts) {
	p.calls = append(p.calls[:0], w.Calls...)
	p.counts = append(p.counts[:0], w.CallCounts...)
	n := len(t.recent)
	if n < 2 || w.StartNS-t.recent[n-2].startNS >= 2*w.WidthNS {
		return
	}
	before := &t.recent[n-2]
	p.calls, p.counts = p.calls[:0], p.counts[:0]
	i, j := 0, 0
	for i < len(w.Calls) || j < len(before.calls) {
		switch {
		case j == len(before.calls) || i < len(w.Calls) && w.Calls[i] < before.calls[j]:
			p.calls, p.counts = append(p.calls, w.Calls[i]), append(p.counts, w.CallCounts[i])
			i++
		case i == len(w.Calls) || before.calls[j] < w.Calls[i]:
			p.calls, p.counts = append(p.calls, before.calls[j]), append(p.counts, before.counts[j])
			j++
		default:
			p.calls, p.counts = append(p.calls, w.Calls[i]), append(p.counts, addSat(w.CallCounts[i], before.counts[j]))
			i, j = i+1, j+1
		}
	}
}

// measureJoint measures how a window's calls go together, at both scales: ln(1 + T²/n)
// over n calls. A call that was never seen is a direction in which training did
// not move; one that the model had no room for does not count.
func (r *reading) measureJoint(m *measure) {
	model := m.model.Joint
	if m.part != nil {
		model = m.model.learned.joint.except(m.at.group(r.w.WidthNS))
	}
	r.long.pair(r.w, &r.pair)
	for s, scale := range model.Scales {
		calls, counts := r.w.Calls, r.w.CallCounts
		if s == jointPair {
			calls, counts = r.pair.calls, r.pair.counts
		}
		unseen, ridge := 0.0, scale.ridge()
		r.roots.of(calls, counts, func(c trace.Call, v float64) int32 {
			if c < maxKnownCall {
				if at := model.at[c]; at > 0 {
					return int32(at) - 1
				}
			}
			if m.model.call(c) == nil {
				v /= minJointScale
				unseen += v * v / ridge
			}
			return -1
		})
		d := scale.metric.distance(r.roots.at, r.roots.x) + unseen
		r.joint[s] = math.Log1p(d / float64(max(len(model.Calls), 1)))
	}
}

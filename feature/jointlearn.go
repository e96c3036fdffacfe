package feature

import (
	"math"

	"mayfly/trace"
)

// jointGroups is how many groups the joint model of training windows is
// cross-fitted over: each window is measured by what the other groups did. Groups
// are minutes of a container (jointSlice widths), dealt out in turn. Correlations
// are smooth, so neighbouring minutes may stand in different groups.
const (
	jointGroups = 5
	jointSlice  = 60
)

// jointLearning gathers sums of roots and of their products.
type jointLearning struct {
	at     map[trace.Call]int32
	calls  []trace.Call // the first maxJointCalls that were seen
	groups [jointGroups][numJoint]moments
	left   [jointGroups]*jointModel // without each group; made when first asked for
}

// moments grow with the calls: a packed triangle's end is where a call is added.
type moments struct {
	n    uint64
	sum  []float64
	prod []float64 // packed lower triangle with diagonal
}

func (m *moments) add(at []int32, x []float64) {
	m.n++
	for k, i := range at {
		m.reach(int(i) + 1)
		m.sum[i] += x[k]
		for l, j := range at[:k+1] {
			p, q := max(i, j), min(i, j)
			m.prod[int(p)*(int(p)+1)/2+int(q)] += x[k] * x[l]
		}
	}
}

// reach makes room for n calls.
func (m *moments) reach(n int) {
	if n > len(m.sum) {
		m.sum = append(m.sum, make([]float64, n-len(m.sum))...)
		m.prod = append(m.prod, make([]float64, n*(n+1)/2-len(m.prod))...)
	}
}

// merge adds other's moments; its call i is here place[i], -1 where it has none.
func (m *moments) merge(other *moments, place []int32) {
	m.n += other.n
	for i := range other.sum {
		if place[i] < 0 {
			continue
		}
		m.reach(int(place[i]) + 1)
		m.sum[place[i]] += other.sum[i]
		for j := range i + 1 {
			if place[j] >= 0 {
				p, q := int(max(place[i], place[j])), int(min(place[i], place[j]))
				m.reach(p + 1)
				m.prod[p*(p+1)/2+q] += other.prod[i*(i+1)/2+j]
			}
		}
	}
}

// place is where a call stands, -1 where there is no room for it.
func (l *jointLearning) place(c trace.Call) int32 {
	if i, ok := l.at[c]; ok {
		return i
	}
	if len(l.calls) == maxJointCalls || c >= maxKnownCall {
		return -1
	}
	if l.at == nil {
		l.at = map[trace.Call]int32{}
	}
	i := int32(len(l.calls))
	l.at[c], l.calls = i, append(l.calls, c)
	return i
}

// roots are the places of a window's calls and their roots.
type roots struct {
	at []int32
	x  []float64
}

func (r *roots) of(calls []trace.Call, counts []uint32, place func(trace.Call, float64) int32) {
	r.at, r.x = r.at[:0], r.x[:0]
	for i, c := range calls {
		v := root(float64(counts[i]))
		if at := place(c, v); at >= 0 {
			r.at, r.x = append(r.at, at), append(r.x, v)
		}
	}
}

// group is the group of a training window.
func (p place) group(widthNS int64) int {
	slice := p.startNS / (jointSlice * widthNS)
	return int(((int64(p.container)+slice)%jointGroups + jointGroups) % jointGroups)
}

// add learns a window; pair are the calls of it and of the one before.
func (l *jointLearning) add(w *Window, pair *pairCounts, at place, r *roots) {
	g := &l.groups[at.group(w.WidthNS)]
	find := func(c trace.Call, _ float64) int32 { return l.place(c) }
	r.of(w.Calls, w.CallCounts, find)
	g[jointWindow].add(r.at, r.x)
	r.of(pair.calls, pair.counts, find)
	g[jointPair].add(r.at, r.x)
}

// merge adds another workload's sums.
func (l *jointLearning) merge(other *jointLearning) {
	place := make([]int32, len(other.calls))
	for i, c := range other.calls {
		place[i] = l.place(c)
	}
	for g := range l.groups {
		for s := range l.groups[g] {
			l.groups[g][s].merge(&other.groups[g][s], place)
		}
	}
}

// model turns sums into a model, of all groups but one; -1: of all.
func (l *jointLearning) model(without int) *jointModel {
	out := &jointModel{Calls: l.calls}
	for s := range out.Scales {
		var sums moments
		own := make([]int32, len(l.calls))
		for i := range own {
			own[i] = int32(i)
		}
		for g := range l.groups {
			if g != without {
				sums.merge(&l.groups[g][s], own)
			}
		}
		sums.reach(len(l.calls))
		out.Scales[s] = sums.scale()
	}
	out.index()
	return out
}

// except is the model without a group, or of all where there is no other group.
func (l *jointLearning) except(group int) *jointModel {
	if l.left[group] == nil {
		rest := uint64(0)
		for g := range l.groups {
			if g != group {
				rest += l.groups[g][jointWindow].n
			}
		}
		if rest == 0 {
			group = -1
		}
		m := l.model(group)
		if group < 0 {
			return m
		}
		l.left[group] = m
	}
	return l.left[group]
}

// scale turns sums into means, scales and correlations.
func (m *moments) scale() *jointScale {
	n := float64(max(m.n, 1))
	s := &jointScale{Windows: m.n}
	for i := range m.sum {
		mean := m.sum[i] / n
		variance := m.prod[i*(i+1)/2+i]/n - mean*mean
		s.Mean = append(s.Mean, mean)
		s.Scale = append(s.Scale, max(minJointScale, math.Sqrt(max(variance, 0))))
	}
	for i := range m.sum {
		for j := range i + 1 {
			r := (m.prod[i*(i+1)/2+j]/n - s.Mean[i]*s.Mean[j]) / (s.Scale[i] * s.Scale[j])
			s.Correlation = append(s.Correlation, math.Round(r/jointStep)*jointStep)
		}
	}
	_ = s.ready() // sums of squares are positive definite, the more so with a ridge
	return s
}

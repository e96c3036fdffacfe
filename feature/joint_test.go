package feature

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"mayfly/trace"
)

// loaded are windows whose calls all grow with the load: calls 1 to 4 in the
// proportions 1 : 2 : 3 : 4, of loads between 0 and 100.
func loaded(n int, r *rand.Rand) []Window {
	windows := make([]Window, n)
	for i := range windows {
		w := &windows[i]
		*w = Window{ContainerID: "c", Workload: "web", StartNS: int64(i) * 1e9, WidthNS: 1e9, Missing: MissingEvents}
		load := float64(r.IntN(101))
		for c := range 4 {
			count := uint32(load*float64(c+1) + r.NormFloat64()*math.Sqrt(load))
			if load > 0 && int32(count) > 0 {
				w.Calls, w.CallCounts = append(w.Calls, trace.Call(c+1)), append(w.CallCounts, count)
			}
		}
		sumCalls(w)
	}
	return windows
}

func sumCalls(w *Window) {
	w.Counters[NCalls], w.Counters[NDistinctCalls] = 0, uint32(len(w.Calls))
	for _, n := range w.CallCounts {
		w.Counters[NCalls] += n
	}
}

// jointOf encodes one window by itself.
func jointOf(t *testing.T, s *Space, w Window) float64 {
	t.Helper()
	rec, err := s.NewEncoder().Encode(record(t, []Window{w}))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	for i, f := range Features() {
		if f.Name == "joint" {
			return float64(columnsOf(rec)[i][0])
		}
	}
	t.Fatal("no feature joint")
	return 0
}

// Each count below is usual by itself; only together they are not.
func TestJointSeesBrokenProportions(t *testing.T) {
	s := learn(t, loaded(2000, rand.New(rand.NewPCG(1, 1))))
	window := func(counts ...uint32) Window {
		w := Window{ContainerID: "d", Workload: "web", WidthNS: 1e9, Missing: MissingEvents}
		for c, n := range counts {
			if n > 0 {
				w.Calls, w.CallCounts = append(w.Calls, trace.Call(c+1)), append(w.CallCounts, n)
			}
		}
		sumCalls(&w)
		return w
	}
	usual := max(jointOf(t, s, window(10, 20, 30, 40)), jointOf(t, s, window(90, 180, 270, 360)), jointOf(t, s, window()))
	for name, w := range map[string]Window{
		"much of one, little of the others": window(10, 180, 30, 40),
		"one is missing":                    window(90, 180, 0, 360),
		"a call never seen":                 window(10, 20, 30, 40, 1),
	} {
		if got := jointOf(t, s, w); got < usual+1 {
			t.Errorf("%s: got %.2f, want it well above the usual %.2f", name, got, usual)
		}
	}
}

// Less than usual is no deviation where events are known, for a busy machine makes all of
// its containers idle.
func TestIdleIsNoDeviation(t *testing.T) {
	s := learn(t, loaded(2000, rand.New(rand.NewPCG(1, 1))))
	w := loaded(1, rand.New(rand.NewPCG(2, 2)))[0]
	w.ContainerID, w.Calls, w.CallCounts = "d", []trace.Call{1, 2, 3, 4}, []uint32{1, 1, 1, 1}
	sumCalls(&w)
	w.Missing = 0
	less := encode(t, s.NewEncoder(), []Window{w})[0]
	w.CallCounts = []uint32{1, 1, 9000, 1}
	sumCalls(&w)
	more := encode(t, s.NewEncoder(), []Window{w})[0]
	if less["deviation_1"] != 0 || less["deviation_all"] != 0 || more["deviation_1"] <= 1 {
		t.Errorf("got %g and %g of less, %g of more, want 0, 0 and more than 1", less["deviation_1"], less["deviation_all"], more["deviation_1"])
	}
}

// The distance that skips what is not there is the one of the definition.
func TestJointDistance(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	windows := loaded(500, r)
	l := jointLearning{}
	var scratch roots
	for i := range windows {
		w := &windows[i]
		l.add(w, &pairCounts{w.Calls, w.CallCounts}, place{0, w.StartNS}, &scratch)
	}
	m := l.model(-1)
	scale, n := m.Scales[jointWindow], len(m.Calls)
	x := []float64{root(50), 0, root(7), 0}
	got := scale.metric.distance([]int32{0, 2}, []float64{x[0], x[2]})
	// (x-mean)' A (x-mean), where A (correlation + ridge) = 1.
	z := make([]float64, n)
	for i := range z {
		z[i] = (x[i] - scale.Mean[i]) / scale.Scale[i]
	}
	want := 0.0
	for i, row := range solve(scale, z) {
		want += z[i] * row
	}
	if math.Abs(got-want) > 1e-6*want {
		t.Errorf("got %g, want %g", got, want)
	}
}

// solve returns y with (correlation + ridge) y = z, by Gauss and Jordan.
func solve(s *jointScale, z []float64) []float64 {
	n := len(z)
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n+1)
		for j := range n {
			a[i][j] = s.Correlation[max(i, j)*(max(i, j)+1)/2+min(i, j)]
		}
		a[i][i] += s.ridge()
		a[i][n] = z[i]
	}
	for i := range a {
		for k := range a {
			if f := a[k][i] / a[i][i]; k != i {
				for j := range a[k] {
					a[k][j] -= f * a[i][j]
				}
			}
		}
	}
	y := make([]float64, n)
	for i := range a {
		y[i] = a[i][n] / a[i][i]
	}
	return y
}

// A window of training is measured by what the other groups did.
func TestJointIsCrossFitted(t *testing.T) {
	windows := loaded(600, rand.New(rand.NewPCG(3, 3)))
	w := &windows[300]
	w.Calls, w.CallCounts = append(w.Calls, 900), append(w.CallCounts, 400)
	sumCalls(w)
	s := learn(t, windows)
	enc, err := s.NewTrainingEncoder()
	if err != nil {
		t.Fatal(err)
	}
	rec, err := enc.Encode(record(t, windows))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	own := *w
	own.ContainerID, own.Workload = "d", "web"
	for i, f := range Features() {
		if f.Name == "joint" {
			got, self := float64(columnsOf(rec)[i][300]), jointOf(t, s, own)
			if got < self+1 {
				t.Errorf("got %.2f in training, want more than %.2f, against a model that knows the window", got, self)
			}
		}
	}
}

func TestJointRefuses(t *testing.T) {
	s := learn(t, loaded(100, rand.New(rand.NewPCG(4, 4))))
	for name, spoil := range map[string]func(j *jointModel){
		"none":             func(j *jointModel) { j.Scales[0] = nil },
		"short":            func(j *jointModel) { j.Scales[1].Mean = nil },
		"no scale":         func(j *jointModel) { j.Scales[0].Scale[0] = 0 },
		"huge mean":        func(j *jointModel) { j.Scales[0].Mean[0] = 1e300 },
		"correlation of 2": func(j *jointModel) { j.Scales[0].Correlation[1] = 2 },
		"indefinite":       func(j *jointModel) { j.Scales[0].Correlation[1], j.Scales[0].Correlation[0] = 1, 0 },
		"call twice":       func(j *jointModel) { j.Calls[1] = j.Calls[0] },
		"call unknown":     func(j *jointModel) { j.Calls[1] = 5000 },
	} {
		text, err := json.Marshal(s.models[0].Joint)
		if err != nil {
			t.Fatal(err)
		}
		var j jointModel
		if err := json.Unmarshal(text, &j); err != nil {
			t.Fatal(err)
		}
		if err := j.check(); err != nil {
			t.Fatal("before it is spoilt:", err)
		}
		if spoil(&j); j.check() == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// TestPairAcrossSilence: what came two windows ago is not the window before.
func TestPairAcrossSilence(t *testing.T) {
	for _, tc := range []struct {
		startNS int64
		want    uint32
	}{{1e9, 5}, {2e9, 3}} {
		tails := newTails(4)
		first := Window{ContainerID: "c", WidthNS: 1e9, Calls: []trace.Call{7}, CallCounts: []uint32{2}}
		second := Window{ContainerID: "c", WidthNS: 1e9, StartNS: tc.startNS, Calls: []trace.Call{7, 8}, CallCounts: []uint32{3, 1}}
		tails.push(keyOf(&first), &first, 10)
		var p pairCounts
		tails.push(keyOf(&second), &second, 10).pair(&second, &p)
		if len(p.calls) != 2 || p.counts[0] != tc.want || p.counts[1] != 1 {
			t.Errorf("start %d: got %v of %v, want %d and 1", tc.startNS, p.counts, p.calls, tc.want)
		}
	}
}

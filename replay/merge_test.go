package replay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/profile"
)

// testAlarm is a window above the threshold, with the values of the new items that
// it brings.
type testAlarm struct {
	container string
	second    int64
	score     float64
	items     []string
}

// bare is a pass over host h that merges alarms, without a recording.
func bare(d *detector.Detector, open map[containerKey]*life, finals []int64, throughNS int64) *pass {
	return &pass{d: d, recording: &feature.Recording{}, opts: Options{}.withDefaults(), open: open,
		plan:  &plan{hosts: map[string]hostRange{"h": {math.MinInt64, throughNS}}},
		gapNS: 60 * s, partNS: 20 * s, finals: map[string][]int64{"h": finals}}
}

// merged is what becomes of alarms, in the order of time, when runs end at the
// given seconds, and the last one at the end. Between runs there is JSON only.
func merged(t *testing.T, d *detector.Detector, alarms []testAlarm, finals, ends []int64) (lines []byte, all []detector.Finding) {
	t.Helper()
	open := map[containerKey]*life{}
	lives := map[containerKey]*life{}
	for _, end := range append(slices.Clone(ends), math.MaxInt64/s) {
		through := end * s
		stopped := slices.ContainsFunc(finals, func(ns int64) bool { return ns > (end-1)*s && ns <= end*s })
		if stopped || end == math.MaxInt64/s {
			through = math.MaxInt64
		}
		p := bare(d, open, finals, through)
		for len(alarms) > 0 && alarms[0].second < end {
			a := alarms[0]
			alarms = alarms[1:]
			p.sweep(a.second * s)
			key := containerKey{"h", a.container}
			n := &note{key: key, FromNS: a.second * s, toNS: (a.second + 1) * s, Score: a.score, Rank: unranked, Workload: "web", Known: true,
				Evidence: []detector.Evidence{{Text: fmt.Sprintf("at %d \xff", a.second), TimeNS: a.second * s}}}
			var items []feature.NewItem
			for _, value := range a.items {
				items = append(items, feature.NewItem{Item: profile.NewItem(profile.Exec, value)})
				n.Rank = min(n.Rank, rankOf(items[0].Item))
			}
			if lives[key] == nil {
				lives[key] = &life{}
			}
			p.join(lives[key], n, newThings(&feature.Description{Items: items}), items)
		}
		p.sweep(math.MaxInt64)
		for _, c := range p.closed {
			f, err := p.finding(c.e)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, *f)
			if lines, err = f.AppendJSON(lines); err != nil {
				t.Fatal(err)
			}
		}
		for key, l := range lives {
			content, err := json.Marshal(l)
			again := new(life)
			if err == nil {
				err = json.Unmarshal(content, again)
			}
			if err == nil && again.Open != nil {
				err = again.Open.check()
				again.Open.Of.Host, again.Open.Of.ContainerID = key.host, key.id
			}
			if err != nil {
				t.Fatalf("%v in %s", err, content)
			}
			lives[key] = again
			if delete(open, key); again.Open != nil {
				open[key] = again
			}
		}
	}
	return lines, all
}

// TestMergeKnowsNoRuns draws alarms, final seals and the ends of runs, and wants the
// same lines as of one run.
func TestMergeKnowsNoRuns(t *testing.T) {
	d := trained(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	held, long := 0, 0
	for trial := range 200 {
		var alarms []testAlarm
		share := rnd.Float64()
		for second := range int64(400) {
			for _, container := range []string{"a", "b", "c"} {
				if busy := (second/100+int64(container[0]))%2 == 0; !busy || rnd.Float64() > share {
					continue
				}
				a := testAlarm{container, second, float64(rnd.IntN(50)), nil}
				for range rnd.IntN(3) * rnd.IntN(2) * rnd.IntN(2) {
					a.items = append(a.items, fmt.Sprintf("/bin/%d", rnd.IntN(9)))
				}
				alarms = append(alarms, a)
			}
		}
		var finals, ends []int64
		for second := range int64(400) {
			if rnd.IntN(60) == 0 {
				ends = append(ends, second)
			}
			if rnd.IntN(200) == 0 {
				finals = append(finals, second*s+rnd.Int64N(s))
				if rnd.IntN(2) == 0 {
					ends = append(ends, second+1)
				}
			}
		}
		want, all := merged(t, d, alarms, finals, nil)
		got, _ := merged(t, d, alarms, finals, ends)
		if !bytes.Equal(got, want) {
			t.Fatalf("trial %d: runs that end at %v:\n%s\nwant\n%s", trial, ends, got, want)
		}
		n := 0
		for _, f := range all {
			n += f.Mayfly.Alarms
			if f.Mayfly.Continues != "" {
				long++
			}
		}
		if n != len(alarms) {
			t.Fatalf("trial %d: %d alarms in findings, want %d", trial, n, len(alarms))
		}
		held += len(ends)
	}
	if held == 0 || long == 0 {
		t.Errorf("%d runs and %d findings that continue others: then this test shows nothing of them", held, long)
	}
}

// TestMergeIsEvaluates: where nothing is new and no recorder stops, findings with
// those that continue them are detector.Episodes.
func TestMergeIsEvaluates(t *testing.T) {
	d := trained(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	var alarms []testAlarm
	var plain []detector.Alarm
	for second := int64(0); second < 40_000; second += 30 + rnd.Int64N(200) {
		for at := range 1 + rnd.Int64N(3) {
			a := testAlarm{string("ab"[rnd.IntN(2)]), second + 5*at, float64(rnd.IntN(5)), nil}
			alarms = append(alarms, a)
			plain = append(plain, detector.Alarm{Host: "h", ContainerID: a.container, FromNS: a.second * s, ToNS: (a.second + 1) * s, Score: a.score})
		}
	}
	_, all := merged(t, d, alarms, nil, []int64{1000, 2000, 30_000})
	whole := map[string]detector.Episode{} // by the first finding's id
	first := map[string]string{}           // finding's id → that
	for _, f := range all {
		m := f.Mayfly
		e := detector.Episode{Host: f.Hostname, ContainerID: m.ContainerID, FromNS: m.FromNS, ToNS: m.ToNS, PeakNS: m.PeakNS, Peak: m.Score, Alarms: m.Alarms}
		first[m.ID] = m.ID
		if m.Continues != "" {
			first[m.ID] = first[m.Continues]
			part := e
			e = whole[first[m.ID]]
			e.ToNS, e.Alarms = part.ToNS, e.Alarms+part.Alarms
			if part.Peak > e.Peak {
				e.Peak, e.PeakNS = part.Peak, part.PeakNS
			}
		}
		whole[first[m.ID]] = e
	}
	var got []detector.Episode
	for _, e := range whole {
		got = append(got, e)
	}
	slices.SortFunc(got, func(a, b detector.Episode) int {
		return cmp.Or(cmp.Compare(a.FromNS, b.FromNS), cmp.Compare(a.ContainerID, b.ContainerID))
	})
	want := detector.Episodes(plain, 60*s)
	if !slices.Equal(got, want) {
		t.Errorf("%d findings, want the %d episodes", len(got), len(want))
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("got %+v\nwant %+v", got[i], want[i])
			}
		}
	}
}

// TestMerge has one container's alarms: what belongs together, and when it ends.
func TestMerge(t *testing.T) {
	d := trained(t)
	sh, nc := []string{"/bin/sh"}, []string{"/bin/nc"}
	for _, tc := range []struct {
		name   string
		alarms []testAlarm
		finals []int64
		want   string // [from, to) with the peak and the alarms of each finding
	}{
		{"one", []testAlarm{{"c", 5, 1, sh}}, nil, "[5,6) 5 1;"},
		{"echoes", []testAlarm{{"c", 5, 2, sh}, {"c", 6, 1, nil}, {"c", 14, 1, nil}}, nil, "[5,15) 5 3;"},
		{"the same again", []testAlarm{{"c", 5, 1, sh}, {"c", 10, 2, sh}}, nil, "[5,11) 10 2;"},
		{"another act right after", []testAlarm{{"c", 5, 1, sh}, {"c", 7, 2, nc}}, nil, "[5,8) 7 2;"},
		{"another act later", []testAlarm{{"c", 5, 1, sh}, {"c", 6, 1, nil}, {"c", 8, 2, nc}}, nil, "[5,7) 5 2;[8,9) 8 1;"},
		{"the same after a silence", []testAlarm{{"c", 5, 1, sh}, {"c", 67, 1, sh}}, nil, "[5,6) 5 1;[67,68) 67 1;"},
		{"long", []testAlarm{{"c", 5, 1, sh}, {"c", 24, 1, nil}, {"c", 25, 1, nil}, {"c", 64, 1, nil}, {"c", 65, 1, nil}}, nil,
			"[5,25) 5 2;[25,65) 25 2 continues;[65,66) 65 1 continues;"},
		{"long, the same again", []testAlarm{{"c", 5, 1, sh}, {"c", 30, 1, sh}}, nil, "[5,6) 5 1;[30,31) 30 1 continues;"},
		{"long, then another act", []testAlarm{{"c", 5, 1, sh}, {"c", 30, 1, nc}}, nil, "[5,6) 5 1;[30,31) 30 1;"},
		{"an act again", []testAlarm{{"c", 5, 1, sh}, {"c", 8, 1, nc}, {"c", 11, 1, sh}}, nil, "[5,6) 5 1;[8,12) 8 2;"},
		{"a peak without anything new", []testAlarm{{"c", 5, 1, sh}, {"c", 6, 9, nil}, {"c", 7, 1, nc}, {"c", 8, 1, []string{"/bin/1"}},
			{"c", 9, 1, []string{"/bin/2"}}, {"c", 10, 1, []string{"/bin/3"}}}, nil, "[5,11) 6 6;"},
		{"a seal between", []testAlarm{{"c", 5, 1, sh}, {"c", 7, 1, nil}}, []int64{6*s + 1}, "[5,6) 5 1;[7,8) 7 1;"},
	} {
		_, all := merged(t, d, tc.alarms, tc.finals, nil)
		var got string
		for _, f := range all {
			m := f.Mayfly
			got += fmt.Sprintf("[%d,%d) %d %d", m.FromNS/s, m.ToNS/s, m.PeakNS/s, m.Alarms)
			if m.Continues != "" {
				got += " continues"
			}
			if !slices.ContainsFunc(m.Evidence, func(e detector.Evidence) bool { return e.TimeNS == m.PeakNS }) {
				t.Errorf("%s: no evidence of the peak at %d in %+v", tc.name, m.PeakNS/s, m.Evidence)
			}
			got += ";"
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestMergeIsBounded opens more episodes than a host may have, of windows with more
// new items than a finding names.
func TestMergeIsBounded(t *testing.T) {
	d := trained(t)
	var alarms []testAlarm
	for c := range maxOpen + 5 {
		alarms = append(alarms, testAlarm{fmt.Sprintf("%05d", c), 7, 1, nil})
	}
	for i := range 2 * maxNew {
		alarms[0].items = append(alarms[0].items, fmt.Sprintf("/bin/%d", i))
	}
	for second := range int64(15) {
		alarms = append(alarms, testAlarm{"00009", 8 + second, 1, nil})
	}
	_, all := merged(t, d, alarms, nil, nil)
	if len(all) != maxOpen+5 || len(all[0].Mayfly.New) != maxNew || all[0].Mayfly.ContainerID != "00000" {
		t.Errorf("got %d findings, %d new items in the first, of container %s; want %d, %d, of the first",
			len(all), len(all[0].Mayfly.New), all[0].Mayfly.ContainerID, maxOpen+5, maxNew)
	}
	for _, f := range all {
		if n := len(f.Mayfly.Evidence); n > maxNotes {
			t.Errorf("%d windows are kept of container %s, want %d at most", n, f.Mayfly.ContainerID, maxNotes)
		}
	}
}

// Of hosts that only have damaged files, others are none the worse; of nothing but
// damaged files there are no findings to write.
func TestTallyRefusesNothingButDamage(t *testing.T) {
	bad := func() *Tally { return &Tally{Rejected: []Rejection{{"a/b.parquet", "truncated Parquet"}}} }
	if err := bad().Check(); err == nil || err.Error() != "none of 1 files can be read, the first: a/b.parquet: truncated Parquet" {
		t.Errorf("got error %v", err)
	}
	all := bad()
	all.Merge(&Tally{Opened: 1})
	if err := all.Check(); err != nil || (&Tally{}).Check() != nil {
		t.Errorf("one file of two: got error %v", err)
	}
}

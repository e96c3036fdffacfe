package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"mayfly/detector"
	"mayfly/sink"
	"mayfly/trace"
)

// attackedFleet is a trace of several hosts, on some of which somebody is inside.
func attackedFleet(t testing.TB) *trace.Trace {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	for i := range 6 {
		recordedOn(t, fmt.Sprintf("host-%d", i), "web:1", dir, uint64(20+i), 2, 60+10*(i%3), []int{40, 40, -1, 20, 40, 41}[i], 10)
	}
	return open(t, dir)
}

// The findings of a fleet are those of its hosts, however they are dealt out to
// shards and in whatever order these are merged; and those of a run that scores all
// of them in one pass, as one with a state does.
func TestFindingsOfPartsAreThoseOfAll(t *testing.T) {
	d, fleet := trained(t), attackedFleet(t)
	for _, format := range sink.Formats() {
		var want bytes.Buffer
		whole, err := Run(t.Context(), d, []*trace.Trace{fleet}, Options{Output: &want, Format: format, Creator: "v"})
		if err != nil {
			t.Fatal(err)
		}
		if whole.Findings < 5 {
			t.Fatalf("%d findings, want some on each host that was attacked", whole.Findings)
		}
		var onePass bytes.Buffer
		if _, err := Run(t.Context(), d, []*trace.Trace{fleet}, Options{Output: &onePass, Format: format, Creator: "v", StatePath: filepath.Join(t.TempDir(), "state")}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(onePass.Bytes(), want.Bytes()) {
			t.Errorf("%s: in one pass:\n%s\nhost by host:\n%s", format, onePass.Bytes(), want.Bytes())
		}
		for seed := range uint64(4) {
			got, report := inParts(t, d, fleet, format, rand.New(rand.NewPCG(seed, 2)))
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%s, seed %d: in parts:\n%s\nwant:\n%s", format, seed, got, want.Bytes())
			}
			if a, b := asJSON(t, report), asJSON(t, whole); !bytes.Equal(a, b) {
				t.Errorf("seed %d: report of parts:\n%s\nwant:\n%s", seed, a, b)
			}
		}
	}
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// inParts scores the hosts one by one and merges them as they come, some by way of
// a shard and of JSON.
func inParts(t *testing.T, d *detector.Detector, fleet *trace.Trace, format string, rnd *rand.Rand) ([]byte, *Report) {
	t.Helper()
	hosts := fleet.HostFolders()
	shards := make([][]string, 1+rnd.IntN(len(hosts)))
	for _, i := range rnd.Perm(len(hosts)) {
		k := rnd.IntN(len(shards))
		shards[k] = append(shards[k], hosts[i])
	}
	all, total := &Runs{}, &Tally{}
	defer all.Close()
	for _, own := range shards {
		runs, tally := &Runs{}, &Tally{}
		for _, host := range own {
			var lines bytes.Buffer
			part, err := ScoreHost(t.Context(), d, []*trace.Trace{fleet.Only(func(h string) bool { return h == host })}, Options{}, &lines)
			if err != nil {
				t.Fatal(err)
			}
			tally.Merge(part)
			if err := runs.Add(&lines); err != nil {
				t.Fatal(err)
			}
		}
		var lines bytes.Buffer
		encoder := json.NewEncoder(&lines)
		if err := runs.Each(func(f *Found) error { return encoder.Encode(f) }); err != nil {
			t.Fatal(err)
		}
		runs.Close()
		read := &Tally{}
		if err := json.Unmarshal(asJSON(t, tally), read); err != nil {
			t.Fatal(err)
		}
		total.Merge(read)
		if err := all.Add(&lines); err != nil {
			t.Fatal(err)
		}
	}
	encoder, err := sink.NewEncoder(format, "v")
	if err != nil {
		t.Fatal(err)
	}
	out := encoder.Begin(nil)
	if err := all.Each(func(f *Found) (err error) { out, err = encoder.Append(out, f.Finding); return err }); err != nil {
		t.Fatal(err)
	}
	return encoder.End(out), total.Finish()
}

// A host that two shards scored is told, not counted twice.
func TestRunsRefuseAHostTwice(t *testing.T) {
	d, fleet := trained(t), attackedFleet(t)
	runs := &Runs{}
	defer runs.Close()
	for range 2 {
		var lines bytes.Buffer
		if _, err := ScoreHost(t.Context(), d, []*trace.Trace{fleet.Only(func(h string) bool { return h == "host-0" })}, Options{}, &lines); err != nil {
			t.Fatal(err)
		}
		if err := runs.Add(&lines); err != nil {
			t.Fatal(err)
		}
	}
	if err := runs.Each(func(*Found) error { return nil }); err == nil {
		t.Error("want an error")
	}
}

// What too many new things leave does not depend on the order of merges.
func TestWorkloadTallyMergesInAnyOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	var parts []map[string]int
	for range 4 {
		unseen := map[string]int{}
		for range 3000 {
			unseen[fmt.Sprintf("read /%d", rnd.IntN(9000))] = 1 + rnd.IntN(3)
		}
		parts = append(parts, unseen)
	}
	var want []byte
	for round := range 6 {
		var states []*WorkloadTally
		for _, i := range rnd.Perm(len(parts)) {
			s := &WorkloadTally{Windows: int64(i)}
			s.merge(&WorkloadTally{Unseen: parts[i]})
			states = append(states, s)
		}
		for len(states) > 1 {
			i := 1 + rnd.IntN(len(states)-1)
			states[0].merge(states[i])
			states = slices.Delete(states, i, i+1)
			rnd.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
		}
		got := asJSON(t, states[0])
		if round == 0 {
			want = got
		}
		if !bytes.Equal(got, want) || len(states[0].Unseen) != maxUnseen {
			t.Fatalf("round %d: %d things, another set than in round 0, or not %d", round, len(states[0].Unseen), maxUnseen)
		}
	}
}

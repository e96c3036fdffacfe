package feature

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/go-cmp/cmp"

	"mayfly/profile"
	"mayfly/trace"
)

// sampleWindows are n windows of each container of two workloads: the same few
// calls in varying number.
func sampleWindows(containers, n int) []Window {
	r := rand.New(rand.NewPCG(1, 2))
	var all []Window
	for i := range n {
		for c := range containers {
			w := Window{ContainerID: fmt.Sprintf("c%d", c), Workload: []string{"web", "db"}[c%2], StartNS: int64(i) * 1e9, WidthNS: 1e9,
				Calls: []trace.Call{0, 1, 3}, CallCounts: []uint32{uint32(50 + r.IntN(20)), uint32(20 + r.IntN(9)), 1},
				Trigrams: []uint32{Trigram(0, 1, 3), Trigram(1, 3, 0)}, TrigramCounts: []uint32{uint32(1 + r.IntN(5)), 2},
				Items: []string{"exec /bin/" + []string{"web", "db"}[c%2], "read /etc/passwd"}, ItemCounts: []uint32{1, 3}}
			w.Counters[NCalls] = w.CallCounts[0] + w.CallCounts[1] + 1
			w.Counters[NDistinctCalls] = 3
			w.Counters[NEvents] = 4
			all = append(all, w)
		}
	}
	return all
}

func record(t testing.TB, windows []Window) arrow.Record {
	t.Helper()
	b := NewBuilder()
	defer b.Release()
	for i := range windows {
		b.Append(&windows[i])
	}
	rec := b.Record()
	t.Cleanup(rec.Release)
	return rec
}

func records(recs ...arrow.Record) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		for _, rec := range recs {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

func learn(t testing.TB, windows []Window) *Space {
	t.Helper()
	s, err := Learn(context.Background(), records(record(t, windows)), LearnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// encode returns the features of each window by name.
func encode(t testing.TB, e *Encoder, windows []Window) []map[string]float32 {
	t.Helper()
	rec, err := e.Encode(record(t, windows))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	out := make([]map[string]float32, len(windows))
	for i := range out {
		out[i] = map[string]float32{}
		for c := range int(rec.NumCols()) {
			out[i][rec.ColumnName(c)] = rec.Column(c).(*array.Float32).Value(i)
		}
	}
	return out
}

func TestEncodeShowsAttack(t *testing.T) {
	s := learn(t, sampleWindows(6, 100))
	quiet := sampleWindows(1, 1)[0]
	attack := quiet
	attack.Calls, attack.CallCounts = []trace.Call{0, 1, 3, 59}, []uint32{55, 22, 1, 2}
	attack.Trigrams, attack.TrigramCounts = []uint32{Trigram(0, 1, 3), Trigram(3, 59, 0)}, []uint32{45, 15}
	attack.Items, attack.ItemCounts = []string{"connect inet:10.0.0.9:4444", "exec /bin/sh", "read /etc/passwd"}, []uint32{1, 2, 1}
	attack.Counters[NExecs] = 2
	before := encode(t, s.NewEncoder(), []Window{quiet})[0]
	after := encode(t, s.NewEncoder(), []Window{attack})[0]
	for name, want := range map[string]float64{"new_calls": math.Log(2), "new_trigrams": math.Log(2), "new_trigrams_share": 0.25,
		"new_exec": math.Log(2), "new_connect": math.Log(2), "new_read": 0, "execs": math.Log(3), "new_exec_long": math.Log(2)} {
		if got := after[name]; math.Abs(float64(got)-want) > 1e-6 || before[name] != 0 {
			t.Errorf("%s: got %g in the attack, %g before, want %g, 0", name, got, before[name], want)
		}
	}
	for _, name := range []string{"deviation_1", "deviation_1_long", "surprise", "rarity"} {
		if after[name] < before[name]+2 {
			t.Errorf("%s: got %g in the attack, %g before", name, after[name], before[name])
		}
	}
	for name, v := range after {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			t.Errorf("%s: got %g where everything is known", name, v)
		}
	}
}

func TestMissingIsNaN(t *testing.T) {
	windows := sampleWindows(2, 5)
	for i := range windows {
		windows[i].Missing = MissingEvents | MissingOrder
	}
	row := encode(t, learn(t, windows).NewEncoder(), windows)[3]
	for name, want := range map[string]bool{"new_exec": true, "surprise": true, "execs_long": true, "calls": false, "deviation_1": false, "new_calls": false} {
		if got := math.IsNaN(float64(row[name])); got != want {
			t.Errorf("%s is NaN: got %v, want %v", name, got, want)
		}
	}
}

// A thing that only one part of the training time did is new to the others.
func TestTrainingNoveltyIsCrossFitted(t *testing.T) {
	windows := sampleWindows(1, 100)
	windows[42].Items, windows[42].ItemCounts = []string{"exec /bin/odd", "read /etc/passwd"}, []uint32{1, 1}
	s := learn(t, windows)
	train, err := s.NewTrainingEncoder()
	if err != nil {
		t.Fatal(err)
	}
	got, plain := encode(t, train, windows), encode(t, s.NewEncoder(), windows)
	for i := range windows {
		want := float32(0)
		if i == 42 {
			want = float32(math.Log(2))
		}
		if got[i]["new_exec"] != want || plain[i]["new_exec"] != 0 {
			t.Errorf("window %d: new_exec: got %g cross-fitted, %g plain, want %g, 0", i, got[i]["new_exec"], plain[i]["new_exec"], want)
		}
	}
}

func TestPartsByContainer(t *testing.T) {
	windows := sampleWindows(12, 10) // six containers of each workload
	for i := range windows {
		if windows[i].ContainerID == "c4" { // in every window of one replica
			windows[i].Items, windows[i].ItemCounts = []string{"exec /bin/agent"}, []uint32{1}
		}
	}
	s := learn(t, windows)
	train, err := s.NewTrainingEncoder()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range encode(t, train, windows) {
		if got, want := row["new_exec"] > 0, windows[i].ContainerID == "c4"; got != want {
			t.Errorf("window of %s: new_exec: got %v, want %v", windows[i].ContainerID, got, want)
		}
	}
}

func TestSpaceRoundTrip(t *testing.T) {
	for _, containers := range []int{1, 4} {
		windows := sampleWindows(containers, 50)
		s := learn(t, windows)
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(learn(t, windows))
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("learned twice: %d and %d bytes that differ (%v)", len(text), len(again), err)
		}
		var back Space
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if twice, err := json.Marshal(&back); err != nil || !bytes.Equal(text, twice) {
			t.Errorf("%d containers: the space changes when it is written again (%v):\n%s", containers, err, cmp.Diff(string(text), string(twice)))
		}
		if diff := cmp.Diff(encode(t, s.NewEncoder(), windows), encode(t, back.NewEncoder(), windows)); diff != "" {
			t.Errorf("features after a round trip (-before +after):\n%s", diff)
		}
		if _, err := back.NewTrainingEncoder(); err == nil {
			t.Error("training encoder of a decoded space: got no error")
		}
	}
}

// However the windows are cut into records, the features are the same.
func TestEncodeOfAnySplit(t *testing.T) {
	windows := sampleWindows(3, 40)
	s := learn(t, windows)
	whole, e := encode(t, s.NewEncoder(), windows), s.NewEncoder()
	for i := 0; i < len(windows); i += 7 {
		end := min(i+7, len(windows))
		if diff := cmp.Diff(whole[i:end], encode(t, e, windows[i:end])); diff != "" {
			t.Fatalf("rows from %d (-whole +split):\n%s", i, diff)
		}
	}
}

func TestLongScaleForgets(t *testing.T) {
	s := learn(t, sampleWindows(1, 50))
	burst := sampleWindows(1, 1)[0]
	burst.Counters[NExecs] = 9
	quiet := sampleWindows(1, 1)[0]
	e := s.NewEncoder()
	encode(t, e, []Window{burst})
	for _, tt := range []struct {
		second int64
		want   float64
	}{{1, math.Log(10)}, {9, math.Log(10)}, {10, 0}, {3, 0}} {
		quiet.StartNS = tt.second * 1e9
		if got := encode(t, e, []Window{quiet})[0]["execs_long"]; math.Abs(float64(got)-tt.want) > 1e-6 {
			t.Errorf("execs_long %d s after the burst: got %g, want %g", tt.second, got, tt.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	s := learn(t, sampleWindows(6, 100))
	w := sampleWindows(1, 1)[0]
	w.Calls, w.CallCounts = []trace.Call{0, 1, 3, 59}, []uint32{5000, 22, 1, 2}
	w.Trigrams, w.TrigramCounts = []uint32{Trigram(3, 59, 0)}, []uint32{1}
	w.Items, w.ItemCounts = []string{"connect inet:10.0.0.9:4444", "exec /bin/sh"}, []uint32{1, 2}
	got := s.Describe(&w, 5)
	if !got.Known || len(got.Calls) != 2 || got.Calls[0].Name != "read" || got.Calls[0].Seen != 5000 || got.Calls[0].High > 80 ||
		got.Calls[1].Name != "execve" || !got.Calls[1].New {
		t.Errorf("calls: got %+v, want read 5000 beyond 50 to 70, and execve, new", got.Calls)
	}
	want := []NewItem{{profile.Item{Kind: "exec", Value: "/bin/sh"}, 2}, {profile.Item{Kind: "connect", Value: "inet:10.0.0.9:4444"}, 1}}
	if diff := cmp.Diff(want, got.Items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]NewTrigram{{[3]string{"close", "execve", "read"}, 1}}, got.Trigrams); diff != "" {
		t.Errorf("trigrams (-want +got):\n%s", diff)
	}
	w.Workload = "other"
	if s.Describe(&w, 5).Known {
		t.Error("a workload that was not learned is known")
	}
}

func TestLearnErrors(t *testing.T) {
	mixed := sampleWindows(1, 2)
	mixed[1].WidthNS = 5
	for _, tt := range []struct {
		windows []Window
		opts    LearnOptions
		want    string
	}{
		{nil, LearnOptions{}, "learn: no windows"},
		{mixed, LearnOptions{}, "learn: row 1: windows of 5 ns among windows of 1000000000 ns"},
		{mixed[:1], LearnOptions{Folds: 1}, "learn: Folds: got 1, want 2 to 64"},
	} {
		_, err := Learn(context.Background(), records(record(t, tt.windows)), tt.opts)
		if err == nil || err.Error() != tt.want {
			t.Errorf("got error %v, want %s", err, tt.want)
		}
	}
}

func TestSpaceRefusesHostile(t *testing.T) {
	text, err := json.Marshal(learn(t, sampleWindows(2, 20)))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"mayfly space 2"`, `"mayfly space 3"`},
		{`"branches":[{"node":""`, `"branches":[{"node":"x"`},
		{`"width_ns":1000000000`, `"width_ns":0`},
		{`"long_windows":10`, `"long_windows":1000000000`},
		{`"new_exec"`, `"new_exes"`},
		{`"up":0.2`, `"up":0`},
		{`"median":3`, `"median":-3`},
		{`"workloads":[`, `"workloads":[null,`},
		{`"call":3`, `"call":1`},
		{`"profile":{`, `"profile":null,"x":{`},
		{`"trigram_counts":[`, `"trigram_counts":[7,`},
		{`"global":{`, `"global":null,"global2":{`},
		{`"missing":0`, `"missing":4096`},
	} {
		bad := strings.Replace(string(text), change[0], change[1], 1)
		if bad == string(text) {
			t.Errorf("%s is not in the space:\n%.300s", change[0], text)
			continue
		}
		if err := new(Space).UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s for %s: got no error", change[1], change[0])
		}
	}
}

func FuzzSpace(f *testing.F) {
	windows := sampleWindows(2, 3)
	text, err := json.Marshal(learn(f, windows))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":"mayfly space 2"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s Space
		if s.UnmarshalJSON(text) != nil {
			return
		}
		if s.WidthNS == 1e9 {
			encode(t, s.NewEncoder(), windows)
		}
		s.Describe(&windows[0], 3)
	})
}

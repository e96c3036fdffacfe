package evaluate

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mayfly/feature"
	"mayfly/page"
)

const second = int64(time.Second)

// row is a window of one second that starts at a second.
func row(container int32, start int64, score float64) Scored {
	return Scored{Container: container, StartNS: start * second, WidthNS: second, Score: score}
}

func label(container, attack string, from, to float64) feature.Label {
	return feature.Label{Container: container, Attack: attack,
		FromNS: int64(from * float64(second)), ToNS: int64(to * float64(second))}
}

// example is two containers: web is normal for 10 s, attacked from 10 to 12 s
// (found in the second window), has an aftermath, and is normal again at 100 s;
// db is normal with one false alarm, and its first window was learned from.
func example() (*Windows, []feature.Label) {
	w := &Windows{Threshold: 0.5, Containers: []Container{
		{Host: "h", ID: strings.Repeat("a", 64), Name: "web", Workload: "nginx"},
		{Host: "h", ID: strings.Repeat("b", 64), Name: "db", Workload: "postgres"},
	}}
	for s := range int64(10) {
		w.Rows = append(w.Rows, row(0, s, 0.1))
	}
	w.Rows = append(w.Rows, row(0, 10, 0.4), row(0, 11, 0.9), row(0, 12, 0.8), row(0, 13, 0.2), row(0, 100, 0.2))
	learned := row(1, 0, 0.99)
	learned.Trained = true
	w.Rows = append(w.Rows, learned, row(1, 1, 0.5), row(1, 2, 0.6), row(1, 3, 0.1))
	w.Carried = func(r int) []string { return []string{"row", string(rune('0' + r - 10))} }
	return w, []feature.Label{label("web", "shell", 10.5, 11.9), label("nowhere-known", "ghost", 5, 6)}
}

func measure(t *testing.T, w *Windows, labels []feature.Label) *Report {
	t.Helper()
	opts := DefaultMeasureOptions()
	opts.Bootstrap.Resamples = 50
	r, err := Measure(w, labels, opts)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMeasureClassifies(t *testing.T) {
	w, labels := example()
	r := measure(t, w, labels)
	if want := (Counts{Total: 19, Normal: 14, Attack: 2, Aftermath: 2, Trained: 1}); r.Windows != want {
		t.Errorf("windows: got %+v, want %+v", r.Windows, want)
	}
	at := r.AtThreshold
	if at.NormalAlarms != 1 || at.AttackAlarms != 1 || at.AftermathAlarms != 1 {
		t.Errorf("alarms: got %d normal, %d attack, %d aftermath, want 1 of each", at.NormalAlarms, at.AttackAlarms, at.AftermathAlarms)
	}
	near(t, "recall", *at.Recall, 0.5)
	near(t, "precision", *at.Precision, 0.5)
	near(t, "alarms per container-hour", at.AlarmsPerContainerHour.Value, 3600.0/14)
	near(t, "normal hours", r.NormalHours, 14.0/3600)
	near(t, "AUROC", r.AUROC.Value, (12+14)/28.0) // 0.4 lies below 0.5 and 0.6
	if r.Containers != 2 || r.PerContainer[0].Name != "web" {
		t.Errorf("containers: got %d, first %q; want 2, first the attacked one", r.Containers, r.PerContainer[0].Name)
	}
}

func TestMeasureAttacks(t *testing.T) {
	w, labels := example()
	r := measure(t, w, labels)
	if r.Found != 1 || r.Missed != 1 || len(r.Attacks) != 2 {
		t.Fatalf("attacks: got %d found, %d missed of %d, want 1, 1 of 2", r.Found, r.Missed, len(r.Attacks))
	}
	shell := r.Attacks[1]
	if shell.Attack != "shell" || shell.Windows != 2 || shell.Alarms != 1 || shell.Workload != "nginx" {
		t.Errorf("attack: got %+v", shell)
	}
	near(t, "time to detect", *shell.TimeToDetectS, 1.5) // from 10.5 s to the end of the window of 11 s
	near(t, "peak", *shell.PeakScore, 0.9)
	if !slices.Equal(shell.Carried, []string{"row", "1"}) {
		t.Errorf("carried: got %q, want that of row 11", shell.Carried)
	}
	if ghost := r.Attacks[0]; ghost.Found || ghost.TimeToDetectS != nil || ghost.PeakScore != nil {
		t.Errorf("attack without windows: got %+v, want a miss without figures", ghost)
	}
	if got := strings.Join(r.Notes, "\n"); !strings.Contains(got, "1 labelled attack(s) have no window") {
		t.Errorf("notes: got %q", got)
	}
}

func TestMeasureTimeline(t *testing.T) {
	w, labels := example()
	web := measure(t, w, labels).PerContainer[0].Timeline
	if web.FromNS != 0 || web.ToNS != 101*second || len(web.Peaks) != 101 {
		t.Fatalf("timeline: got %d to %d in %d buckets", web.FromNS, web.ToNS, len(web.Peaks))
	}
	if *web.Peaks[11] != 0.9 || web.Alarms[11] != 1 || web.Peaks[50] != nil {
		t.Errorf("buckets: got peak %v, %d alarms, hole %v", *web.Peaks[11], web.Alarms[11], web.Peaks[50])
	}
	if len(web.Attacks) != 1 || !web.Attacks[0].Found {
		t.Errorf("attacks of the timeline: got %+v", web.Attacks)
	}
}

func TestMeasureEdges(t *testing.T) {
	all := []feature.Label{label("c", "x", 0, 100)}
	one := []Container{{ID: "c", Name: "c"}}
	learned := row(0, 1, 0.7)
	learned.Trained = true
	for _, tc := range []struct {
		name   string
		rows   []Scored
		labels []feature.Label
		note   string
		check  func(r *Report) bool
	}{
		{"nothing", nil, nil, "no windows", func(r *Report) bool { return r.AtThreshold.AlarmsPerContainerHour == nil && r.AtThreshold.FPR == nil }},
		{"no labels", []Scored{row(0, 1, 0.7), row(0, 2, 0.2)}, nil, "no labels",
			func(r *Report) bool {
				return r.AtThreshold.AlarmsPerContainerHour.Value == 1800 && r.AUROC == nil && r.AtThreshold.Precision == nil
			}},
		{"only attack", []Scored{row(0, 1, 0.7)}, all, "no normal windows",
			func(r *Report) bool {
				return r.AtThreshold.AlarmsPerContainerHour == nil && *r.AtThreshold.Recall == 1 && r.Found == 1
			}},
		{"labels elsewhere", []Scored{row(0, 1, 0.7)}, []feature.Label{label("d", "x", 0, 1)}, "no window of any labelled attack",
			func(r *Report) bool { return r.Missed == 1 && r.AUROC == nil }},
		{"all learned from", []Scored{learned}, all, "learned from every window",
			func(r *Report) bool {
				return r.Windows.Trained == 1 && r.Missed == 0 && r.Found == 0 && r.Attacks[0].Trained == 1
			}},
		{"one score", []Scored{row(0, 1, 0.5), row(0, 200, 0.5)}, all, "cannot resolve",
			func(r *Report) bool { return r.AUROC.Value == 0.5 && r.DetectionRates[0].Threshold == nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := measure(t, &Windows{Threshold: 0.5, Containers: one, Rows: tc.rows}, tc.labels)
			if !strings.Contains(strings.Join(r.Notes, "\n"), tc.note) {
				t.Errorf("notes: got %q, want %q among them", r.Notes, tc.note)
			}
			if !tc.check(r) {
				t.Errorf("report: got %+v", r)
			}
		})
	}
}

func TestMeasureTellsLosses(t *testing.T) {
	w, labels := example()
	w.Lost = 12
	r := measure(t, w, labels)
	if r.Lost != 12 || !strings.Contains(strings.Join(r.Notes, "\n"), "12 records were lost") {
		t.Errorf("got %d lost, notes %q", r.Lost, r.Notes)
	}
}

func TestPlainDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1m", time.Hour: "1h", 90 * time.Second: "1m30s", 100 * time.Millisecond: "100ms", time.Hour + time.Second: "1h0m1s", 0: "0s",
	} {
		if got := page.Duration(d.Nanoseconds()); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

func TestMeasureRefusesScores(t *testing.T) {
	zero := 0.0
	w := &Windows{Containers: []Container{{ID: "c"}}, Rows: []Scored{row(0, 0, 0/zero)}}
	if _, err := Measure(w, nil, DefaultMeasureOptions()); err == nil || !strings.Contains(err.Error(), "score is NaN") {
		t.Errorf("score NaN: got error %v", err)
	}
}

// TestMeasureTwice: the same windows give the same bytes at any number of
// threads.
func TestMeasureTwice(t *testing.T) {
	w, labels := crowd(30, 200)
	var last []byte
	for threads := range 3 {
		opts := DefaultMeasureOptions()
		opts.Bootstrap.Threads = threads + 1
		r, err := Measure(w, labels, opts)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		if last != nil && !bytes.Equal(last, b.Bytes()) {
			t.Fatalf("report with %d threads differs from one thread's", threads+1)
		}
		last = b.Bytes()
	}
}

// crowd makes windows of many containers, every fifth of them attacked.
func crowd(containers, windows int) (*Windows, []feature.Label) {
	random := rand.New(rand.NewPCG(3, 5))
	w := &Windows{Threshold: 0.62}
	var labels []feature.Label
	for c := range containers {
		id := strings.Repeat(string("0123456789abcdef"[c%16]), 52) + "00000000" + string([]byte{'0' + byte(c/1000%10), '0' + byte(c/100%10), '0' + byte(c/10%10), '0' + byte(c%10)})
		w.Containers = append(w.Containers, Container{Host: "node-1", ID: id, Name: "c" + id[60:], Workload: []string{"nginx", "postgres", "worker"}[c%3]})
		attackFrom := windows * 2 / 3
		if c%5 == 0 {
			labels = append(labels, label("c"+id[60:], []string{"reverse shell", "<script>alert(1)</script>", "read /etc/shadow"}[c/5%3], float64(attackFrom), float64(attackFrom+4)))
		}
		for s := range windows {
			score := 0.35 + 0.05*random.NormFloat64() + 0.02*float64(c%3)
			if random.Float64() < 0.004 {
				score += 0.25 * random.Float64()
			}
			if c%5 == 0 && s >= attackFrom && s <= attackFrom+4 && c%15 != 10 {
				score += 0.3 * random.Float64()
			}
			w.Rows = append(w.Rows, row(int32(c), int64(s), min(max(score, 0), 1)))
			w.Rows[len(w.Rows)-1].Trained = c%4 == 1 && s < windows/2
		}
	}
	return w, labels
}

func BenchmarkMeasure(b *testing.B) {
	w, labels := crowd(1000, 1000)
	opts := DefaultMeasureOptions()
	opts.Bootstrap.Threads = 2
	for b.Loop() {
		if _, err := Measure(w, labels, opts); err != nil {
			b.Fatal(err)
		}
	}
}

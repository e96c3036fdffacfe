package detector

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/feature"
	"mayfly/trace"

	"github.com/apache/arrow/go/v17/arrow"
)

const second = int64(1e9)

// quiet are containers that do a few calls at a steady rate, each for a while.
func quiet(containers, windows int) []feature.Window {
	rnd := rand.New(rand.NewPCG(7, 7))
	var all []feature.Window
	for c := range containers {
		for i := range windows {
			all = append(all, feature.Window{
				Host: "host", ContainerID: fmt.Sprintf("%064x", c+1), Workload: "web",
				StartNS: int64(i) * second, WidthNS: second,
				Calls:      []trace.Call{0, 1, 44, 45},
				CallCounts: []uint32{uint32(20 + rnd.IntN(9)), uint32(10 + rnd.IntN(9)), uint32(5 + rnd.IntN(5)), uint32(5 + rnd.IntN(5))},
				Items:      []string{"read /srv/index"}, ItemCounts: []uint32{uint32(1 + rnd.IntN(3))},
			})
		}
	}
	return all
}

// attack makes a window one in which a shell ran.
func attack(w feature.Window) feature.Window {
	w.Calls, w.CallCounts = []trace.Call{0, 1, 44, 45, 56, 59, 61}, []uint32{20, 10, 5, 5, 3, 2, 2}
	w.Items, w.ItemCounts = []string{"exec /bin/sh", "read /etc/shadow"}, []uint32{1, 1}
	w.Counters[feature.NExecs] = 2
	return w
}

// shells tells the windows that attack made.
func shells(w *feature.Window) Class {
	if w.Counters[feature.NExecs] > 0 {
		return Attack
	}
	return Normal
}

func source(windows []feature.Window) func(context.Context) iter.Seq2[arrow.Record, error] {
	return func(context.Context) iter.Seq2[arrow.Record, error] {
		return func(yield func(arrow.Record, error) bool) {
			b := feature.NewBuilder()
			defer b.Release()
			for part := range slices.Chunk(windows, 50) {
				for i := range part {
					b.Append(&part[i])
				}
				rec := b.Record()
				goOn := yield(rec, nil)
				rec.Release()
				if !goOn {
					return
				}
			}
		}
	}
}

func fit(t *testing.T, training Training, change func(*Options)) *Detector {
	t.Helper()
	opts := DefaultOptions()
	opts.Forest.NEstimators, opts.Random.NEstimators = 30, 30
	if change != nil {
		change(&opts)
	}
	d, err := Fit(t.Context(), training, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func score(t *testing.T, d *Detector, w feature.Window) (float64, []Reason) {
	t.Helper()
	b := feature.NewBuilder()
	defer b.Release()
	b.Append(&w)
	rec := b.Record()
	defer rec.Release()
	scored, err := d.NewScorer(1).Score(rec)
	if err != nil {
		t.Fatal(err)
	}
	defer scored.Release()
	reasons, err := scored.Reasons(0, 5)
	if err != nil {
		t.Fatal(err)
	}
	return float64(scored.Scores[0]), reasons
}

func TestIsolationFindsAShell(t *testing.T) {
	windows := quiet(6, 60)
	d := fit(t, Training{Windows: source(windows)}, nil)
	got, reasons := score(t, d, attack(windows[0]))
	if got <= d.Manifest.Threshold {
		t.Errorf("a window with a shell scores %g, want above the threshold %g", got, d.Manifest.Threshold)
	}
	if len(reasons) == 0 {
		t.Error("no reason given for the alarm")
	}
	alarms, scorer := 0, d.NewScorer(1)
	for rec := range source(windows)(t.Context()) {
		scored, err := scorer.Score(rec)
		if err != nil {
			t.Fatal(err)
		}
		for i := range scored.Scores {
			if scored.Alarm(i) {
				alarms++
			}
		}
		scored.Release()
	}
	if alarms > len(windows)/100 {
		t.Errorf("%d of %d training windows alarm, want at most one in a hundred", alarms, len(windows))
	}
	if d.Manifest.Training.Windows != 360 || d.Manifest.Training.Containers != 6 || len(d.Manifest.Trained) != 6 {
		t.Errorf("manifest: %+v with %d spans, want 360 windows of 6 containers in 6 spans", d.Manifest.Training, len(d.Manifest.Trained))
	}
}

func TestRandomForestLearnsTheLabels(t *testing.T) {
	windows := quiet(6, 60)
	for _, i := range []int{30, 31, 90, 91, 150, 151} {
		windows[i] = attack(windows[i])
	}
	training := Training{Windows: source(windows), Class: shells}
	d := fit(t, training, func(o *Options) { o.Engine = Random; o.Budget = Budget{FalsePositiveRate: 0.01} })
	if got, _ := score(t, d, attack(windows[200])); got <= d.Manifest.Threshold {
		t.Errorf("an attack scores %g, want above the threshold %g", got, d.Manifest.Threshold)
	}
	if n := d.Manifest.Training; n.Attack != 6 || n.Normal != 354 {
		t.Errorf("training: %+v, want 6 attack and 354 normal windows", n)
	}
}

func TestIsolationSetsLabelledWindowsAside(t *testing.T) {
	windows := quiet(6, 60)
	windows[40] = attack(windows[40])
	d := fit(t, Training{Windows: source(windows), Class: shells}, nil)
	if n := d.Manifest.Training; n.SetAside != 1 || n.Windows != 359 {
		t.Errorf("training: %+v, want 1 window set aside of 360", n)
	}
	if got, _ := score(t, d, windows[40]); got <= d.Manifest.Threshold {
		t.Errorf("the window set aside scores %g, want above %g: it was learned all the same", got, d.Manifest.Threshold)
	}
}

func TestSameSeedSameBytesAtAnyNumberOfThreads(t *testing.T) {
	windows := quiet(5, 40)
	windows[7] = attack(windows[7])
	windows[90] = attack(windows[90])
	for _, engine := range []string{Isolation, Random} {
		var files [2][]byte
		for i, threads := range []int{1, 3} {
			d := fit(t, Training{Windows: source(windows), Class: shells}, func(o *Options) {
				o.Engine, o.Threads, o.Seed = engine, threads, 42
			})
			path := filepath.Join(t.TempDir(), "d")
			if err := d.Save(path); err != nil {
				t.Fatal(err)
			}
			files[i], _ = os.ReadFile(path)
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s: 1 and 3 threads gave %d and %d different bytes", engine, len(files[0]), len(files[1]))
		}
	}
}

func TestLoadedScoresAsFitted(t *testing.T) {
	windows := quiet(5, 40)
	d := fit(t, Training{Windows: source(windows)}, nil)
	path := filepath.Join(t.TempDir(), "web.mayfly")
	if err := d.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []feature.Window{windows[3], attack(windows[3])} {
		want, _ := score(t, d, w)
		if got, _ := score(t, loaded, w); got != want {
			t.Errorf("loaded detector scores %g, the fitted one %g", got, want)
		}
	}
	fitted, _ := d.SHA256()
	if got, _ := loaded.SHA256(); got != fitted {
		t.Errorf("sha256 of the file: got %s, want %s", got, fitted)
	}
}

func TestFitRefuses(t *testing.T) {
	windows := quiet(4, 20)
	mixed := append(quiet(4, 20), feature.Window{ContainerID: "x", WidthNS: 5})
	for _, tc := range []struct {
		name     string
		training Training
		change   func(*Options)
		want     string
	}{
		{"nothing", Training{Windows: source(nil)}, nil, "no windows"},
		{"only attacks", Training{Windows: source(windows), Class: func(*feature.Window) Class { return Attack }}, nil, "no windows"},
		{"two widths", Training{Windows: source(mixed)}, nil, "windows of 5 ns"},
		{"a random forest without labels", Training{Windows: source(windows)}, func(o *Options) { o.Engine = Random }, "labelled attacks"},
		{"an unknown engine", Training{Windows: source(windows)}, func(o *Options) { o.Engine = "svm" }, `got "svm"`},
		{"no budget", Training{Windows: source(windows)}, func(o *Options) { o.Budget = Budget{} }, "budget"},
	} {
		opts := DefaultOptions()
		if tc.change != nil {
			tc.change(&opts)
		}
		_, err := Fit(t.Context(), tc.training, opts)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got error %v, want one with %q", tc.name, err, tc.want)
		}
	}
}

// TestScorerThatComesInLater scores a container's later window as one that has seen
// all of it does.
func TestScorerThatComesInLater(t *testing.T) {
	windows := quiet(5, 60)
	for i := range windows {
		windows[i].Missing = feature.MissingEvents // where events are known, too little never counts
	}
	d := fit(t, Training{Windows: source(windows)}, nil)
	first, later := windows[0], windows[0]
	later.StartNS += 100 * second
	later.CallCounts = []uint32{1, 1, 1, 1} // too little, which counts only after the first seconds
	last := func(began bool, all ...feature.Window) float32 {
		s := d.NewScorer(1)
		if began {
			s.Began(first.Host, first.ContainerID, first.StartNS)
		}
		var score float32
		for rec := range source(all)(t.Context()) {
			scored, err := s.Score(rec)
			if err != nil {
				t.Fatal(err)
			}
			score = scored.Scores[len(scored.Scores)-1]
			scored.Release()
		}
		return score
	}
	want := last(false, first, later)
	if got := last(true, later); got != want {
		t.Errorf("told when the container began: score %g, want %g", got, want)
	}
	if got := last(false, later); got == want {
		t.Errorf("told nothing: score %g as well: then this test shows nothing", got)
	}
}

// TestFitFromASample fits with room for few of the windows.
func TestFitFromASample(t *testing.T) {
	windows := quiet(5, 200)
	small := func(o *Options) { o.MaxWindows = 300 }
	d := fit(t, Training{Windows: source(windows)}, small)
	if n := d.Manifest.Training; n.Windows != 1000 || n.Sampled != 300 || n.Containers != 5 {
		t.Errorf("training: got %+v, want 1000 windows of 5 containers, 300 in the sample", n)
	}
	usual, _ := score(t, d, windows[999])
	if shell, _ := score(t, d, attack(windows[999])); shell <= d.Manifest.Threshold || usual > d.Manifest.Threshold {
		t.Errorf("got scores %v for a shell and %v without, threshold %v between them wanted", shell, usual, d.Manifest.Threshold)
	}
	if all := fit(t, Training{Windows: source(windows)}, func(o *Options) { o.MaxWindows = 1000 }); all.Manifest.Training.Sampled != 0 {
		t.Errorf("room for all: got %+v, want no sample", all.Manifest.Training)
	}

	// Attacks are few, and none of them may be lost to a sample of all windows.
	for i := 100; i < 140; i++ {
		windows[i] = attack(windows[i])
	}
	random := fit(t, Training{Windows: source(windows), Class: shells}, func(o *Options) { o.Engine, o.MaxWindows = Random, 300 })
	if n := random.Manifest.Training; n.Attack != 40 || n.Sampled != 340 {
		t.Errorf("random forest: got %+v, want 40 attacks and 340 windows in the sample", n)
	}
}

func TestSampleKeepsTheOrder(t *testing.T) {
	r := newRows(1, 50, 1)
	for i := range 1000 {
		class := uint8(0)
		if i%10 == 0 {
			class = 1
		}
		r.keep([][]float32{{float32(i)}}, 0, class, int32(i/100), int64(i))
		r.counts.Windows++
	}
	r.settle()
	counts := [2]int{}
	for k, v := range r.columns[0] {
		i := int(v)
		if k > 0 && v <= r.columns[0][k-1] || r.container[k] != int32(i/100) || r.class[k] == 1 != (i%10 == 0) || r.number[k] != int64(i) {
			t.Fatalf("row %d: got window %d of container %d, class %d, number %d", k, i, r.container[k], r.class[k], r.number[k])
		}
		counts[r.class[k]]++
	}
	if counts != [2]int{50, 50} {
		t.Errorf("rows of each class: got %v, want 50 and 50", counts)
	}
}

// TestRandomForestDoesNotHearEchoes: attacks came one after the other in training;
// the windows after the first new thing of a usual container are none for that.
func TestRandomForestDoesNotHearEchoes(t *testing.T) {
	windows := quiet(6, 60)
	for _, i := range []int{330, 333, 336, 339, 342} {
		windows[i] = attack(windows[i])
	}
	class := func(w *feature.Window) Class {
		if c := shells(w); c == Attack || w.ContainerID != windows[330].ContainerID || w.StartNS < 30*second {
			return c
		}
		return Neither
	}
	d := fit(t, Training{Windows: source(windows), Class: class}, func(o *Options) {
		o.Engine, o.Budget = Random, Budget{FalsePositiveRate: 0.01}
	})
	usual := quiet(1, 60)
	for i := range usual {
		usual[i].ContainerID = "another"
	}
	usual[30].Calls, usual[30].CallCounts = append(usual[30].Calls, 234), append(usual[30].CallCounts, 2)
	scorer, at, alarms := d.NewScorer(1), 0, 0
	for rec, err := range source(usual)(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		scored, err := scorer.Score(rec)
		if err != nil {
			t.Fatal(err)
		}
		for i := range scored.Scores {
			if at > 30 && at < 40 && scored.Alarm(i) {
				alarms++
			}
			at++
		}
		scored.Release()
	}
	if alarms > 1 {
		t.Errorf("got %d alarms in the nine windows after one with a new call, want none or one", alarms)
	}
}

package evaluate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/detector"
	"mayfly/feature"
)

// splitFixture is twelve containers that serve for a minute; two run a shell and
// two scan from the thirtieth second on.
func splitFixture(t *testing.T) (features, labels string) {
	t.Helper()
	windows := serving(12, 60)
	text := "container,from,to,attack\n"
	at := func(container, second int) *feature.Window {
		for i := range windows {
			if windows[i].ContainerName == fmt.Sprintf("web-%d", container) && windows[i].StartNS == int64(second)*1e9 {
				return &windows[i]
			}
		}
		t.Fatalf("no window of container %d at %d s", container, second)
		return nil
	}
	for container, attack := range map[int]string{1: "shell", 2: "shell", 3: "scan", 4: "scan"} {
		for s := 30; s < 34; s++ {
			w := at(container, s)
			w.Items, w.ItemCounts = []string{"exec /bin/" + attack}, []uint32{1}
			w.Counters[feature.NExecs], w.Counters[feature.NConnects] = 5, 40
		}
	}
	for container, attack := range map[int]string{1: "shell", 2: "shell", 3: "scan", 4: "scan"} {
		text += fmt.Sprintf("web-%d,1970-01-01T00:00:30Z,1970-01-01T00:00:33Z,%s\n", container, attack)
	}
	dir := t.TempDir()
	features, labels = filepath.Join(dir, "f.parquet"), filepath.Join(dir, "l.csv")
	writeFeatures(t, features, windows)
	if err := os.WriteFile(labels, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return features, labels
}

func splitOptions(labels string) SplitOptions {
	o := SplitOptions{Detector: detector.DefaultOptions(), Labels: labels, Holdout: 0.3, Seeds: 1, Measure: DefaultMeasureOptions()}
	o.Detector.Budget = detector.Budget{FalsePositiveRate: 0.02}
	o.Detector.Forest.NEstimators, o.Detector.Random.NEstimators, o.Measure.Bootstrap.Resamples = 40, 40, 0
	return o
}

func TestLeaveOneAttackOut(t *testing.T) {
	features, labels := splitFixture(t)
	for _, engine := range []string{detector.Isolation, detector.Random} {
		o := splitOptions(labels)
		o.LeaveOut, o.Seeds, o.Baselines, o.Detector.Engine = true, 2, true, engine
		r, err := RunSplit(t.Context(), []string{features}, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Splits) != 2 || r.Splits[0].Name != "scan" || r.Splits[1].Name != "shell" || r.Seeds == nil {
			t.Fatalf("%s: splits: %+v", engine, r)
		}
		for _, s := range r.Splits {
			m := s.Methods[0]
			if m.AUROC == nil || m.AUROC.Value < 0.9 || *m.Found != 2 || *m.Attacks != 2 {
				t.Errorf("%s, %s: %+v, want both attacks found", engine, s.Name, m)
			}
			if len(s.Methods) < 3 {
				t.Errorf("%s: %d methods, want baselines too", s.Name, len(s.Methods))
			}
			if s.Test != 4 || s.Train != 8 { // two under the attack, two of the eight that none touched
				t.Errorf("%s: %d containers learned from and %d measured, want 8 and 4", s.Name, s.Train, s.Test)
			}
		}
		var table bytes.Buffer
		if err := r.WriteTable(&table); err != nil || !strings.Contains(table.String(), "2 of 2") || !strings.Contains(table.String(), "over 2 seeds") {
			t.Errorf("table (%v):\n%s", err, &table)
		}
	}
}

func TestPoisonIsMeasuredBesideTheCleanDetector(t *testing.T) {
	features, labels := splitFixture(t)
	o := splitOptions(labels)
	o.LeaveOut, o.Poison = true, 0.005
	r, err := RunSplit(t.Context(), []string{features}, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Splits {
		if len(s.Methods) != 2 || !strings.Contains(s.Methods[1].Method, "attack windows learned as normal") || *s.Methods[0].Attacks != 1 {
			t.Errorf("%s: %+v, want one attack, measured clean and poisoned", s.Name, s.Methods)
		}
	}
}

func TestLeaksAreRefused(t *testing.T) {
	features, labels := splitFixture(t)
	copied := serving(12, 60)
	var twin []feature.Window
	for i := range copied {
		if copied[i].ContainerName == "web-7" {
			for k := range 6 {
				w := copied[i]
				w.ContainerID, w.ContainerName = fmt.Sprintf("%064x", 100+k), fmt.Sprintf("twin-%d", k)
				w.Counters[feature.NCalls] = max(w.Counters[feature.NCalls], 100)
				twin = append(twin, w)
			}
		}
	}
	second := filepath.Join(t.TempDir(), "twin.parquet")
	writeFeatures(t, second, twin)
	o := splitOptions(labels)
	_, err := RunSplit(t.Context(), []string{features, second}, o)
	if err == nil || !strings.Contains(err.Error(), "on both sides (--allow-leakage") {
		t.Fatalf("copied containers: got error %v, want one that refuses", err)
	}
	o.AllowLeakage = true
	r, err := RunSplit(t.Context(), []string{features, second}, o)
	if err != nil || len(r.Leaks) == 0 {
		t.Errorf("allowed: got error %v and report %+v", err, r)
	}
}

func TestLIDDSMeasures(t *testing.T) {
	w := &Windows{Threshold: 0.5, Containers: make([]Container, 2)}
	classes := []class{}
	for _, r := range []struct {
		container int32
		score     float64
		class     class
	}{{0, 0.9, normal}, {1, 0.8, normal}, {0, 0.7, normal}, {0, 0.1, normal}, {0, 0.6, normal}, {1, 0.9, attacked}, {1, 0.2, attacked}, {1, 0.6, normal}} {
		w.Rows = append(w.Rows, Scored{Container: r.container, Score: r.score, WidthNS: 1})
		classes = append(classes, r.class)
	}
	if got := consecutiveFalseAlarms(w, classes); got != 4 {
		t.Errorf("runs of false alarms: got %d, want 4", got)
	}
	if got := precisionAtK(w, classes); got == nil || *got != 0.5 { // of the two highest, 0.9 normal before 0.9 attack
		t.Errorf("precision at 2: got %v, want 0.5", *got)
	}
}

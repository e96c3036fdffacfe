package evaluate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/datasets/dockercve"
	"mayfly/detector"
)

// smallDockerCVE is a dataset of one CVE: four runs of steady reads and writes, whose
// exploit (windows 20 to 24 of a test segment) does a call that nothing did before.
// Windows after it hold noise of their own when noisy.
func smallDockerCVE(t *testing.T, noisy bool) *dockercve.Set {
	t.Helper()
	const segment, trigger, success = 40, 20, 24
	rnd := rand.New(rand.NewPCG(3, 3))
	var text bytes.Buffer
	z := gzip.NewWriter(&text)
	line := func(format string, args ...any) {
		if _, err := fmt.Fprintf(z, format, args...); err != nil {
			t.Fatal(err)
		}
	}
	line("run,segment,row,seg_row,timestamp_ms,after_trigger,in_attack,read,write,futex,ptrace\n")
	timing, ms := "cve,run,threads,trigger_row,success_row,attack_end_row,test_rows,in_published_41\n", 1000
	for run := 1; run <= 4; run++ {
		for _, of := range []string{"train1", "train2", "train3", "test"} {
			for row := range segment {
				calls := []int{20 + rnd.IntN(8), 10 + rnd.IntN(6), 4 + rnd.IntN(4), 0}
				if of == "test" && row >= trigger && row <= success {
					calls[3] = 5
				}
				if of == "test" && row > success && noisy {
					calls = []int{0, 0, 900, 30}
				}
				line("%d,%s,%d,%d,%d,0,0,%d,%d,%d,%d\n", run, of, row, row, ms, calls[0], calls[1], calls[2], calls[3])
				ms += 100
			}
			ms += 60_000
		}
		timing += fmt.Sprintf("CVE-2000-1,%d,1,%d,%d,%d,%d,1\n", run, trigger, success, success, segment)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "windows"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"timing.csv":                []byte(timing),
		"published_per_run.csv":     []byte("method,cve,run,fpr,detected,lead_s\nSHIL-2.0,CVE-2000-1,1,0.0,1,0.2\n"),
		"windows/CVE-2000-1.csv.gz": text.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set, err := dockercve.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestDockerCVEBaselines(t *testing.T) {
	measure := func(noisy bool, threads int) *DockerCVEReport {
		opts := DockerCVEOptions{Detector: detector.DefaultOptions(), Threads: threads, Baselines: true}
		opts.Detector.Budget, opts.Detector.Forest.NEstimators = detector.Budget{FalsePositiveRate: 0.05}, 20
		r, err := DockerCVE(t.Context(), smallDockerCVE(t, noisy), opts)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := measure(false, 1)
	var names []string
	for _, m := range r.Baselines {
		names = append(names, m.Method)
		if m.Runs != 4 || m.FPR.Value > 0.15 {
			t.Errorf("%s: %d runs, FPR %g, want 4 with about the budget of 0.05", m.Method, m.Runs, m.FPR.Value)
		}
		if m.Method != golearnMethod && m.Detected.Value != 1 { // golearn's forest sees no farther than its training
			t.Errorf("%s: detected %g of the runs, want all: a call was never seen", m.Method, m.Detected.Value)
		}
	}
	if want := []string{golearnMethod, "bag of calls, 10 nearest", "z-scores of call shares"}; !slices.Equal(names, want) {
		t.Errorf("baselines: got %q, want %q", names, want)
	}
	var table bytes.Buffer
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"z-scores of call shares", "without STIDE, n = 3 and Markov chain, order 1: they need the order of calls", "SHIL-2.0"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("table: want %q in\n%s", want, table.String())
		}
	}
	var bytesOf [2]string
	for i, other := range []*DockerCVEReport{r, measure(true, 2)} {
		var b bytes.Buffer
		if err := other.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		bytesOf[i] = b.String()
	}
	if bytesOf[0] != bytesOf[1] {
		t.Error("what comes after the success, or the threads, changed the report: a method learned from test windows")
	}
}

// TestBaselineThresholdIsOfTraining: windows that alarm are as few in other train
// segments as the budget says, and none of those that were learned from is told.
func TestBaselineThresholdIsOfTraining(t *testing.T) {
	windows, err := smallDockerCVE(t, true).Windows("CVE-2000-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []baseline{bagNeighbours(), zScore()} {
		for _, budget := range []float64{0.5, 0.01} {
			alarms, err := b.alarms(t.Context(), windows, detector.Budget{FalsePositiveRate: budget})
			if err != nil {
				t.Fatal(err)
			}
			before := 0 // alarms before the exploits: 80 windows
			for i, row := range windows.Rows {
				if alarms[i] && dockercve.Train(row) {
					t.Fatalf("%s: row %d was learned from and alarms", b.name, i)
				}
				if alarms[i] && row.SegRow < 20 {
					before++
				}
			}
			if share := float64(before) / 80; share > 1.5*budget+0.02 || share < budget/3-0.02 {
				t.Errorf("%s at %g: %d of 80 windows before the exploits alarm", b.name, budget, before)
			}
		}
	}
}

package evaluate

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/datasets/dockercve"
	"mayfly/detector"
)

var update = flag.Bool("update", false, "write goldens anew")

func dockerCVE(t *testing.T) *dockercve.Set {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "datasets", "docker-cve")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("docker-cve is not beside the project: " + err.Error())
	}
	set, err := dockercve.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// everyRun lists the runs of the dataset without any outcome.
func everyRun(set *dockercve.Set) (runs []DockerCVERun) {
	for _, cve := range set.CVEs() {
		for _, run := range set.Runs(cve) {
			runs = append(runs, DockerCVERun{CVE: run.CVE, Run: run.Run})
		}
	}
	return runs
}

// TestPublishedMeans gives the table of the dataset's description, digit for
// digit.
func TestPublishedMeans(t *testing.T) {
	set := dockerCVE(t)
	published, err := set.Published()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"SHIL-2.0": "0.89 84.82 11.89",
		"SHIL-1.2": "2.22 87.50 13.18",
		"RF-0.6":   "0.93 76.79 12.24",
		"CDL-AE95": "6.07 91.96 13.92",
		"CDL-AE99": "1.61 83.04 12.67",
	}
	all := publishedMeans(published, everyRun(set), BootstrapOptions{})
	if len(all) != len(want) {
		t.Errorf("methods: got %d, want %d", len(all), len(want))
	}
	for _, m := range all {
		got := fmt.Sprintf("%.2f %.2f %.2f", 100*m.FPR.Value, 100*m.Detected.Value, m.LeadS.Value)
		if got != want[m.Method] || m.Runs != 112 {
			t.Errorf("%s over %d runs: got %s, want %s over 112", m.Method, m.Runs, got, want[m.Method])
		}
	}
}

// TestPublishedConventions: the published figures of each run can come from
// alarms by the rules of judge. Shares are of the windows before the trigger,
// leads are whole windows of 100 ms and at most success minus trigger.
func TestPublishedConventions(t *testing.T) {
	set := dockerCVE(t)
	published, err := set.Published()
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]dockercve.Run{}
	for _, cve := range set.CVEs() {
		for _, run := range set.Runs(cve) {
			runs[fmt.Sprint(cve, run.Run)] = run
		}
	}
	longest := 0
	for _, p := range published {
		run := runs[fmt.Sprint(p.CVE, p.Run)]
		alarms := make([]bool, run.TestRows)
		n := p.FPR * float64(run.TriggerRow)
		if math.Abs(n-math.Round(n)) > 1e-3 {
			t.Errorf("%s %s run %d: FPR %v of %d windows is %v windows", p.Method, p.CVE, p.Run, p.FPR, run.TriggerRow, n)
		}
		for i := range int(math.Round(n)) {
			alarms[i] = true
		}
		if p.Detected {
			first := run.SuccessRow - int(math.Round(p.LeadS*10))
			alarms[first] = true
			if first == run.TriggerRow {
				longest++
			}
		}
		got := judge(run, alarms)
		if math.Abs(got.FPR-p.FPR) > 1e-6 || got.Detected != p.Detected || math.Abs(got.LeadS-p.LeadS) > 1e-9 {
			t.Errorf("%s: got %+v, want %+v", p.Method, got, p)
		}
	}
	if longest == 0 {
		t.Error("no published alarm falls on the trigger itself: is the trigger's window counted?")
	}
}

func TestJudge(t *testing.T) {
	run := dockercve.Run{CVE: "CVE-2000-1", Run: 1, TriggerRow: 4, SuccessRow: 6, TestRows: 9}
	for alarms, want := range map[string]DockerCVERun{
		".........": {},
		"x........": {FalseAlarms: 1, FPR: 0.25},
		"...x.....": {FalseAlarms: 1, FPR: 0.25},
		"....x....": {Detected: true, LeadS: 0.2},
		".....xx..": {Detected: true, LeadS: 0.1},
		"......x..": {Detected: true, LeadS: 0},
		".......xx": {},
	} {
		var at []bool
		for _, c := range alarms {
			at = append(at, c == 'x')
		}
		want.CVE, want.Run, want.Before = "CVE-2000-1", 1, 4
		if got := judge(run, at); got != want {
			t.Errorf("%s: got %+v, want %+v", alarms, got, want)
		}
	}
}

// TestDockerCVESmall goes the whole way on two CVEs with few trees, with one
// thread and with two.
func TestDockerCVESmall(t *testing.T) {
	if testing.Short() {
		t.Skip("trains detectors")
	}
	source := filepath.Join("..", "..", "shared", "datasets", "docker-cve")
	dockerCVE(t)
	dir := t.TempDir()
	link := func(name string) {
		from, err := filepath.Abs(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(from, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("windows")
	link("published_per_run.csv")
	timing, err := os.ReadFile(filepath.Join(source, "timing.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var few []string
	for i, line := range strings.SplitAfter(string(timing), "\n") {
		if i == 0 || strings.HasPrefix(line, "CVE-2015-5477,") || strings.HasPrefix(line, "CVE-2016-7434,") {
			few = append(few, line)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "timing.csv"), []byte(strings.Join(few, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := dockercve.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for threads := range 2 {
		opts := DockerCVEOptions{Detector: detector.DefaultOptions(), Threads: threads + 1}
		opts.Detector.Budget = detector.Budget{FalsePositiveRate: 0.01}
		opts.Detector.Forest.NEstimators = 10
		r, err := DockerCVE(context.Background(), set, opts)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Runs) != 8 || len(r.Others) != 5 || r.Mayfly.Runs != 8 {
			t.Errorf("report: got %d runs, %d methods", len(r.Runs), len(r.Others))
		}
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		if last != "" && b.String() != last {
			t.Errorf("report with %d threads differs from one thread's", threads+1)
		}
		last = b.String()
		b.Reset()
		if err := r.WriteTable(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "CVE-2016-7434") || !strings.Contains(b.String(), "SHIL-2.0") {
			t.Errorf("table: got\n%s", b.String())
		}
	}
}

package replay

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/trace"
)

// crowdPage is a page of many containers, each with as many windows and a finding.
func crowdPage(containers, windows int, name string) (*Page, *Report) {
	p := newPage()
	r := &Report{Containers: containers, Windows: int64(containers * windows), Findings: int64(containers)}
	for c := range containers {
		id := fmt.Sprintf("%064x", c)
		w := feature.Window{Host: "h", ContainerID: id, ContainerName: name, Workload: name, WidthNS: 1e9}
		for i := range windows {
			w.StartNS = int64(i) * 1e9
			p.see(&w, float64(i%97)/100, i%97 == 96)
		}
		p.found(&detector.Finding{Hostname: "h", Priority: "Critical", Output: name + ": did a thing", Tags: []string{"T1059"},
			Mayfly: detector.Detail{ID: fmt.Sprint(c), ContainerID: id, FromNS: 96e9, ToNS: 98e9, New: []string{},
				Evidence: []detector.Evidence{{File: name, Text: name}}, Ancestry: []detector.Process{{PID: 1, Exe: name}},
				Features: []detector.Reason{{Name: name, Doc: name}}}})
	}
	return p, r
}

func pageOf(t testing.TB, p *Page, r *Report, d *detector.Detector) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.WriteHTML(&b, r, d, "web.mayfly", "devel"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageOfARun(t *testing.T) {
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "attack")
	recorded(t, dir, 7, 2, 60, 40, 10)
	report, err := Run(context.Background(), d, []*trace.Trace{open(t, dir)}, Options{Page: true})
	if err != nil {
		t.Fatal(err)
	}
	html := pageOf(t, report.Page, report, d)
	for _, want := range []string{"default-src 'none'", `class="strip"`, "never seen in", "web.mayfly"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := strings.Count(html, `<article class="finding"`); int64(n) != report.Findings || n == 0 {
		t.Errorf("%d findings on the page, %d in the report", n, report.Findings)
	}
}

func TestPageKeepsHostileNamesAsText(t *testing.T) {
	p, r := crowdPage(3, 200, `"><script>alert(1)</script>`)
	html := pageOf(t, p, r, trained(t))
	if strings.Contains(html, "<script") || !strings.Contains(html, "&lt;script&gt;") {
		t.Error("a name is markup")
	}
}

// A thousand containers with a million windows stay a page that opens.
func TestPageSize(t *testing.T) {
	p, r := crowdPage(1000, 1000, "web")
	if html := pageOf(t, p, r, trained(t)); len(html) > 5<<20 {
		t.Errorf("%d bytes, want at most 5 MiB", len(html))
	}
}

func TestFoldedTimelineKeepsPeaksAndAlarms(t *testing.T) {
	var f folded
	const windows = 10_000
	for i := range int64(windows) {
		f.add(i*1e9, (i+1)*1e9, float64(i)/windows, i%100 == 0)
	}
	line := f.timeline()
	alarms := 0
	for _, n := range line.Alarms {
		alarms += n
	}
	if len(line.Peaks) > maxBuckets || alarms != windows/100 || *line.Peaks[len(line.Peaks)-1] != (windows-1.0)/windows {
		t.Errorf("%d buckets, %d alarms, last peak %v", len(line.Peaks), alarms, *line.Peaks[len(line.Peaks)-1])
	}
	if line.FromNS != 0 || line.ToNS < windows*1e9 {
		t.Errorf("from %d to %d", line.FromNS, line.ToNS)
	}
}

// inBrowser runs Chromium over a page; it returns what it printed, and complains of
// what the page's policy kept it from.
func inBrowser(t *testing.T, html string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(html), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, "chromium"), append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
		"--user-data-dir=" + filepath.Join(t.TempDir(), "profile"), file}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}
	if strings.Contains(errs.String(), "CONSOLE") {
		t.Errorf("console: %s", errs.String())
	}
	return out.String()
}

// program is the path of a program that a test wants.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
			t.Fatal(name + " is not installed")
		}
		t.Skip(name + " is not installed")
	}
	return path
}

// TestPageInBrowser opens the page in Chromium, whose policy must have nothing to
// complain of.
func TestPageInBrowser(t *testing.T) {
	p, r := crowdPage(5, 300, "web<b>")
	dom := inBrowser(t, pageOf(t, p, r, trained(t)), "--dump-dom")
	if strings.Count(dom, "<article") != 5 || strings.Count(dom, "<figure class=\"strip\"") != 5 {
		t.Errorf("%d findings and %d strips, want 5 each", strings.Count(dom, "<article"), strings.Count(dom, "<figure class=\"strip\""))
	}
}

// On paper nothing can be unfolded: what is folded on a screen is printed.
func TestPageOnPaper(t *testing.T) {
	toText := program(t, "pdftotext")
	p, r := crowdPage(3, 300, "evidence-of-it")
	paper := filepath.Join(t.TempDir(), "report.pdf")
	inBrowser(t, pageOf(t, p, r, trained(t)), "--print-to-pdf="+paper, "--no-pdf-header-footer")
	text, err := exec.Command(toText, "-layout", paper, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "why it tells"); n != 3 {
		t.Errorf("the facts of %d findings are on paper, want 3:\n%s", n, text)
	}
}

// BenchmarkPage gathers and writes the page of 1,000 containers and 1,000,000 windows.
func BenchmarkPage(b *testing.B) {
	d := trained(b)
	for b.Loop() {
		p, r := crowdPage(1000, 1000, "web")
		b.ReportMetric(float64(len(pageOf(b, p, r, d)))/1e6, "MB")
	}
}

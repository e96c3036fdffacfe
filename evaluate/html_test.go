package evaluate

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mayfly/detector"
)

// crowdReport is a report of made-up windows with every kind of thing on it.
func crowdReport(t testing.TB, containers, windows int) *Report {
	t.Helper()
	w, labels := crowd(containers, windows)
	w.Carried = func(int) []string {
		return []string{"exec /tmp/<b>x</b>, never seen", "412 openat, usual 3 to 20"}
	}
	opts := DefaultMeasureOptions()
	opts.Bootstrap.Resamples = 60
	r, err := Measure(w, labels, opts)
	if err != nil {
		t.Fatal(err)
	}
	digest := strings.Repeat("0123456789abcdef", 4)
	p := &r.Provenance
	p.Mayfly, p.Detector, p.SHA256, p.Engine, p.Seed = "devel", "web.mayfly", digest, detector.Isolation, 1
	p.WidthNS, p.Budget = second, detector.Budget{AlarmsPerContainerDay: 1}
	p.Training = detector.Counts{Windows: 24000, Containers: 12}
	p.Trained = []detector.Input{{Name: "train.parquet", SHA256: digest, Windows: 24000}}
	p.Inputs = []detector.Input{{Name: "test.parquet", SHA256: digest, Windows: int64(len(w.Rows))}}
	p.Labels = &detector.Input{Name: "labels.csv", SHA256: digest, Windows: int64(len(labels))}
	p.Split = "by container and time: windows that the detector learned from are left out"
	return r
}

func html(t testing.TB, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTMLKeepsHostileNamesAsText(t *testing.T) {
	page := html(t, crowdReport(t, 20, 300))
	for _, tag := range []string{"<script", "<b>x", "javascript:", "onload=", "http://", "https://", "ZgotmplZ", "NaN", "+Inf"} {
		if i := strings.Index(page, tag); i >= 0 {
			t.Errorf("page holds %q: …%s…", tag, page[max(0, i-60):i+40])
		}
	}
	for _, want := range []string{"&lt;script&gt;alert(1)&lt;/script&gt;", "default-src &#39;none&#39;", "default-src 'none'"} {
		if strings.Contains(page, want) {
			continue
		}
		if !strings.HasPrefix(want, "default-src &") {
			t.Errorf("page lacks %q", want)
		}
	}
}

func TestHTMLOfEdges(t *testing.T) {
	one := []Container{{ID: "c"}}
	for name, w := range map[string]*Windows{
		"nothing":    {},
		"one window": {Containers: one, Rows: []Scored{row(0, 1, 0.2)}},
		"one score":  {Threshold: 0.2, Containers: one, Rows: []Scored{row(0, 1, 0.2), row(0, 2, 0.2)}},
	} {
		page := html(t, measure(t, w, nil))
		if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
			t.Errorf("%s: page holds NaN or Inf", name)
		}
	}
}

// TestHTMLSize: a thousand containers stay a page that opens.
func TestHTMLSize(t *testing.T) {
	const most = 5 << 20
	if page := html(t, crowdReport(t, 1000, 100)); len(page) > most {
		t.Errorf("page of 1000 containers: got %d bytes, want at most %d", len(page), most)
	}
}

// TestHTMLInBrowser opens the page in Chromium: it renders what was written, and
// its policy holds.
func TestHTMLInBrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		reason := "chromium is not installed"
		if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "report.html")
	if err := os.WriteFile(file, []byte(html(t, crowdReport(t, 12, 300))), 0o644); err != nil {
		t.Fatal(err)
	}
	browse := func(args ...string) string {
		cmd := exec.Command(chromium, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
			"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--enable-logging=stderr", "--user-data-dir=" + filepath.Join(dir, "profile"), "--window-size=1200,1600"}, append(args, file)...)...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, time.Second
		if err := cmd.Run(); err != nil {
			t.Fatalf("chromium %v: %v\n%s", args, err, errs.String())
		}
		if complaint := regexp.MustCompile(`(?m)^.*CONSOLE.*$`).FindString(errs.String()); complaint != "" {
			t.Errorf("console: %s", complaint)
		}
		return out.String()
	}
	dom := browse("--dump-dom")
	for what, pattern := range map[string]string{
		"four charts":      `(?s)(<figcaption>[^<]+</figcaption>\s*<svg.*){4}`,
		"a timeline":       `class="strip"`,
		"the hostile name": `&lt;script&gt;alert\(1\)`,
	} {
		if !regexp.MustCompile(pattern).MatchString(dom) {
			t.Errorf("%s: nothing in the page matches %s", what, pattern)
		}
	}
	shot := filepath.Join(dir, "report.png")
	browse("--screenshot=" + shot)
	if info, err := os.Stat(shot); err != nil || info.Size() < 20_000 {
		t.Errorf("screenshot: got %v, %v; want a picture of a full page", info, err)
	}
}

func BenchmarkWriteHTML(b *testing.B) {
	r := crowdReport(b, 1000, 100)
	for b.Loop() {
		html(b, r)
	}
}

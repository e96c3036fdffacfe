package evaluate

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

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/profile"
	"mayfly/trace"
)

// fixture is a folder with a detector, a FEATURES file and labels: six
// containers that serve for 200 s each. The detector learned from four of them
// and from the first half of the fifth. A shell runs in the fifth at 150 s and
// in the sixth at 100 s, for 3 s each.
type fixture struct{ dir, detector, features, labels string }

func newFixture(t testing.TB) fixture {
	t.Helper()
	dir := t.TempDir()
	f := fixture{dir, filepath.Join(dir, "web.mayfly"), filepath.Join(dir, "features.parquet"), filepath.Join(dir, "labels.csv")}
	windows := serving(6, 200)
	writeFeatures(t, f.features, windows)
	learned := func(w *feature.Window) bool {
		return w.ContainerName < "web-5" || w.ContainerName == "web-5" && w.StartNS < 100*second
	}
	in, err := feature.OpenFile(f.features)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	opts := detector.DefaultOptions()
	opts.Forest.NEstimators, opts.Seed = 30, 1
	opts.Budget = detector.Budget{FalsePositiveRate: 0.01}
	d, err := detector.Fit(t.Context(), detector.Training{Windows: recordsOf(in, learned)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Save(f.detector); err != nil {
		t.Fatal(err)
	}
	labels := "container,from,to,attack\n" +
		"web-5,1970-01-01T00:02:30.5Z,1970-01-01T00:02:32.5Z,shell\n" +
		fmt.Sprintf("%064x,1970-01-01T00:01:40Z,1970-01-01T00:01:42.9Z,shell\n", 6)
	if err := os.WriteFile(f.labels, []byte(labels), 0o644); err != nil {
		t.Fatal(err)
	}
	return f
}

func serving(containers, windows int) []feature.Window {
	random := rand.New(rand.NewPCG(7, 7))
	var all []feature.Window
	for i := range windows {
		for c := range containers {
			w := feature.Window{
				Host: "host", ContainerID: fmt.Sprintf("%064x", c+1), ContainerName: fmt.Sprintf("web-%d", c+1), Workload: "web",
				StartNS: int64(i) * second, WidthNS: second,
				Calls:      []trace.Call{0, 1, 44, 45},
				CallCounts: []uint32{uint32(20 + random.IntN(9)), uint32(10 + random.IntN(9)), uint32(5 + random.IntN(5)), uint32(5 + random.IntN(5))},
				Items:      []string{"read /srv/index"}, ItemCounts: []uint32{uint32(1 + random.IntN(3))},
			}
			if c == 4 && i >= 150 && i <= 152 || c == 5 && i >= 100 && i <= 102 {
				w.Calls, w.CallCounts = []trace.Call{0, 1, 44, 45, 56, 59, 61}, []uint32{20, 10, 5, 5, 3, 2, 2}
				w.Items, w.ItemCounts = []string{"exec /bin/sh", "read /etc/shadow"}, []uint32{1, 1}
				w.Counters[feature.NExecs] = 2
			}
			all = append(all, w)
		}
	}
	return all
}

func writeFeatures(t testing.TB, path string, windows []feature.Window) {
	t.Helper()
	out, err := feature.CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range windows {
		if err := out.Append(&windows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(&feature.Provenance{WidthNS: second}); err != nil {
		t.Fatal(err)
	}
}

func runFixture(t *testing.T, f fixture, threads int) *Report {
	t.Helper()
	opts := DefaultOptions()
	opts.Labels, opts.Threads = f.labels, threads
	opts.Measure.Bootstrap.Resamples = 50
	r, err := Run(t.Context(), f.detector, []string{f.features}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRun(t *testing.T) {
	r := runFixture(t, newFixture(t), 1)
	// web-5 ends 47 s after its shell, which is all aftermath; web-6 lives on.
	want := Counts{Total: 1200, Trained: 900, Attack: 6, Aftermath: 47 + 60, Normal: 1200 - 900 - 6 - 47 - 60}
	if r.Windows != want {
		t.Errorf("windows: got %+v, want %+v", r.Windows, want)
	}
	if r.Found != 2 || r.Missed != 0 || r.AUROC.Value < 0.99 {
		t.Errorf("got %d found, %d missed, AUROC %v", r.Found, r.Missed, r.AUROC.Value)
	}
	for _, a := range r.Attacks {
		if len(a.Carried) == 0 || a.Windows != 3 || a.Workload != "web" {
			t.Errorf("attack: got %+v", a)
		}
	}
	p := r.Provenance
	if p.Detector != "web.mayfly" || len(p.SHA256) != 64 || p.Inputs[0].Name != "features.parquet" || p.Inputs[0].Windows != 1200 || p.Labels.Windows != 2 {
		t.Errorf("provenance: got %+v", p)
	}
}

func TestRunIsTheSameAtAnyNumberOfThreads(t *testing.T) {
	f := newFixture(t)
	var last string
	for threads := range 3 {
		r := runFixture(t, f, threads+1)
		var b bytes.Buffer
		for _, write := range []func() error{
			func() error { return r.WriteJSON(&b) }, func() error { return r.WriteTable(&b) }, func() error { return r.WriteHTML(&b) },
		} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
		if last != "" && b.String() != last {
			t.Errorf("report with %d threads differs from one thread's", threads+1)
		}
		last = b.String()
	}
}

func TestRunRefuses(t *testing.T) {
	f := newFixture(t)
	write := func(name, text string) string {
		path := filepath.Join(f.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, err := os.ReadFile(f.features)
	if err != nil {
		t.Fatal(err)
	}
	text, cut := write("text.parquet", "hello, this is text\n"), write("cut.parquet", string(whole[:len(whole)/2]))
	wide := serving(1, 3)
	for i := range wide {
		wide[i].WidthNS, wide[i].StartNS = 10*second, int64(i)*10*second
	}
	wider := filepath.Join(f.dir, "wide.parquet")
	writeFeatures(t, wider, wide)
	for _, tc := range []struct {
		name, detector, labels string
		features               []string
		want                   []string
	}{
		{"no detector", f.dir + "/none", "", []string{f.features}, []string{"none", "no such file"}},
		{"text as detector", text, "", []string{f.features}, []string{"text.parquet", "not a detector"}},
		{"text as features", f.detector, "", []string{text}, []string{"text.parquet", "not a Parquet file"}},
		{"cut features", f.detector, "", []string{cut}, []string{"cut.parquet", "truncated"}},
		{"another width", f.detector, "", []string{wider}, []string{"wide.parquet", "trained on"}},
		{"the same twice", f.detector, "", []string{f.features, f.features}, []string{"features.parquet", "time order"}},
		{"labels", f.detector, write("bad.csv", "container,from,to,attack\nx,yesterday,today,y\n"), []string{f.features}, []string{"bad.csv:2", "yesterday"}},
	} {
		opts := DefaultOptions()
		opts.Labels = tc.labels
		_, err := Run(t.Context(), tc.detector, tc.features, opts)
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: got error %v, want one line with %q", tc.name, err, want)
			}
		}
	}
}

func TestLearnedSpans(t *testing.T) {
	s := scoring{learned: learnedSpans([]detector.Span{
		{Host: "h", ContainerID: "a", FromNS: 50, ToNS: 60}, {Host: "h", ContainerID: "a", FromNS: 10, ToNS: 20},
		{Host: "h", ContainerID: "b", FromNS: 0, ToNS: 100},
	})}
	for _, tc := range []struct {
		container   string
		start, wide int64
		want        bool
	}{
		{"a", 0, 10, false}, {"a", 0, 11, true}, {"a", 19, 1, true}, {"a", 20, 30, false}, {"a", 20, 31, true},
		{"a", 55, 1, true}, {"a", 60, 5, false}, {"b", 99, 5, true}, {"c", 5, 5, false},
	} {
		got := s.wasLearned(&feature.Window{Host: "h", ContainerID: tc.container, StartNS: tc.start, WidthNS: tc.wide})
		if got != tc.want {
			t.Errorf("container %s, window of %d from %d: got %v, want %v", tc.container, tc.wide, tc.start, got, tc.want)
		}
	}
	if s.wasLearned(&feature.Window{Host: "other", ContainerID: "b", StartNS: 1, WidthNS: 1}) {
		t.Error("another host's container: got learned")
	}
}

func TestTable(t *testing.T) {
	w, labels := example()
	labels[1].Attack = "ghost\x1b[2J"
	var b bytes.Buffer
	if err := measure(t, w, labels).WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "table.golden")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("table: got\n%s\nwant\n%s", b.Bytes(), want)
	}
	if slices.Contains(b.Bytes(), '\x1b') {
		t.Error("table holds an escape character of a label")
	}
}

// recordsOf yields the windows of a file that keep wants.
func recordsOf(f *feature.File, keep func(*feature.Window) bool) func(context.Context) iter.Seq2[arrow.Record, error] {
	return func(ctx context.Context) iter.Seq2[arrow.Record, error] { return feature.Filter(f.Windows(ctx), keep) }
}

func TestTelling(t *testing.T) {
	var items []feature.NewItem
	for _, text := range []string{"exec /bin/sh", "exec /tmp/x", "read /dev/null", "read /etc/shadow", "priv mount", "write /a", "odd thing"} {
		kind, value, _ := strings.Cut(text, " ")
		items = append(items, feature.NewItem{Item: profile.Item{Kind: kind, Value: value}})
	}
	var got []string
	for _, item := range telling(items) {
		got = append(got, item.Item.Kind+" "+item.Item.Value)
	}
	if want := []string{"exec /bin/sh", "priv mount", "write /a", "read /dev/null"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := telling(nil); len(got) != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}

// TestErrorsNameAFileOnce: of a file whose windows are damaged, and of one that is in
// order but comes twice.
func TestErrorsNameAFileOnce(t *testing.T) {
	f := newFixture(t)
	whole, err := os.ReadFile(f.features)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(f.dir, "damaged.parquet")
	broken := bytes.Clone(whole)
	for i := 100; i < len(broken)/2; i++ {
		broken[i] ^= 0x5a
	}
	if err := os.WriteFile(damaged, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		files []string
		name  string
	}{{[]string{damaged}, "damaged.parquet"}, {[]string{f.features, f.features}, "features.parquet"}} {
		_, err := Run(t.Context(), f.detector, tc.files, DefaultOptions())
		if err == nil || strings.Count(err.Error(), tc.name) != 1 {
			t.Errorf("%s: got error %v, want one that names it once", tc.name, err)
		}
	}
}

package replay

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"mayfly/feature"
	"mayfly/trace"
)

// TestDrift compares what several kinds of new time look like with what was learned.
func TestDrift(t *testing.T) {
	d := trained(t)
	usual, secret := []string{"read /srv/index"}, []string{"read /etc/shadow", "read /srv/index"}
	moved := []string{"read /srv/index", "read /srv/theme"}
	for _, test := range []struct {
		name, workload string
		items          func(container, second int) []string
		want           string
		shared         []string
	}{
		{"nothing new", "web", func(int, int) []string { return usual }, AsLearned, nil},
		{"all read another file", "web", func(int, int) []string { return moved }, Drift, []string{"read /srv/theme"}},
		{"one container reads another file", "web", func(c, _ int) []string {
			if c == 0 {
				return moved
			}
			return usual
		}, Departs, nil},
		{"all are attacked alike", "web", func(_, second int) []string {
			if second%5 == 0 {
				return secret
			}
			return usual
		}, Departs, nil},
		{"another digest", "web@sha256:1234", func(int, int) []string { return moved }, NewVersion, []string{"read /srv/theme"}},
		{"another image", "db", func(int, int) []string { return usual }, NotLearned, nil},
	} {
		cs := comparisons{}
		for c := range 4 {
			for second := range 50 {
				items := test.items(c, second)
				cs.add(d.Space, &feature.Window{Host: "h", ContainerID: fmt.Sprint(c), Workload: test.workload,
					StartNS: int64(second) * s, WidthNS: s, Items: items, ItemCounts: make([]uint32, len(items))})
			}
		}
		got := compare(cs.tally(d))
		if len(got) != 1 || got[0].Verdict != test.want || !slices.Equal(got[0].Shared, test.shared) ||
			got[0].Windows != 200 || got[0].Containers != 4 {
			t.Errorf("%s: got %+v, want %s with %q of 200 windows of 4 containers", test.name, got, test.want, test.shared)
		}
	}
}

// TestRunComparesWorkloads wants a run to say of each workload how it compares.
func TestRunComparesWorkloads(t *testing.T) {
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "trace")
	recorded(t, dir, 2, 3, 30, 17, 10)
	report, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, Options{Output: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Workloads) != 1 {
		t.Fatalf("got %+v, want one workload", report.Workloads)
	}
	got := report.Workloads[0]
	if got.Workload != "web" || got.Windows != report.Windows || got.NewWindows != 1 || got.Affected != 1 || got.Containers != 3 {
		t.Errorf("got %+v, want web with one window of something new in one of 3 containers", got)
	}
}

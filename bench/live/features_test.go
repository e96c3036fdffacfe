package live

import (
	"os"
	"slices"
	"strings"
	"testing"

	"mayfly/feature"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ours reports whether a workload is one that the test made.
func ours(workload string) bool { return strings.HasPrefix(workload, "mayfly-live/") }

// windows goes through a file of features.
func windows(t *testing.T, path string, do func(w *feature.Window)) {
	t.Helper()
	f, err := feature.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for w, err := range feature.Each(f.Windows(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		do(w)
	}
}

// foreign labels all windows of containers that are not the test's.
func foreign(t *testing.T, path string) (labels []feature.Label) {
	t.Helper()
	windows(t, path, func(w *feature.Window) {
		if !ours(w.Workload) {
			labels = append(labels, feature.Label{Container: w.ContainerID, FromNS: w.StartNS, ToNS: w.EndNS(), Attack: "foreign"})
		}
	})
	return labels
}

// normalTime is how long the test's containers were watched outside of attacks and
// what follows them, in days: in all, from each one's first window to its last, and
// in windows, for a second in which nothing happens makes none.
func normalTime(t *testing.T, path string, labels []feature.Label) (days, busy float64, n int, containers int) {
	t.Helper()
	type life struct{ from, to, attacked int64 }
	lives := map[string]*life{}
	windows(t, path, func(w *feature.Window) {
		if !ours(w.Workload) {
			return
		}
		l := lives[w.ContainerID]
		if l == nil {
			l = &life{from: w.StartNS}
			lives[strings.Clone(w.ContainerID)] = l
		}
		l.to = w.EndNS()
		if slices.ContainsFunc(labels, func(l feature.Label) bool { l = extended(l); return l.Covers(w) }) {
			l.attacked += w.WidthNS
			return
		}
		busy += float64(w.WidthNS) / day
		n++
	})
	for _, l := range lives {
		days += float64(l.to-l.from-l.attacked) / day
	}
	return days, busy, n, len(lives)
}

const day = 24 * 3600e9 // ns

// TestTable: a finding within an attack is its own, one after it is late, and so is
// one that goes on with one of them; one elsewhere is false.
func TestTable(t *testing.T) {
	const id = "0123456789ab0123456789ab0123456789ab0123456789ab0123456789abcdef"
	r := results{labels: []feature.Label{{Container: id, FromNS: 10e9, ToNS: 11e9, Attack: "shell"}, {Container: id, FromNS: 30e9, ToNS: 31e9, Attack: "mount"},
		{Container: id, FromNS: 60e9, ToNS: 61e9, Attack: "cron"}}, days: 2, busy: 1, windows: 5, containers: 1}
	for _, at := range []int64{10e9, 33e9, 50e9} {
		r.findings = append(r.findings, finding(id, at))
	}
	r.findings[1].Mayfly.ID = "m"
	r.findings = append(r.findings, finding(id, 90e9))
	r.findings[3].Mayfly.Continues = "m"
	got := r.table("test")
	for _, want := range []string{"| shell | T1059.004, T1609 | web | yes | 1.0 s | exec /x |", "| mount | T1611 | web | yes, late | 4.0 s |", "| cron | T1053.003 | db | no |",
		"found 2 of 3 attacks", "\n1 false findings, 1 episodes, in 2.0000 container-days of normal time (1.0000 in 5 windows, of 1 containers): 0.5 and 0.5 a container-day"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant in it %q", got, want)
		}
	}
}

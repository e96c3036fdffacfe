package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mayfly/detector"
	"mayfly/feature"
)

// aftermath is for how long after an attack a finding in its container counts as
// its own: what was begun goes on, and the longer time scale remembers.
const aftermath = 10 * time.Second

// report trains a detector for each budget and prints what it finds.
func (m *measurement) report(t *testing.T) {
	t.Helper()
	for _, name := range []string{"usual", "attacked"} {
		m.mayfly(t, "ingest", m.path(name), "--lateness", "2m", "-o", m.path(name+".parquet"))
	}
	// Whatever else runs on the machine is nobody's usual work.
	m.write(t, "foreign.csv", foreign(t, m.path("usual.parquet")))
	for i, budget := range budgets[:min(max(*wishes, 1), len(budgets))] {
		web := m.path(fmt.Sprintf("detector-%d", i))
		m.mayfly(t, append([]string{"train", m.path("usual.parquet"), "-o", web, "--labels", m.path("foreign.csv")}, budget...)...)
		m.mayfly(t, "replay", web, m.path("attacked"), "-o", web+".jsonl")
		r := results{labels: m.labels, findings: readFindings(t, web+".jsonl")}
		r.days, r.busy, r.windows, r.containers = normalTime(t, m.path("attacked.parquet"), m.labels)
		name := strings.Join(budget, " ")
		if name == "" {
			name = "default budget"
		}
		fmt.Println(r.table(name))
	}
}

// results are the findings beside the labels.
type results struct {
	labels     []feature.Label
	findings   []detector.Finding
	days       float64 // of normal time, of all containers
	busy       float64 // of them, those of windows
	windows    int     // of normal time
	containers int
}

// covers reports whether a finding is of a label's container and shares time with it.
func covers(l feature.Label, f *detector.Finding) bool {
	w := feature.Window{ContainerID: f.Mayfly.ContainerID, StartNS: f.Mayfly.FromNS, WidthNS: f.Mayfly.ToNS - f.Mayfly.FromNS}
	return l.Covers(&w)
}

func extended(l feature.Label) feature.Label {
	l.ToNS += aftermath.Nanoseconds()
	return l
}

// cause is the attack that a finding belongs to, and whether it came after it: one
// that it shares time with, else the last one before, else that of the finding that it
// goes on; -1 is none.
func (r *results) cause(f *detector.Finding) (attack int, late bool) {
	attack = slices.IndexFunc(r.labels, func(l feature.Label) bool { return covers(l, f) })
	if attack >= 0 {
		return attack, false
	}
	for i, l := range r.labels {
		if covers(extended(l), f) && (attack < 0 || l.FromNS > r.labels[attack].FromNS) {
			attack = i
		}
	}
	if f.Mayfly.Continues == "" || attack >= 0 {
		return attack, true
	}
	before := slices.IndexFunc(r.findings, func(g detector.Finding) bool { return g.Mayfly.ID == f.Mayfly.Continues && g.Mayfly.ID != f.Mayfly.ID })
	if before < 0 {
		return -1, true
	}
	attack, _ = r.cause(&r.findings[before])
	return attack, true
}

// table is what people read: the attacks one by one, then the false findings.
func (r *results) table(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n| attack | technique | in | found | after | new to it |\n|---|---|---|---|---|---|\n", name)
	found := 0
	for _, a := range slices.Concat(attacks, freshAttacks) {
		for i, l := range r.labels {
			if l.Attack != a.name {
				continue
			}
			if row, ok := r.row(i); ok {
				found++
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", a.name, a.technique, a.in, row)
			} else {
				fmt.Fprintf(&b, "| %s | %s | %s | no | | |\n", a.name, a.technique, a.in)
			}
		}
	}
	fmt.Fprintf(&b, "\nfound %d of %d attacks\n", found, len(r.labels))
	var alarms []detector.Alarm
	for i := range r.findings {
		f := &r.findings[i]
		if attack, _ := r.cause(f); attack < 0 && ours(f.Mayfly.Workload) {
			d := &f.Mayfly
			alarms = append(alarms, detector.Alarm{Host: f.Hostname, ContainerID: d.ContainerID, FromNS: d.FromNS, ToNS: d.ToNS, Score: d.Score})
			fmt.Fprintf(&b, "false: %s %s %s score %.3f, new %q\n", f.Time, d.Workload, detector.ShortID(d.ContainerID), d.Score, short(d.New))
		}
	}
	episodes := len(detector.Episodes(alarms, time.Minute.Nanoseconds()))
	fmt.Fprintf(&b, "%d false findings, %d episodes, in %.4f container-days of normal time (%.4f in %d windows, of %d containers): %.1f and %.1f a container-day\n",
		len(alarms), episodes, r.days, r.busy, r.windows, r.containers, float64(len(alarms))/r.days, float64(episodes)/r.days)
	return b.String()
}

// row says of an attack when it was found, and what was new in its findings or
// else what carried them; false where there is none.
func (r *results) row(attack int) (string, bool) {
	var fresh, carried []string
	word, endNS := "", int64(0)
	for i := range r.findings {
		f := &r.findings[i]
		cause, late := r.cause(f)
		if cause != attack {
			continue
		}
		if endNS == 0 || f.Mayfly.ToNS < endNS {
			endNS = f.Mayfly.ToNS
			word = map[bool]string{true: "yes, late", false: "yes"}[late]
		}
		fresh = append(fresh, f.Mayfly.New...)
		for _, reason := range f.Mayfly.Features {
			carried = append(carried, reason.Name)
		}
	}
	if endNS == 0 {
		return "", false
	}
	says := "nothing; " + strings.Join(short(carried), ", ")
	if len(fresh) > 0 {
		says = strings.ReplaceAll(strings.Join(short(fresh), ", "), "|", "/")
	}
	after := time.Duration(endNS - r.labels[attack].FromNS)
	return fmt.Sprintf("%s | %.1f s | %s", word, after.Seconds(), says), true
}

// short is the beginning of a list.
func short(list []string) []string {
	const most = 5
	if len(list) > most {
		return append(list[:most:most], fmt.Sprintf("and %d more", len(list)-most))
	}
	return list
}

func readFindings(t *testing.T, path string) (all []detector.Finding) {
	t.Helper()
	data := read(t, path)
	for _, text := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		if len(text) == 0 {
			continue
		}
		var f detector.Finding
		if err := json.Unmarshal(text, &f); err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func finding(id string, at int64) (f detector.Finding) {
	f.Mayfly = detector.Detail{ContainerID: id, Workload: "mayfly-live/web", FromNS: at, ToNS: at + 1e9, New: []string{"exec /x"}}
	return f
}

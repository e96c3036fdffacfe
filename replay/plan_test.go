package replay

import (
	"math"
	"testing"

	"mayfly/trace"
)

const s = int64(1e9)

func file(table trace.Table, rel string, from, to int64) trace.File {
	return trace.File{Rel: rel, Table: table, Meta: trace.Meta{Host: "h", FromNS: from * s, ToNS: to * s}}
}

func names(files []trace.File) (all []string) {
	for _, f := range files {
		all = append(all, f.Rel)
	}
	return all
}

func sealed(seconds int64) map[string]int64 { return map[string]int64{"h": seconds * s} }

func TestPlanWithoutStateTakesEverything(t *testing.T) {
	st, err := readState("", "sha")
	if err != nil {
		t.Fatal(err)
	}
	p := makePlan([]trace.File{file(trace.Events, "e0", 100, 160), file(trace.Sequences, "s0", 100, 159)}, sealed(154), st, false, 15*s, 0)
	if got := p.hosts["h"]; got.afterNS != math.MinInt64 || got.throughNS != math.MaxInt64 || len(p.files) != 2 {
		t.Errorf("got range %+v and files %v, want everything", got, names(p.files))
	}
}

func TestPlanTakesEachWindowOnce(t *testing.T) {
	st, _ := readState("", "sha")
	first := []trace.File{file(trace.Events, "e0", 100, 160), file(trace.Sequences, "s0", 100, 159)}
	p := makePlan(first, sealed(154), st, true, 15*s, 0)
	for i := range p.fresh {
		st.host("h").done(&p.fresh[i])
	}
	st.host("h").advance(p.hosts["h"].throughNS)

	if p := makePlan(first, sealed(154), st, true, 15*s, 0); len(p.fresh) != 0 || len(p.files) != 0 {
		t.Errorf("a second run takes %v again", names(p.files))
	}
	if p := makePlan(first, sealed(160), st, true, 15*s, 0); len(p.fresh) != 0 || len(p.files) != 2 || !p.hosts["h"].due(158*s) {
		t.Errorf("a later seal without new rows: reads %v, due %+v, want the last files for the windows that waited", names(p.files), p.hosts["h"])
	}

	all := append(first, file(trace.Events, "e1", 160, 220), file(trace.Sequences, "s1", 159, 221))
	p = makePlan(all, map[string]int64{"h": math.MaxInt64}, st, true, 15*s, 0)
	got := p.hosts["h"]
	if got.afterNS != 154*s || got.throughNS != math.MaxInt64 {
		t.Errorf("got range %+v, want after %d and to the end, for the recorder has stopped", got, 154*s)
	}
	if len(p.fresh) != 2 || len(p.files) != 4 {
		t.Errorf("got %v of which %v are new, want the new two and the two before them for their border", names(p.files), names(p.fresh))
	}
	for _, end := range []int64{153 * s, 154 * s} {
		if got.due(end) {
			t.Errorf("the window that ends at %d s is due twice", end/s)
		}
	}
	if !got.due(155 * s) {
		t.Error("the window on the border of the files is never due")
	}
}

func TestPlanLeavesOldContextAlone(t *testing.T) {
	st, _ := readState("", "sha")
	var files []trace.File
	for i := range int64(10) {
		f := file(trace.Events, string(rune('a'+i)), i*60, i*60+60)
		files = append(files, f)
		if i < 9 {
			st.host("h").done(&f)
		}
	}
	st.host("h").advance(540 * s)
	if p := makePlan(files, sealed(595), st, true, 15*s, 0); len(p.files) != 2 {
		t.Errorf("reads %v, want the new file and the one before it", names(p.files))
	}
}

func TestPlanNamesLateFiles(t *testing.T) {
	st, _ := readState("", "sha")
	st.host("h").advance(1000 * s)
	files := []trace.File{file(trace.Sequences, "old", 100, 160), file(trace.Sequences, "new", 990, 1060)}
	if p := makePlan(files, sealed(1055), st, true, 15*s, 0); len(p.late) != 1 || p.late[0].Rel != "old" {
		t.Errorf("late: %v, want the file whose time has been scored", names(p.late))
	}
}

func TestPlanReadsWhatLongerScalesNeed(t *testing.T) {
	st, _ := readState("", "sha")
	before, long := file(trace.Events, "before", 540, 590), file(trace.Events, "long before", 480, 540)
	for _, f := range []trace.File{before, long} {
		st.host("h").done(&f)
	}
	st.host("h").advance(595 * s)
	files := []trace.File{long, before, file(trace.Events, "new", 600, 660)}
	if p := makePlan(files, sealed(655), st, true, 15*s, 0); len(p.files) != 2 || p.files[0].Rel != "before" {
		t.Errorf("reads %v, want the new file and the one that ends 5 s before what is due", names(p.files))
	}
}

func TestContextCoversTheLongerScale(t *testing.T) {
	d := trained(t)
	want := int64(d.Space.LongWindows) * d.Manifest.WidthNS
	if got := (Options{}).withDefaults().contextNS(d); got < want {
		t.Errorf("context of %d ns, want at least the longer time scale, %d ns", got, want)
	}
}

func TestPlanPassesOverWhatIsOlder(t *testing.T) {
	st, _ := readState("", "sha")
	all := []trace.File{file(trace.Events, "old", 100, 160), file(trace.Events, "border", 160, 220), file(trace.Events, "new", 220, 280)}
	p := makePlan(all, sealed(270), st, true, 15*s, 200*s)
	if got := names(p.files); len(got) != 2 || got[0] != "border" {
		t.Errorf("reads %v, want what reaches within the context of the time and after it", got)
	}
	if due := p.hosts["h"]; due.due(200*s) || !due.due(201*s) || due.due(271*s) {
		t.Errorf("due %+v, want after 200 s and by 270 s", due)
	}
	if len(p.fresh) != 3 {
		t.Errorf("%v count as done, want all: what is passed over is not scored later either", names(p.fresh))
	}
}

package dockercve

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/feature"
	"mayfly/trace"
)

const top = "run,segment,row,seg_row,timestamp_ms,after_trigger,in_attack,write,read,switch\n"

const small = top + `1,train1,0,0,1000,0,0,5,0,1
1,train1,1,1,1100,0,0,0,0,0
1,test,2,0,1200,0,0,1,2,3
1,test,3,1,1300,1,1,0,7,0
2,train1,0,0,1000,0,0,4,4,4
`

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadWindows(t *testing.T) {
	w, err := ReadWindows(bytes.NewReader(zipped(t, small)), "x", "CVE-2000-1")
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Rows) != 5 || w.Rows[3] != (Row{1, Test, 1, 1300}) {
		t.Fatalf("rows: got %+v", w.Rows)
	}
	var windows []feature.Window
	for at, err := range feature.Each(w.Records(context.Background(), func(r Row) bool { return r.Segment == Test })) {
		if err != nil {
			t.Fatal(err)
		}
		win := *at
		if win.ContainerID != "CVE-2000-1/run1/test" || win.Workload != "CVE-2000-1" || win.WidthNS != 1e8 {
			t.Errorf("window: got %+v", win)
		}
		win.Calls, win.CallCounts = slices.Clone(win.Calls), slices.Clone(win.CallCounts)
		windows = append(windows, win)
	}
	if len(windows) != 2 {
		t.Fatalf("test windows: got %d, want 2", len(windows))
	}
	got := map[string]uint32{}
	for i, c := range windows[0].Calls {
		got[trace.CallName(c)] = windows[0].CallCounts[i]
	}
	if len(got) != 3 || got["read"] != 2 || got["write"] != 1 || got["switch"] != 3 || windows[0].Counters[feature.NCalls] != 6 {
		t.Errorf("counts: got %v", got)
	}
	if len(windows[1].Calls) != 1 || windows[1].StartNS != 1300e6 {
		t.Errorf("second window: got %+v", windows[1])
	}
}

func TestReadWindowsRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":         {"", "x: empty"},
		"another header":  {"a,b\n", "x:1: header"},
		"unknown call":    {strings.Replace(small, "switch", "nonsense", 1), `column 10: no call is named "nonsense"`},
		"call twice":      {strings.Replace(small, "switch", "read", 1), `call "read" stands twice`},
		"short line":      {top + "1,train1,0\n", "x:2: wrong number of fields"},
		"negative count":  {top + "1,train1,0,0,1000,0,0,-5,0,1\n", `x:2: write: got "-5", want a count`},
		"huge count":      {top + "1,train1,0,0,1000,0,0,4294967296,0,1\n", "x:2: write"},
		"segment":         {top + "1,train9,0,0,1000,0,0,5,0,1\n", "x:2: segment"},
		"gap":             {strings.Replace(small, "1,train1,1,1,1100", "1,train1,1,2,1100", 1), "x:3: seg_row: got 2 after 0"},
		"jump in time":    {strings.Replace(small, ",1,1100", ",1,1101", 1), "x:3: timestamp_ms: got 1101 after 1000"},
		"order":           {top + "1,test,0,0,1000,0,0,5,0,1\n1,train1,0,0,1000,0,0,5,0,1\n", "x:3: run 1 train1 after run 1 test"},
		"three bad":       {top + "x,train1,0,y,z,0,0,5,0,1\n", `x:2: run: got "x"`},
		"start elsewhere": {top + "1,test,0,4,1000,0,0,5,0,1\n", "x:2: seg_row"},
	} {
		_, err := ReadWindows(bytes.NewReader(zipped(t, tc.text)), "x", "CVE-2000-1")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got error %v, want %q", name, err, tc.want)
		}
	}
	if _, err := ReadWindows(strings.NewReader("text"), "x", "CVE-2000-1"); err == nil {
		t.Error("no gzip: got no error")
	}
	cut := zipped(t, small)
	if _, err := ReadWindows(bytes.NewReader(cut[:len(cut)-9]), "x", "CVE-2000-1"); err == nil {
		t.Error("cut gzip: got no error")
	}
}

func TestReadWindowsBoundsBytes(t *testing.T) {
	bomb := zipped(t, top+strings.Repeat("0", maxWindowBytes))
	if _, err := ReadWindows(bytes.NewReader(bomb), "x", "CVE-2000-1"); err == nil || !strings.Contains(err.Error(), errTooLong.Error()) {
		t.Errorf("one endless field: got %v, want %v", err, errTooLong)
	}
}

const timingTop = "cve,run,threads,trigger_row,success_row,attack_end_row,test_rows,in_published_41\n"

func TestReadTiming(t *testing.T) {
	got, err := ReadTiming(strings.NewReader(timingTop+"CVE-2012-1823,1,2,602,608,1155,2397,1\n"), "t")
	if want := (Run{"CVE-2012-1823", 1, 2, 602, 608, 2397}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, tc := range []struct{ text, want string }{
		{"", "t: empty"},
		{"x\n", "t:1: wrong number of fields"},
		{timingTop + "../../etc/passwd,1,2,602,608,1155,2397,1\n", "t:2: cve: got \"../../etc/passwd\""},
		{timingTop + "CVE-2012-1823,1,2,702,608,1155,2397,1\n", "t:2: want 0 < trigger_row"},
		{timingTop + "CVE-2012-1823,1,2,602,608,1155,608,1\n", "t:2: want 0 < trigger_row"},
		{timingTop + "CVE-2012-1823,1,2,602,x,1155,608,1\n", "t:2: success_row: got \"x\""},
		{timingTop + strings.Repeat("CVE-2012-1823,1,2,602,608,1155,2397,1\n", 2), "t:3: CVE-2012-1823 run 1 stands twice"},
	} {
		if _, err := ReadTiming(strings.NewReader(tc.text), "t"); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got error %v, want %q", tc.text, err, tc.want)
		}
	}
}

func TestReadPublishedRefuses(t *testing.T) {
	for _, row := range []string{"m,CVE-1,1,NaN,1,0.1", "m,CVE-1,1,1.5,1,0.1", "m,CVE-1,1,0.5,2,0.1", "m,CVE-1,1,0.5,1,-1", "m,CVE-1,one,0.5,1,1", "m,CVE-1,1,0.5,1,+Inf"} {
		if _, err := ReadPublished(strings.NewReader("method,cve,run,fpr,detected,lead_s\n"+row+"\n"), "p"); err == nil || !strings.HasPrefix(err.Error(), "p:2: ") {
			t.Errorf("%q: got error %v, want one of p:2", row, err)
		}
	}
}

func TestReal(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "datasets", "docker-cve")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("docker-cve is not beside the project: " + err.Error())
	}
	set, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if cves := set.CVEs(); len(cves) != 28 {
		t.Errorf("CVEs: got %d, want 28", len(cves))
	}
	runs := 0
	for _, cve := range set.CVEs() {
		runs += len(set.Runs(cve))
	}
	if runs != 112 {
		t.Errorf("runs: got %d, want 112", runs)
	}
	w, err := set.Windows("CVE-2014-6271")
	if err != nil {
		t.Fatal(err)
	}
	train := 0
	for _, r := range w.Rows {
		if Train(r) {
			train++
		}
	}
	if train != 4*3*600 || len(w.Rows) != train+2401+2427+2480+2423 {
		t.Errorf("CVE-2014-6271: got %d windows, %d to train on", len(w.Rows), train)
	}
}

func FuzzReadWindows(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(top + "1,train1,0,0,1000,0,0,\"5\",0,1\n"))
	f.Add([]byte("\xff,"))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := ReadWindows(bytes.NewReader(zipped(t, string(text))), "x", "CVE-2000-1")
		if err != nil {
			return
		}
		rows := 0
		for rec, err := range w.Records(context.Background(), func(Row) bool { return true }) {
			if err != nil {
				t.Fatal(err)
			}
			view, err := feature.View(rec)
			if err != nil {
				t.Fatal(err)
			}
			rows += view.Len()
		}
		if rows != len(w.Rows) {
			t.Errorf("got %d windows of %d rows", rows, len(w.Rows))
		}
	})
}

func FuzzReadTables(f *testing.F) {
	f.Add(timingTop + "CVE-2012-1823,1,2,602,608,1155,2397,1\n")
	f.Add("method,cve,run,fpr,detected,lead_s\nSHIL-2.0,CVE-2012-1823,1,0.000000,1,0.2\n")
	f.Fuzz(func(t *testing.T, text string) {
		if runs, err := ReadTiming(strings.NewReader(text), "x"); err == nil {
			for _, r := range runs {
				if r.TriggerRow < 1 || r.SuccessRow < r.TriggerRow || !cveName.MatchString(r.CVE) {
					t.Errorf("got %+v", r)
				}
			}
		}
		if runs, err := ReadPublished(strings.NewReader(text), "x"); err == nil {
			for _, r := range runs {
				if !(r.FPR >= 0 && r.FPR <= 1) {
					t.Errorf("got %+v", r)
				}
			}
		}
	})
}

func BenchmarkReadWindows(b *testing.B) {
	packed := zipped(b, small)
	for b.Loop() {
		if _, err := ReadWindows(bytes.NewReader(packed), "x", "CVE-2000-1"); err != nil {
			b.Fatal(err)
		}
	}
}

package feature

import (
	"testing"

	"mayfly/trace"
)

// Windows that a gap of their host touches say so, those of other hosts and times
// do not; deleted files count as a gap, and no longer as losses.
func TestGapMarksWindows(t *testing.T) {
	const second = int64(1e9)
	for name, c := range map[string]struct {
		loss trace.Loss
		host string
		want []bool // seconds 10 to 14
	}{
		"gap":           {trace.Loss{FromNS: 11*second + 5e8, ToNS: 13 * second, Class: trace.LossGap}, "h", []bool{false, true, true, false, false}},
		"a point":       {trace.Loss{FromNS: 12 * second, ToNS: 12 * second, Class: trace.LossGap}, "h", []bool{false, false, true, false, false}},
		"all":           {trace.Loss{FromNS: 0, ToNS: 1 << 60, Class: trace.LossGap}, "h", []bool{true, true, true, true, true}},
		"retention":     {trace.Loss{FromNS: 0, ToNS: 11 * second, Class: trace.LossRetention, Lost: 7}, "h", []bool{true, false, false, false, false}},
		"another host":  {trace.Loss{FromNS: 0, ToNS: 1 << 60, Class: trace.LossGap}, "i", []bool{false, false, false, false, false}},
		"ordinary loss": {trace.Loss{FromNS: 0, ToNS: 1 << 60, Class: trace.LossEvents, ContainerID: "x", Lost: 5}, "h", []bool{false, false, false, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Source: RecorderSource}, trace.DefaultWriterOptions())
			if err != nil {
				t.Fatal(err)
			}
			var rows []trace.Event
			for s := int64(10); s < 15; s++ {
				rows = append(rows, trace.Event{TimeNS: s*second + 1, Kind: string(trace.Fork), ContainerID: "c", PID: 1})
			}
			if err := w.Events(rows); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			tr, err := trace.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			var got []bool
			windower, err := NewWindower(WindowerOptions{WidthNS: second, Name: func(string) string { return "" },
				Workload: func(string) string { return "w" }}, func(w *Window) error {
				got = append(got, w.Missing&TouchesGap != 0)
				if w.Counters[NLost] != 0 {
					t.Errorf("n_lost: got %d", w.Counters[NLost])
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			windower.AddLoss(c.host, &c.loss)
			for row, err := range trace.Merge(t.Context(), tr) {
				if err == nil {
					err = windower.Add(row)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := windower.Close(); err != nil {
				t.Fatal(err)
			}
			marked := int64(0)
			for i := range got {
				if got[i] {
					marked++
				}
				if got[i] != c.want[i] {
					t.Errorf("got %v, want %v", got, c.want)
					break
				}
			}
			if windower.Report().GapWindows != marked {
				t.Errorf("report: got %d windows, want %d", windower.Report().GapWindows, marked)
			}
		})
	}
}

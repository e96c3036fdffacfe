package feature

import (
	"reflect"
	"strings"
	"testing"

	"mayfly/trace"
)

// TestRecordingKnowsWhatItsSourceCannot: where mayfly's recorder wrote no events
// there were none; where another source has none, they are not known.
func TestRecordingKnowsWhatItsSourceCannot(t *testing.T) {
	for source, want := range map[string]Missing{RecorderSource: 0, "strace": MissingEvents | MissingErrors} {
		dir := t.TempDir()
		w, err := trace.NewWriter(dir, trace.Meta{Host: "h", Arch: "amd64", Source: source}, trace.DefaultWriterOptions())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Sequences([]trace.Sequence{{TimeNS: 5e9, ContainerID: strings.Repeat("a", 64), Calls: []uint16{0, 1, 3}}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		tr, err := trace.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		recording, err := NewRecording(t.Context(), tr)
		if err != nil {
			t.Fatal(err)
		}
		windows := 0
		_, err = recording.Windows(t.Context(), WindowerOptions{}, func(w *Window) error {
			if windows++; w.Missing != want {
				t.Errorf("source %q: window with missing %b, want %b", source, w.Missing, want)
			}
			return nil
		})
		if err != nil || windows != 1 {
			t.Errorf("source %q: %d windows, error %v; want 1", source, windows, err)
		}
		if _, err := NewRecording(t.Context(), tr, tr); err == nil || !strings.Contains(err.Error(), "given too") {
			t.Errorf("the same trace twice: got error %v, want one that says so", err)
		}
	}
}

// TestWindowsReadEveryColumnTheyNeed: rows of all kinds with all their columns give the
// same windows as rows of which only windowColumns are read.
func TestWindowsReadEveryColumnTheyNeed(t *testing.T) {
	var events []trace.Event
	for i, kind := range trace.Kinds() {
		for _, ret := range []int64{0, -13} {
			events = append(events, event(idA, float64(10*i), kind, func(e *trace.Event) {
				e.PID, e.TID, e.Ret, e.PPID, e.Exe, e.Argv, e.TargetPID = int32(i), int32(2*i), &ret, 3, "/bin/c", []string{"d"}, new(int64(i+1))
				e.Path, e.Path2, e.ExeOrigin = "/etc/a", "/etc/b", trace.OriginWritten
				e.Flags, e.Mode, e.Arg = new(int64(0x2000041)), new(int64(7)), new(int64(0x103))
				e.Family, e.Addr, e.Port, e.LocalAddr, e.LocalPort = "inet", "10.1.2.3", new(int64(443)), "10.9.9.9", new(int64(80))
			}))
		}
	}
	reused := seq(idB, 2100, 100, 8, 3, calls(t, "close close")) // another process, whose number was free again
	reused.StartNS = 6
	tr := writeTrace(t, func(w *trace.Writer) error { return w.Events(events) }, func(w *trace.Writer) error {
		return w.Sequences([]trace.Sequence{seq(idA, 0, 2500, 7, 1, calls(t, "read write close read")), seq(idB, 100, 900, 8, 1, calls(t, "read write")),
			seq(idB, 1100, 900, 8, 2, calls(t, "read write")), reused})
	})
	var got, want []Window
	keep := func(to *[]Window) func(*Window) error {
		return func(w *Window) error {
			*to = append(*to, clone(*w))
			return nil
		}
	}
	recording, err := NewRecording(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recording.Windows(t.Context(), WindowerOptions{}, keep(&got)); err != nil {
		t.Fatal(err)
	}
	whole, err := NewWindower(WindowerOptions{}, keep(&want))
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range trace.Merge(t.Context(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if err := whole.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 || len(want[0].Items) < 10 {
		t.Fatalf("got %d windows, want some with many items", len(want))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("windows of the columns that are read:\n%+v\nof all columns:\n%+v", got, want)
	}
}

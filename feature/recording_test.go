package feature

import (
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

package trace

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	events, sequences := sampleEvents(5432, 1), sampleSequences(2003, 1)
	sequences[3].Calls = nil // a run of none
	processes := []Process{
		{TimeNS: startNS, BootNS: 1, PID: 1, Argv: []string{"a", "", "b"}, EndTimeNS: ptr(int64(9)), ExitStatus: ptr(int64(0))},
		{TimeNS: startNS + 1, ContainerID: containerID(1), PID: 2, UID: ptr(int64(-1)), Exe: "/bin/true"},
	}
	containers := []Container{
		{TimeNS: startNS, ContainerID: containerID(1), Labels: []string{"a=b"}, Privileged: ptr(false)},
		{TimeNS: startNS + 5, ContainerID: containerID(2), StartedNS: ptr(int64(startNS)), Ports: []string{"80/tcp", "81/udp"}},
	}
	losses := []Loss{{FromNS: startNS, ToNS: startNS + 9, Class: LossEvents, Produced: 100, Lost: 3}}

	w, err := NewWriter(dir, testMeta("web-1"), WriterOptions{GroupRows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for i := 0; i < len(events); i += 999 {
		if err := w.Events(events[i:min(i+999, len(events))]); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{w.Sequences(sequences), w.Processes(processes), w.Containers(containers), w.Losses(losses), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{0, 7, 1000, 100_000} {
		check(t, "events", scanRows[Event](t, tr, Events, batch), events)
		check(t, "sequences", scanRows[Sequence](t, tr, Sequences, batch), sequences)
	}
	check(t, "processes", scanRows[Process](t, tr, Processes, 1), processes)
	check(t, "containers", scanRows[Container](t, tr, Containers, 0), containers)
	check(t, "losses", scanRows[Loss](t, tr, Losses, 0), losses)

	f := tr.Files(Events)[0]
	want := testMeta("web-1")
	want.FromNS, want.ToNS, want.Final = f.Meta.FromNS, f.Meta.ToNS, true
	check(t, "meta", f.Meta, want)
	for _, e := range events {
		if e.TimeNS < f.Meta.FromNS || e.TimeNS > f.Meta.ToNS {
			t.Errorf("time %d outside of [%d, %d]", e.TimeNS, f.Meta.FromNS, f.Meta.ToNS)
		}
	}
	single, err := Open(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "single file", scanRows[Event](t, single, Events, 0), events)
}

func check[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if reflect.DeepEqual(got, want) { // much faster than a diff
		return
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: -want +got:\n%.4000s", what, diff)
	}
}

func TestWriterFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "trace")
	writeTrace(t, dir, "../we\x00b/1", sampleEvents(10, 1), sampleSequences(10, 1))
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "hosts", tr.Hosts(), []string{"../we\x00b/1"})
	check(t, "path", filepath.Dir(tr.Files(Events)[0].Rel), "events/host=_.._we_b_1/date=2024-03-01")
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %o, want %o", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

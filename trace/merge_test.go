package trace

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

// mergeKey is what a test keeps of a row of a Merge.
type mergeKey struct {
	time    int64
	host    string
	table   Table
	file    string
	fileRow int64
	text    string // something of the row itself
}

func mergeAll(t *testing.T, traces ...*Trace) []mergeKey {
	t.Helper()
	var keys []mergeKey
	for row, err := range Merge(context.Background(), traces...) {
		if err != nil {
			t.Fatal(err)
		}
		k := mergeKey{row.TimeNS, row.File.Meta.Host, row.File.Table, row.File.Rel, row.FileRow, ""}
		if row.Event != nil {
			k.text = fmt.Sprint(row.Event.TimeNS(row.Index), row.Event.Path(row.Index), row.Event.Argv(row.Index))
		} else {
			k.text = fmt.Sprint(row.Sequence.TimeNS(row.Index), row.Sequence.Calls(row.Index))
		}
		keys = append(keys, k)
	}
	return keys
}

func TestMergeOrdersAllRows(t *testing.T) {
	dir := t.TempDir()
	events, sequences := sampleEvents(20_000, 3), sampleSequences(3000, 3)
	for h, host := range []string{"b", "a"} {
		w, err := NewWriter(dir, testMeta(host), DefaultWriterOptions())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 { // four files each, one after the other in time
			e, s := events[i*5000:(i+1)*5000], sequences[i*750:(i+1)*750]
			if h == 1 && i == 2 {
				continue
			}
			for _, err := range []error{w.Events(e), w.Sequences(s), w.Seal(i == 3)} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := mergeAll(t, tr)
	if want := 7*5000 + 7*750; len(got) != want {
		t.Fatalf("got %d rows, want %d", len(got), want)
	}
	order := func(a, b mergeKey) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.host, b.host), cmp.Compare(a.table, b.table),
			cmp.Compare(a.file, b.file), cmp.Compare(a.fileRow, b.fileRow))
	}
	want := slices.SortedFunc(slices.Values(got), order)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("row %d: got %v, want %v", i, got[i], want[i])
		}
	}
	seen := map[mergeKey]bool{}
	for _, k := range got {
		if seen[k] {
			t.Fatalf("%v came twice", k)
		}
		seen[k] = true
		if !strings.HasPrefix(k.text, fmt.Sprint(k.time)) {
			t.Fatalf("row %v: time does not belong to the row", k)
		}
	}
}

func TestMergeTies(t *testing.T) {
	dir := t.TempDir()
	for _, host := range []string{"b", "a"} {
		w, _ := NewWriter(dir, testMeta(host), DefaultWriterOptions())
		rows := []Event{{TimeNS: 7, Path: "1"}, {TimeNS: 5, Path: "2"}, {TimeNS: 5, Path: "3"}}
		for _, err := range []error{w.Events(rows), w.Sequences([]Sequence{{TimeNS: 5, Calls: []uint16{1}}}), w.Seal(false),
			w.Events([]Event{{TimeNS: 5, Path: "4"}}), w.Close()} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range mergeAll(t, tr) {
		got = append(got, k.host+" "+k.text)
	}
	check(t, "rows", got, []string{
		"a 52[]", "a 53[]", "a 54[]", "a 5 [1]", "b 52[]", "b 53[]", "b 54[]", "b 5 [1]", "a 71[]", "b 71[]"})
}

func TestMergeStops(t *testing.T) {
	dir := t.TempDir()
	writeTrace(t, dir, "a", sampleEvents(100, 1), sampleSequences(100, 1))
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range Merge(context.Background(), tr) {
		if n++; n == 3 {
			break
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range Merge(ctx, tr) {
		if err == nil {
			t.Fatal("got a row after the context's end")
		}
	}
	for _, err := range MergeFiles(context.Background(), []File{{Path: "x", Table: Losses, Rows: 1}}) {
		if err == nil || !strings.Contains(err.Error(), "x: want events or sequences, got losses") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestMergeAllocatesByRecordOnly(t *testing.T) {
	dir := t.TempDir()
	writeTrace(t, dir, "a", sampleEvents(50_000, 1), nil)
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(1, func() {
		for _, err := range Merge(context.Background(), tr) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs > 50_000/2 {
		t.Errorf("got %.0f allocations for 50000 rows: want less than one in two rows", allocs)
	}
}

func TestContainersMergesFacts(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, testMeta("a"), DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		w.Containers([]Container{
			{TimeNS: 30, ContainerID: "x", Name: "new", FinishedNS: ptr(int64(3))},
			{TimeNS: 10, ContainerID: "x", CgroupID: 7, Name: "old", Labels: []string{"a=b"}, Privileged: ptr(false)},
		}),
		w.Seal(false),
		w.Containers([]Container{{TimeNS: 20, ContainerID: "x", Name: "middle", Image: "i:1"}, {TimeNS: 1, ContainerID: "y"}}),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tr.Containers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	check(t, "containers", got, map[string]Container{
		"x": {TimeNS: 30, ContainerID: "x", CgroupID: 7, Name: "new", Image: "i:1", Labels: []string{"a=b"},
			Privileged: ptr(false), FinishedNS: ptr(int64(3))},
		"y": {TimeNS: 1, ContainerID: "y"},
	})
}

// TestMergeColumns: columns that are not asked for are null, empty or 0, those that are
// asked for are what they are.
func TestMergeColumns(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, testMeta("a"), DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	events, sequences := sampleEvents(9000, 3), sampleSequences(40, 3)
	for _, err := range []error{w.Events(events), w.Sequences(sequences), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[Table][]string{Events: {"time_ns", "kind", "path"}}
	seen := 0
	for row, err := range MergeColumns(t.Context(), append(tr.Files(Events), tr.Files(Sequences)...), columns) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Event == nil {
			if want := sequences[row.FileRow].Calls; !slices.Equal(row.Sequence.Calls(row.Index), want) {
				t.Fatalf("sequence %d: got calls %v, want %v: its table is not named", row.FileRow, row.Sequence.Calls(row.Index), want)
			}
			continue
		}
		seen++
		e, i, want := row.Event, row.Index, events[row.FileRow]
		if string(e.Kind(i)) != want.Kind || e.Path(i) != want.Path {
			t.Fatalf("event %d: got %s %q, want %s %q", row.FileRow, e.Kind(i), e.Path(i), want.Kind, want.Path)
		}
		ret, known := e.Ret(i)
		if e.PID(i) != 0 || e.ContainerID(i) != "" || known || ret != 0 || e.ArgvLen(i) != 0 || e.ArgvCut(i) {
			t.Fatalf("event %d: got pid %d, container %q, ret %d, %d arguments: want none of them", row.FileRow, e.PID(i), e.ContainerID(i), ret, e.ArgvLen(i))
		}
	}
	if seen != len(events) {
		t.Errorf("got %d events, want %d", seen, len(events))
	}
}

// TestMergeInPlace: a record is read where the one before was, and is the
// same as in memory of its own; what is left of the one before shows nowhere.
func TestMergeInPlace(t *testing.T) {
	dir := t.TempDir()
	events, sequences := sampleEvents(30_000, 5), sampleSequences(20_000, 5)
	w, err := NewWriter(dir, testMeta("h"), DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Events(events), w.Sequences(sequences), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var gotEvents []Event
	var gotSequences []Sequence
	var event *EventBatch
	var sequence *SequenceBatch
	memory := map[*int64]bool{}
	for row, err := range MergeInPlace(context.Background(), append(tr.Files(Events), tr.Files(Sequences)...)) {
		switch {
		case err != nil:
			t.Fatal(err)
		case row.Event != nil && row.Event != event:
			event = row.Event
			memory[&event.timeNS[0]] = true
			gotEvents = append(gotEvents, rowsOf[Event](t, event.Record())...)
		case row.Sequence != nil && row.Sequence != sequence:
			sequence = row.Sequence
			gotSequences = append(gotSequences, rowsOf[Sequence](t, sequence.rec)...)
		}
	}
	if want := scanRows[Event](t, tr, Events, 0); !reflect.DeepEqual(gotEvents, want) {
		t.Error("events are not those of a scan")
	}
	if want := scanRows[Sequence](t, tr, Sequences, 0); !reflect.DeepEqual(gotSequences, want) {
		t.Error("sequences are not those of a scan")
	}
	if len(memory) != 1 {
		t.Errorf("times of %d rows lie in %d places, want one", len(gotEvents), len(memory))
	}
}

func rowsOf[T Event | Sequence](t *testing.T, rec arrow.Record) []T {
	t.Helper()
	rows, err := Rows[T](rec)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestMergeLetsGoOfFiles: of a file that was read to its end no page is kept, however
// many there are and whoever still knows the file.
func TestMergeLetsGoOfFiles(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, testMeta("a"), DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	events := sampleEvents(90, 3)
	for i := range 3 {
		if err := w.Events(events[i*30 : (i+1)*30]); err != nil {
			t.Fatal(err)
		}
		if err := w.Seal(i == 2); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMerger(tr.Files(Events))
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(m.pending)
	if err := m.run(t.Context(), func(Row, error) bool { return true }); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.cursor != nil || s.times != nil {
			t.Errorf("%s: was read, and its pages are kept", s.file.Rel)
		}
	}
	if len(all) != 3 {
		t.Errorf("got %d files, want 3", len(all))
	}
}

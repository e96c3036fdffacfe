package trace

import (
	"context"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// without returns the rows of a table's record as a file that lacks columns.
func without(t *testing.T, dir string, table Table, rec arrow.Record, meta Meta, columns ...string) string {
	t.Helper()
	var fields []arrow.Field
	var at []int
	for i, f := range rec.Schema().Fields() {
		if !strings.Contains(" "+strings.Join(columns, " ")+" ", " "+f.Name+" ") {
			fields, at = append(fields, f), append(at, i)
		}
	}
	pairs := map[string]string{}
	for _, p := range meta.pairs(table) {
		pairs[p[0]] = p[1]
	}
	path := filepath.Join(dir, string(table)+".parquet")
	w, err := CreateParquet(path, arrow.NewSchema(fields, nil), pairs, ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var arrays []arrow.Array
	for _, i := range at {
		arrays = append(arrays, rec.Column(i))
	}
	if err := w.Write(array.NewRecord(arrow.NewSchema(fields, nil), arrays, rec.NumRows())); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file from before a column reads as if the column were null, by Scan, Rows,
// the views and Merge; a column of the first version may not be missing.
func TestColumnsAddedLater(t *testing.T) {
	dir := t.TempDir()
	events, sequences := sampleEvents(300, 1), sampleSequences(40, 1)
	writeTrace(t, filepath.Join(dir, "all"), "web-1", events, sequences)
	tr := mustOpen(t, filepath.Join(dir, "all"))
	paths := map[Table]string{}
	for table, lacks := range map[Table][]string{Events: {"port", "local_addr", "argv_cut", "argv"}, Sequences: {"chunk", "comm"}} {
		for rec, err := range tr.Scan(context.Background(), table, ScanOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			paths[table] = without(t, dir, table, rec, tr.Files(table)[0].Meta, lacks...)
			rec.Release()
		}
	}
	if _, err := Open(paths[Events]); err == nil || !strings.Contains(err.Error(), `column "argv": missing`) {
		t.Errorf("a file without a column of the first version: got %v", err)
	}
	first := firstColumns
	t.Cleanup(func() { firstColumns = first })
	firstColumns = map[Table]int{Events: 16, Sequences: 8}
	for i := range events {
		events[i].Port, events[i].LocalAddr, events[i].ArgvCut, events[i].Argv = nil, "", false, nil
	}
	for i := range sequences {
		sequences[i].Chunk, sequences[i].Comm = 0, ""
	}
	old, oldSequences := mustOpen(t, paths[Events]), mustOpen(t, paths[Sequences])
	check(t, "events", scanRows[Event](t, old, Events, 7), events)
	check(t, "sequences", scanRows[Sequence](t, oldSequences, Sequences, 7), sequences)
	rows := 0
	for row, err := range Merge(context.Background(), old, oldSequences) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		if e, i := row.Event, row.Index; e != nil {
			if _, ok := e.Port(i); ok || e.LocalAddr(i) != "" || e.ArgvCut(i) || e.ArgvLen(i) != 0 || e.TimeNS(i) == 0 {
				t.Fatalf("row %d: got %v %q %v %v", i, ok, e.LocalAddr(i), e.ArgvCut(i), e.Argv(i))
			}
		}
	}
	check(t, "merged rows", rows, len(events)+len(sequences))
	checkRecordWithout(t, events)
}

// checkRecordWithout views a record that lacks columns, as a foreign source makes it.
func checkRecordWithout(t *testing.T, events []Event) {
	t.Helper()
	all := mustOpen(t, sampleFile(t, t.TempDir(), events))
	for rec, err := range all.Scan(context.Background(), Events, ScanOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		narrow := array.NewRecord(arrow.NewSchema(rec.Schema().Fields()[:16], nil), rec.Columns()[:16], rec.NumRows())
		view, err := ViewEvents(narrow)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := view.LocalPort(0); ok || view.ArgvLen(view.Len()-1) != 0 || view.Addr(0) != "" || view.Path(0) != events[0].Path {
			t.Errorf("view: got %v %v %q %q", ok, view.Argv(0), view.Addr(0), view.Path(0))
		}
		rows, err := Rows[Event](narrow)
		if err != nil || len(rows) != len(events) || rows[0].LocalPort != nil {
			t.Errorf("rows: got %d, %v", len(rows), err)
		}
	}
}

// The demo recording is of the first version: it reads in full, and what has been
// added since is null, empty or zero in it.
func TestOldRecording(t *testing.T) {
	tr := mustOpen(t, filepath.Join("..", "datasets", "demo", "trace"))
	for _, f := range tr.Files(Events) {
		p, err := OpenParquet(f.Path, nil, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		check(t, "columns of the first version", len(p.Schema().Fields()), firstColumns[Events])
		p.close()
	}
	checkOld(t, tr, Events, scanRows[Event](t, tr, Events, 0))
	checkOld(t, tr, Sequences, scanRows[Sequence](t, tr, Sequences, 0))
	checkOld(t, tr, Processes, scanRows[Process](t, tr, Processes, 0))
	checkOld(t, tr, Containers, scanRows[Container](t, tr, Containers, 0))
	checkOld(t, tr, Losses, scanRows[Loss](t, tr, Losses, 0))
}

func checkOld[T any](t *testing.T, tr *Trace, table Table, rows []T) {
	t.Helper()
	want := int64(0)
	for _, f := range tr.Files(table) {
		want += f.Rows
	}
	check(t, string(table)+" rows", int64(len(rows)), want)
	for i := range rows {
		v := reflect.ValueOf(rows[i])
		for f := firstColumns[table]; f < v.NumField(); f++ {
			if !v.Field(f).IsZero() {
				t.Fatalf("%s row %d: %s is %v", table, i, v.Type().Field(f).Name, v.Field(f))
			}
		}
	}
}

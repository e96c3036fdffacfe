package falco

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mayfly/trace"
)

// TestAnswers holds what is remembered of events against trying each: a field at a
// time, so that what one forgets to tell no other tells for it, on events that
// differ in any of their values.
func TestAnswers(t *testing.T) {
	traces := []*trace.Trace{randomTrace(t, 1, "amd64"), randomTrace(t, 2, "arm64")}
	names := slices.Sorted(maps.Keys(fields))
	for name := range eventArguments {
		names = append(names, "evt.arg."+name)
	}
	for name, at := range ancestorFields {
		names = append(names, name)
		if at.all {
			names = append(names, name+"[0]", name+"[2]")
		}
	}
	for _, name := range names {
		var rules strings.Builder
		for i, condition := range []string{" exists", " = a", " != a", " in (a, aa, b, directory, h-amd64)", " contains a", " = 1", " > 1", " = 10.0.0.1", " = true", " = /a", " = proc.name", " startswith /"} {
			fmt.Fprintf(&rules, "- {rule: r%d, desc: d, output: o, priority: INFO, condition: '%s'}\n", i, name+condition)
		}
		p := compile(t, rules.String())
		w, want := NewWatch(p), NewWatch(p)
		fired, found := 0, 0
		for row, err := range trace.Merge(context.Background(), traces...) {
			if err != nil {
				t.Fatal(err)
			}
			s := want.Scope(web)
			for k := range s.byKind {
				s.byKind[k].rest = math.MaxInt
			}
			hits := want.Row(&row, s)
			if got := w.Row(&row, w.Scope(web)); !slices.Equal(got, hits) {
				t.Fatalf("%s: %s: row %d, %s: got %v, want %v", name, row.File.Meta.Host, row.FileRow, row.Event.Kind(row.Index), got, hits)
			}
			fired += len(hits)
		}
		for _, a := range w.Scope(web).byKind {
			found += a.found
		}
		if once := []string{"evt.num", "evt.rawtime", "proc.duration"}; fields[name].container == nil && (found > 0) == slices.Contains(once, name) {
			t.Errorf("%s: %d events were like one before", name, found)
		}
		if fired == 0 {
			t.Errorf("%s: no rule fired: this tests nothing", name)
		}
	}
}

// randomTrace makes events of a few processes that begin each other, whose values
// come from a few.
func randomTrace(t *testing.T, seed uint64, arch string) *trace.Trace {
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // chance with a seed
	text := func(of ...string) string { return of[r.IntN(len(of))] }
	number := func(of ...int64) *int64 {
		if r.IntN(4) == 0 {
			return nil
		}
		return new(of[r.IntN(len(of))])
	}
	kinds := trace.Kinds()
	var events []trace.Event
	for i := range int64(1500) {
		pid := int32(1 + r.IntN(6))
		e := trace.Event{TimeNS: begin + i, BootNS: second + i, Kind: string(kinds[r.IntN(len(kinds))]), ContainerID: web.ContainerID,
			PID: pid, TID: pid + int32(r.IntN(2)), PPID: int32(r.IntN(7)), StartNS: int64(pid), Comm: text("a", "b", ""), Exe: text("/a", "/b", ""),
			UID: number(0, 1, 2), GID: number(0, 1), Ret: number(0, 1, -2, -115), Flags: number(0, 1, 0x40, 0x4000, 0x10000, 0x10000000),
			Mode: number(0, 0o4000, 1), Arg: number(0, 1, 16), Path: text("", "/a", "/b/a", "a"), Path2: text("", "/a", "/c", "a"),
			Cwd: text("", "/", "/a"), ExeOrigin: text("", trace.OriginWritten, trace.OriginMemfd), TargetPID: number(1, 2, 3, 4, 5, 6),
			Family: text("", "unix", "inet", "inet", "inet6"), Addr: text("", "10.0.0.1", "10.0.0.2", "/a"), Port: number(1, 2),
			LocalAddr: text("", "10.0.0.1", "10.0.0.3", "/a"), LocalPort: number(1, 3)}
		if e.Kind == string(trace.Exec) {
			e.Argv = [][]string{nil, {"a"}, {"b", "a"}, {"a", "", "aa"}}[r.IntN(4)]
		}
		events = append(events, e)
	}
	dir := t.TempDir()
	out, err := trace.NewWriter(dir, trace.Meta{Host: "h-" + arch, Arch: arch, Kernel: "6.1", BootID: "b", Recorder: "test", Source: "mayfly record"}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{out.Events(events), out.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestAnswersBounds: rules whose events never come again, and more than there is
// room for, are tried all the same.
func TestAnswersBounds(t *testing.T) {
	w := writer{}
	for i := range 3 * askedOften {
		w.event(trace.FileOpen, 10, 1, func(e *trace.Event) { e.Path, e.Flags = fmt.Sprintf("/a/%d", i), new(int64(0)) })
	}
	tr := w.trace(t)
	watch := NewWatch(compile(t, ruleOf("evt.type=openat and fd.name startswith /a/1")))
	s := watch.Scope(web)
	at := watch.kinds[trace.FileOpen]
	got, want := 0, 0
	for row, err := range trace.Merge(context.Background(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if row.FileRow == askedOften/2 {
			watch.kept = maxKept
		}
		if strings.HasPrefix(row.Event.Path(row.Index), "/a/1") {
			want++
		}
		got += len(watch.Row(&row, s))
		if row.FileRow == askedOften/2 && len(s.byKind[at].known) != 1 {
			t.Errorf("full: %d answers are kept, want the last one", len(s.byKind[at].known))
		}
	}
	if got != want || s.byKind[at].rest == 0 || s.byKind[at].known != nil {
		t.Errorf("got %d hits, want %d; rests for %d events, %d answers", got, want, s.byKind[at].rest, len(s.byKind[at].known))
	}
}

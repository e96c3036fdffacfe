package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/trace"

	"github.com/apache/arrow/go/v17/arrow"
)

// beginNS is when the synthetic recordings begin: a multiple of a second.
const beginNS = 1_700_000_000 * s

// recorded writes a trace of web containers that serve for some seconds each, as
// the recorder would. In second attackAt of the first one (none below 0) a shell
// runs; if there is an attack, the second one is busy from the middle on. The third
// one serves every seventh second only. The recorder seals after every sealEvery
// seconds; calls that threads made just before reach the file after.
func recorded(t testing.TB, dir string, seed uint64, containers, seconds, attackAt, sealEvery int) {
	t.Helper()
	recordedOf(t, "web:1", dir, seed, containers, seconds, attackAt, sealEvery)
}

func recordedOf(t testing.TB, image, dir string, seed uint64, containers, seconds, attackAt, sealEvery int) {
	t.Helper()
	recordedOn(t, "h", image, dir, seed, containers, seconds, attackAt, sealEvery)
}

func recordedOn(t testing.TB, host, image, dir string, seed uint64, containers, seconds, attackAt, sealEvery int) {
	t.Helper()
	w, err := trace.NewWriter(dir, trace.Meta{Host: host, Arch: "amd64", BootID: "b", Source: feature.RecorderSource}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	rnd := rand.New(rand.NewPCG(seed, 1))
	id := func(c int) string {
		return strings.Repeat(string("0123456789abcdef"[c]), 63) + string("0123456789abcdef"[seed%16])
	}
	for c := range containers {
		check(w.Containers([]trace.Container{{TimeNS: beginNS, ContainerID: id(c), CgroupID: uint64(c + 1), Name: "web-" + id(c)[:2], Image: image, Runtime: "docker"}}))
	}
	var late []trace.Sequence
	for second := range seconds {
		check(w.Sequences(late))
		late = nil
		for c := range containers {
			if c == 2 && second%7 != 0 {
				continue
			}
			at := beginNS + int64(second)*s + int64(rnd.IntN(900))*1e6
			calls := []uint16{}
			for range 20 + rnd.IntN(8) {
				calls = append(calls, 43, 0, 1, 3) // accept, read, write, close
			}
			attack := c == 0 && second == attackAt
			if attack {
				calls = append(calls, 56, 59, 59, 61, 21, 9, 9, 10)
			}
			if c == 1 && attackAt >= 0 && second > seconds/2 {
				calls = slices.Repeat(calls, 40)
			}
			sequence := trace.Sequence{TimeNS: at, BootNS: at - beginNS, SpanNS: 50e6, ContainerID: id(c), CgroupID: uint64(c + 1),
				PID: int32(100 + c), TID: int32(100 + c), StartNS: 1, Comm: "web", Chunk: int64(second), Calls: calls}
			if (second+1)%sealEvery == 0 {
				late = append(late, sequence)
			} else {
				check(w.Sequences([]trace.Sequence{sequence}))
			}
			event := trace.Event{TimeNS: at, BootNS: at - beginNS, Kind: string(trace.FileOpen), ContainerID: id(c), CgroupID: uint64(c + 1),
				PID: int32(100 + c), TID: int32(100 + c), Comm: "web", Exe: "/bin/web", Path: "/srv/index", Flags: new(int64(0)), Ret: new(int64(5))}
			check(w.Events([]trace.Event{event}))
			if attack {
				event.Kind, event.Path, event.Exe, event.Argv = string(trace.Exec), "/bin/sh", "/bin/sh", []string{"sh", "-c", "id\x1b[2J"}
				event.Ret, event.Flags = new(int64(0)), nil
				check(w.Events([]trace.Event{event}))
			}
		}
		if (second+1)%sealEvery == 0 || second+1 == seconds {
			wall := beginNS + int64(second+1)*s
			check(w.Losses([]trace.Loss{{FromNS: wall - s, ToNS: wall, Class: trace.LossEvents, Produced: 1}}))
		}
		if (second+1)%sealEvery == 0 && second+1 < seconds {
			check(w.Seal(false))
		}
	}
	check(w.Sequences(late))
	check(w.Close())
}

func open(t testing.TB, dir string) *trace.Trace {
	t.Helper()
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// trained fits a detector on a recording without an attack.
func trained(t testing.TB) *detector.Detector {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "trace")
	recorded(t, dir, 1, 5, 60, -1, 60)
	recording, err := feature.NewRecording(t.Context(), open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	b := feature.NewBuilder()
	defer b.Release()
	if _, err := recording.Windows(t.Context(), feature.WindowerOptions{}, func(w *feature.Window) error { b.Append(w); return nil }); err != nil {
		t.Fatal(err)
	}
	rec := b.Record()
	t.Cleanup(rec.Release)
	d, err := detector.Fit(t.Context(), detector.Training{Windows: func(context.Context) iter.Seq2[arrow.Record, error] {
		return func(yield func(arrow.Record, error) bool) { yield(rec, nil) }
	}}, detector.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func findings(t *testing.T, lines []byte) (all []detector.Finding) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var f detector.Finding
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%v in finding %s", err, line)
		}
		all = append(all, f)
	}
	return all
}

func TestRunFindsTheAttackAndSaysWhy(t *testing.T) {
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "trace")
	recorded(t, dir, 2, 3, 30, 17, 10)
	var out bytes.Buffer
	report, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, Options{Output: &out})
	if err != nil {
		t.Fatal(err)
	}
	if report.Windows != 65 || report.Containers != 3 {
		t.Errorf("got %+v, want 65 windows of 3 containers", report)
	}
	var hit *detector.Finding
	for _, f := range findings(t, out.Bytes()) {
		if f.Mayfly.FromNS == beginNS+17*s && strings.HasPrefix(f.Mayfly.ContainerID, "0000") {
			hit = &f
		}
	}
	if hit == nil {
		t.Fatalf("no finding for the second of the attack in\n%s", out.Bytes())
	}
	if m := hit.Mayfly; m.PeakNS != m.FromNS || m.Alarms < 2 || m.ToNS < m.FromNS+int64(m.Alarms)*s {
		t.Errorf("got peak at %d and %d windows in [%d, %d), want the first window and its echoes", m.PeakNS, m.Alarms, m.FromNS, m.ToNS)
	}
	for _, f := range findings(t, out.Bytes()) {
		if after := f.Mayfly.FromNS - hit.Mayfly.FromNS; f.Mayfly.ContainerID == hit.Mayfly.ContainerID && after > 0 {
			t.Errorf("the attack is another finding %d s later: %s", after/s, f.Output)
		}
	}
	if hit.Priority != "Critical" || hit.Hostname != "h" || hit.OutputFields["container.image.repository"] != "web" {
		t.Errorf("got priority %q, host %q, fields %v", hit.Priority, hit.Hostname, hit.OutputFields)
	}
	if want := "never seen in 5 containers over 60 seconds: executed /bin/sh; "; !strings.Contains(hit.Output, want) {
		t.Errorf("output %q does not say %q", hit.Output, want)
	}
	if !slices.Contains(hit.Tags, "T1059.004") || !slices.Contains(hit.Tags, "mitre_execution") {
		t.Errorf("tags %q do not name the technique of a shell", hit.Tags)
	}
	if got, want := hit.Mayfly.Ancestry, []detector.Process{{PID: 100, Exe: "/bin/sh", Argv: []string{"sh", "-c", "id\x1b[2J"}}}; !slices.EqualFunc(got[:1], want, func(a, b detector.Process) bool {
		return a.PID == b.PID && a.Exe == b.Exe && slices.Equal(a.Argv, b.Argv)
	}) {
		t.Errorf("ancestry: got %+v, want first %+v", got, want)
	}
	if got := hit.OutputFields["proc.exepath"]; got != "/bin/sh" {
		t.Errorf("proc.exepath: got %v, want /bin/sh", got)
	}
	if len(hit.Mayfly.Features) == 0 || len(hit.Mayfly.Calls) == 0 {
		t.Errorf("no features or no calls given: %+v", hit.Mayfly)
	}
	var text string
	for _, e := range hit.Mayfly.Evidence {
		if e.New && e.Kind == "exec" {
			text = e.Text
		}
	}
	if want := `executed /bin/sh -c "id\x1b[2J"`; !strings.Contains(text, want) {
		t.Errorf("evidence of the exec: got %q, want %q in it, with the escape quoted", text, want)
	}
}

// TestRunScoresEachWindowOnce has the files come one after the other, as a recorder
// seals them, with calls that reach a file after the one of their time, an attack
// among them, an anomaly that goes on and on, and a container that seldom does
// anything.
func TestRunScoresEachWindowOnce(t *testing.T) {
	d := trained(t)
	whole := filepath.Join(t.TempDir(), "trace")
	const seconds, sealEvery = 120, 10
	recorded(t, whole, 2, 3, seconds, sealEvery-1, sealEvery)
	var want bytes.Buffer
	all, err := Run(t.Context(), d, []*trace.Trace{open(t, whole)}, Options{Output: &want})
	if err != nil {
		t.Fatal(err)
	}
	var shell, busy int
	var before string
	for _, f := range findings(t, want.Bytes()) {
		if slices.Contains(f.Mayfly.New, "exec /bin/sh") {
			shell++
		} else if strings.HasPrefix(f.Mayfly.ContainerID, "1") {
			if f.Mayfly.Continues != before {
				t.Errorf("finding %s continues %q, want %q", f.Mayfly.ID, f.Mayfly.Continues, before)
			}
			before = f.Mayfly.ID
			busy++
		}
	}
	if shell != 1 || busy != 2 {
		t.Fatalf("%d findings of the shell and %d of the busy container, want 1 and 2:\n%s", shell, busy, want.Bytes())
	}
	for _, every := range []int{1, 2, 5} {
		scoreInSteps(t, d, whole, every, seconds/sealEvery, all.Windows, want.Bytes())
	}
}

// scoreInSteps runs whenever some more files are sealed.
func scoreInSteps(t *testing.T, d *detector.Detector, whole string, every, files int, wantWindows int64, want []byte) {
	t.Helper()
	work := t.TempDir()
	grown := filepath.Join(work, "trace")
	opts := Options{StatePath: filepath.Join(work, "state"), OutputPath: filepath.Join(work, "findings")}
	var windows int64
	held := 0
	tr := open(t, whole)
	for step := range files {
		for _, table := range trace.Tables() {
			files := tr.Files(table)
			if step < len(files) {
				install(t, files[step], grown)
			}
		}
		if step%every != 0 && step != files-1 {
			continue
		}
		if step > 0 { // a run that is killed when it has written, but for its state
			state, err := os.ReadFile(opts.StatePath)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Run(t.Context(), d, []*trace.Trace{open(t, grown)}, opts); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(opts.StatePath, state, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for again := range 2 {
			report, err := Run(t.Context(), d, []*trace.Trace{open(t, grown)}, opts)
			if err != nil {
				t.Fatal(err)
			}
			windows += report.Windows
			held += report.Open
			if again == 1 && report.Windows != 0 {
				t.Errorf("step %d: a second run scores %d windows again", step, report.Windows)
			}
			if report.LateRows+int64(report.LateFiles) != 0 {
				t.Errorf("step %d: %d rows and %d files too late", step, report.LateRows, report.LateFiles)
			}
		}
	}
	if windows != wantWindows {
		t.Errorf("scored %d windows in all, want each of %d once", windows, wantWindows)
	}
	if held == 0 {
		t.Error("no episode was held open between runs: then this test shows nothing of them")
	}
	got, err := os.ReadFile(opts.OutputPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("findings of runs after each %d files differ from those of one:\n%s\nwant\n%s", every, got, want)
	}

	// A run that was killed after it wrote leaves lines that the state does not
	// know of. They go, and nothing is written twice.
	if err := os.WriteFile(opts.OutputPath, append(got, `{"half":`...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), d, []*trace.Trace{open(t, grown)}, opts); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(opts.OutputPath); !bytes.Equal(after, got) {
		t.Errorf("after a run that was cut off: got\n%s\nwant\n%s", after, got)
	}
}

func install(t *testing.T, f trace.File, dir string) {
	t.Helper()
	content, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, f.Rel)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRunSaysOnceThatAWorkloadWasNotLearned has containers of another image, in
// which shells run all the time.
func TestRunSaysOnceThatAWorkloadWasNotLearned(t *testing.T) {
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "trace")
	recordedOf(t, "other:1", dir, 2, 2, 30, 5, 10)
	var out bytes.Buffer
	if _, err := Run(t.Context(), d, []*trace.Trace{open(t, dir)}, Options{Output: &out}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, f := range findings(t, out.Bytes()) {
		if seen[f.Mayfly.ContainerID]++; !strings.Contains(f.Output, "a workload that was not learned") {
			t.Errorf("output %q does not say that the workload was not learned", f.Output)
		}
	}
	if len(seen) == 0 {
		t.Error("no finding at all")
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%d findings for container %.8s, want 1", n, id)
		}
	}
}

package record

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mayfly/trace"
)

// callsOf puts the sequences of a container together by thread, and fails where
// a chunk is missing or out of time.
func callsOf(t testing.TB, tr *trace.Trace, id string) map[int32][]uint16 {
	t.Helper()
	threads := map[int32][]trace.Sequence{}
	for _, s := range rowsOf[trace.Sequence](t, tr, trace.Sequences) {
		if s.ContainerID == id {
			threads[s.TID] = append(threads[s.TID], s)
		}
	}
	calls := map[int32][]uint16{}
	for tid, rows := range threads {
		slices.SortStableFunc(rows, func(a, b trace.Sequence) int { return int(a.Chunk - b.Chunk) })
		for i, s := range rows {
			if i > 0 && s.Chunk != rows[i-1].Chunk+1 {
				t.Errorf("thread %d: chunk %d follows %d", tid, s.Chunk, rows[i-1].Chunk)
			}
			if i > 0 && s.BootNS < rows[i-1].BootNS {
				t.Errorf("thread %d: chunk %d began before chunk %d", tid, s.Chunk, rows[i-1].Chunk)
			}
			if s.SpanNS < 0 || len(s.Calls) == 0 {
				t.Errorf("thread %d: chunk %d: span %d ns, %d calls", tid, s.Chunk, s.SpanNS, len(s.Calls))
			}
			calls[tid] = append(calls[tid], s.Calls...)
		}
	}
	return calls
}

// stormOf is the pattern that childStorm makes.
func stormOf(n int) (want []uint16) {
	for i := range n {
		want = append(want, unix.SYS_GETPPID)
		if i%100 == 99 {
			want = append(want, unix.SYS_GETUID)
		}
	}
	return want
}

// TestSequences has a program make a known pattern of calls and wants each one,
// in its order.
func TestSequences(t *testing.T) {
	const n = 100_000
	rec := startRecording(t, nil)
	id, cgroup := fakeContainer(t)
	if err := inCgroup(t, cgroup, "storm:"+strconv.Itoa(n)).Run(); err != nil {
		t.Fatal(err)
	}
	tr := rec.end()
	want := stormOf(n)
	found := false
	for _, calls := range callsOf(t, tr, id) {
		if i := slices.Index(calls, unix.SYS_GETPPID); i >= 0 {
			// The Go runtime's calls by signal come in between: leave them out.
			got := slices.DeleteFunc(slices.Clone(calls), func(c uint16) bool {
				return c != unix.SYS_GETPPID && c != unix.SYS_GETUID
			})
			found = true
			if !slices.Equal(got, want) {
				t.Errorf("got %d calls of the pattern (%d in all), want %d in its order", len(got), len(calls), len(want))
			}
		}
	}
	if !found {
		t.Error("no thread with the pattern")
	}
	if lost := checkBalance(t, tr, id); lost[trace.LossSequences] != 0 {
		t.Errorf("lost %d sequences, want 0", lost[trace.LossSequences])
	}
}

// TestSleepers wants the calls of a thread that then sleeps within about a
// second, without waiting for its next call.
func TestSleepers(t *testing.T) {
	rec := startRecording(t, nil)
	id, cgroup := fakeContainer(t)
	cmd := inCgroup(t, cgroup, "sleep")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond)
	tr := rec.end() // the program still sleeps
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for _, calls := range callsOf(t, tr, id) {
		if slices.Contains(calls, unix.SYS_PAUSE) {
			return
		}
	}
	t.Error("no thread's calls end with pause")
}

// TestLosses stops the reader while a program makes more events and calls than
// the rings hold, and wants every record counted.
func TestLosses(t *testing.T) {
	rec := startRecording(t, func(o *Options) { o.BPF.EventBytes, o.BPF.SequenceBytes = 64<<10, 64<<10 })
	id, cgroup := fakeContainer(t)
	rec.paused.Store(true)
	for _, what := range []string{"opens:5000", "storm:100000"} {
		if err := inCgroup(t, cgroup, what).Run(); err != nil {
			t.Fatal(err)
		}
	}
	rec.paused.Store(false)
	time.Sleep(200 * time.Millisecond)
	if err := inCgroup(t, cgroup, "opens:100").Run(); err != nil {
		t.Fatal(err)
	}
	tr := rec.end()
	lost, all := checkBalance(t, tr, id), map[string]int64{}
	eachRow(t, tr, trace.Losses, func(l *trace.Loss) { all[l.Class] += l.Lost })
	for _, class := range []string{trace.LossEvents, trace.LossSequences} {
		if lost[class] == 0 {
			t.Errorf("%s: nothing was lost", class)
		}
		if all[class] != rec.summary.Lost[class] {
			t.Errorf("%s: rows say that %d were lost, the summary %d", class, all[class], rec.summary.Lost[class])
		}
	}
	t.Logf("lost %v of %v", lost, rec.summary.Produced)
}

// TestDescriptors wants a recording to give back every file descriptor.
func TestDescriptors(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	startRecording(t, nil).end() // what is opened once and kept
	before := count()
	for range 2 {
		startRecording(t, nil).end()
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before two recordings, %d after", before, after)
	}
}

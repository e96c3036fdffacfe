package record

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mayfly/bpf"
	"mayfly/trace"
)

// marked returns what follows a mark within the calls of any thread.
func marked(threads map[int32][]uint16, n int) (after []uint16, found bool) {
	pattern := []uint16{unix.SYS_GETGID}
	for range n {
		pattern = append(pattern, unix.SYS_GETEGID)
	}
	pattern = append(pattern, unix.SYS_GETGID)
	for _, calls := range threads {
		for i := range calls {
			if len(calls) >= i+len(pattern) && slices.Equal(calls[i:i+len(pattern)], pattern) {
				return calls[i+len(pattern):], true
			}
		}
	}
	return nil, false
}

// TestCallEnds has a program make calls that end in odd ways, and wants each in
// its place: with threads in slots, and in their tasks' storage, and with what
// older kernels have.
func TestCallEnds(t *testing.T) {
	for name, without := range map[string]bpf.Missing{"slots": {}, "storage": {Slots: true}, "no casts": {Casts: true}, "no registers": {Regs: true}} {
		t.Run(name, func(t *testing.T) { checkCallEnds(t, without) })
	}
}

func checkCallEnds(t *testing.T, without bpf.Missing) {
	rec := startRecording(t, func(o *Options) { o.BPF.Without = without })
	id, cgroup := fakeContainer(t)
	if out, err := inCgroup(t, cgroup, "calls").Output(); err != nil || string(out) != "done\n" {
		t.Fatalf("%v\n%s", err, out)
	}
	tr := rec.end()
	threads := callsOf(t, tr, id)
	for n, want := range []uint16{1: unix.SYS_CLONE, 2: unix.SYS_TGKILL, 3: 0x7fff, 4: unix.SYS_GETPGID, 5: unix.SYS_GETSID, 6: unix.SYS_EXIT_GROUP} {
		if n == 0 {
			continue
		}
		after, found := marked(threads, n)
		if !found || len(after) == 0 || after[0] != want {
			t.Errorf("mark %d: found %v, then %v; want %d", n, found, after[:min(len(after), 4)], want)
			continue
		}
		if last := n >= 5; last && len(after) != 1 {
			t.Errorf("mark %d: %d calls follow, want the thread to end", n, len(after))
		}
		// The handler makes calls of its own first.
		if few := after[:min(len(after), 12)]; n == 2 && !slices.Contains(few, unix.SYS_RT_SIGRETURN) {
			t.Errorf("mark 2: then %v, want a sigreturn", few)
		}
	}
	child := slices.Collect(func(yield func([]uint16) bool) {
		for _, calls := range threads {
			if slices.Equal(calls, []uint16{unix.SYS_GETPPID, unix.SYS_EXIT}) && !yield(calls) {
				return
			}
		}
	})
	if len(child) != 1 {
		t.Errorf("%d threads with getppid and exit alone, want 1: the child without its parent's clone", len(child))
	}
	checkExecs(t, tr, id, threads)
	checkBalance(t, tr, id)
}

// checkExecs wants no call execve in the sequences but the failed ones: the
// program's own exec was its runtime's.
func checkExecs(t *testing.T, tr *trace.Trace, id string, threads map[int32][]uint16) {
	want := 0
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID == id && e.Kind == string(trace.Exec) {
			want++
		}
	}
	got := 0
	for _, calls := range threads {
		for _, c := range calls {
			if c == unix.SYS_EXECVE || c == unix.SYS_EXECVEAT {
				got++
			}
		}
	}
	if got != want-1 {
		t.Errorf("%d calls of execve in the sequences, %d exec events; want one less, the first", got, want)
	}
}

// TestExecCalls wants the call that ran a program, or failed to, once each.
func TestExecCalls(t *testing.T) {
	rec := startRecording(t, nil)
	id, cgroup := fakeContainer(t)
	if out, err := inCgroup(t, cgroup, "kinds:"+t.TempDir()).Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tr := rec.end()
	checkExecs(t, tr, id, callsOf(t, tr, id))
}

// TestBlocked wants the call that a thread is killed in, or is in when the
// recording ends, once.
func TestBlocked(t *testing.T) {
	for name, kill := range map[string]bool{"killed": true, "at the end": false} {
		rec := startRecording(t, nil)
		id, cgroup := fakeContainer(t)
		cmd := inCgroup(t, cgroup, "sleep")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if kill {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		tr := rec.end()
		if !kill {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		pauses := 0
		for _, calls := range callsOf(t, tr, id) {
			for i, c := range calls {
				if c != unix.SYS_PAUSE {
					continue
				}
				pauses++
				if i != len(calls)-1 {
					t.Errorf("%s: %d calls after pause", name, len(calls)-1-i)
				}
			}
		}
		if pauses != 1 {
			t.Errorf("%s: %d calls of pause, want 1", name, pauses)
		}
	}
}

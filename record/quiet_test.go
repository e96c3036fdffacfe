package record

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLongEpochs wants epochs to become longer after some that brought little, and
// short again with the first that brings much.
func TestLongEpochs(t *testing.T) {
	var q quiet
	read := uint64(0)
	epochs := func(n int, bytes uint64) {
		for range n {
			read += bytes
			q.brought(read)
		}
	}
	for i, tt := range []struct {
		epochs int
		bytes  uint64
		long   bool
	}{
		{fewEpochs - 1, fewBytes, false}, {1, 0, true}, {3, fewBytes * longEpochs, true}, {1, fewBytes*longEpochs + 1, false},
		{fewEpochs, fewBytes + 1, false}, {fewEpochs, fewBytes, true},
	} {
		epochs(tt.epochs, tt.bytes)
		if q.long() != tt.long {
			t.Fatalf("step %d, %d epochs of %d bytes: long %v, want %v", i, tt.epochs, tt.bytes, q.long(), tt.long)
		}
	}
}

// TestQuiet lets the reader fall asleep, twice, and wants each call of what runs
// then: in a new container, and in one that slept as well.
func TestQuiet(t *testing.T) {
	quiet := make(chan bool, 1)
	rec := startRecording(t, func(o *Options) {
		o.Watch = func(s Status) {
			select {
			case <-quiet:
			default:
			}
			quiet <- s.Quiet
		}
	})
	asleep := func() {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if <-quiet {
				return
			}
		}
		t.Fatal("the reader does not fall asleep")
	}
	asleep()
	id, cgroup := fakeContainer(t)
	waits := inCgroup(t, cgroup, "wait")
	stdin, err := waits.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := waits.Start(); err != nil {
		t.Fatal(err)
	}
	<-quiet // what was told before the container began
	asleep()
	const n = 1000
	if out, err := inCgroup(t, cgroup, "storm:1000").Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stdin.Close()
	_ = waits.Wait()
	tr := rec.end()
	found := false
	for _, calls := range callsOf(t, tr, id) {
		storm := slices.DeleteFunc(calls, func(c uint16) bool { return c != unix.SYS_GETPPID && c != unix.SYS_GETUID })
		found = found || slices.Equal(storm, stormOf(n))
	}
	if !found {
		t.Error("no thread has the storm's calls, all and in order")
	}
	if lost := checkBalance(t, tr, id); len(rec.summary.Lost) != 0 {
		t.Errorf("lost %v, want nothing", lost)
	}
}

package record

import (
	"testing"
	"time"

	"mayfly/trace"
)

// TestRotateBytes wants files to be complete as soon as they hold so much, and not
// only at their time.
func TestRotateBytes(t *testing.T) {
	rec := startRecording(t, func(o *Options) { o.Rotate, o.RotateBytes = 24*time.Hour, 64<<10 })
	id, cgroup := fakeContainer(t)
	for range 2 {
		if out, err := inCgroup(t, cgroup, "storm:100000").Output(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		time.Sleep(1500 * time.Millisecond) // it looks once a second
	}
	tr := rec.end()
	if files := tr.Files(trace.Sequences); len(files) < 2 {
		t.Errorf("got %d files of sequences, want one for each storm", len(files))
	}
	if lost := checkBalance(t, tr, id); len(rec.summary.Lost) != 0 {
		t.Errorf("lost %v, want nothing", lost)
	}
}

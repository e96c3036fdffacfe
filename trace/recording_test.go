package trace

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// workload writes rows through a Recording and keeps count of what was promised.
type workload struct {
	r       *Recording
	next    int64          // number of the next event, kept in its BootNS
	open    []int64        // written, not acknowledged, and no error since
	acked   map[int64]bool // acknowledged
	dubious map[int64]bool // written before an error: present or counted as lost
	errs    []error
	clock   time.Time
}

func newWorkload(t *testing.T, d disk) (*workload, Salvaged) {
	t.Helper()
	w := &workload{acked: map[int64]bool{}, dubious: map[int64]bool{}, clock: time.Unix(0, startNS)}
	r, salvaged, err := openRecording(d, "dir", testMeta("h"), RecordingOptions{})
	if err != nil {
		w.errs = append(w.errs, err)
		return w, salvaged
	}
	r.now = func() time.Time { w.clock = w.clock.Add(time.Millisecond); return w.clock }
	w.r = r
	w.promised(r.Begin())
	return w, salvaged
}

func (w *workload) write(n int) {
	var rows []Event
	for range n {
		rows = append(rows, Event{TimeNS: startNS + w.next, BootNS: w.next, Kind: string(FileOpen),
			ContainerID: containerID(int(w.next % 2)), CgroupID: uint64(1 + w.next%2), Path: fmt.Sprint("/", w.next), UID: ptr(int64(0))})
		w.open = append(w.open, w.next)
		w.next++
	}
	w.failed(w.r.Events(rows))
	w.failed(w.r.Sequences([]Sequence{{TimeNS: startNS, PID: 1, CgroupID: 1, ContainerID: containerID(1), Calls: []uint16{1, 2, 0x8001}}}))
	w.failed(w.r.Losses([]Loss{{FromNS: startNS, ToNS: startNS + 1, Class: LossEvents, Produced: int64(n)}}))
}

func (w *workload) failed(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
		for _, id := range w.open {
			w.dubious[id] = true
		}
		w.open = nil
	}
}

func (w *workload) promised(err error) {
	w.failed(err)
	for _, id := range w.open {
		w.acked[id] = true
	}
	w.open = nil
}

// run is three files of three syncs each, and an end in good order.
func (w *workload) run() {
	for range 3 {
		for range 3 {
			w.write(5)
			w.promised(w.r.Sync())
		}
		w.write(2)
		w.promised(w.r.Seal(false))
	}
	w.write(1)
	w.promised(w.r.Close())
}

// check reads the directory: every acknowledged row is there, none twice.
func (w *workload) check(t *testing.T, what, dir string, exact bool) {
	t.Helper()
	tr, err := Open(dir)
	if err != nil {
		if len(w.acked) == 0 && strings.Contains(err.Error(), "not a trace") {
			return
		}
		t.Fatalf("%s: %v", what, err)
	}
	seen, lost := map[int64]int{}, int64(0)
	for _, e := range scanRows[Event](t, tr, Events, 0) {
		seen[e.BootNS]++
		if e.Path != fmt.Sprint("/", e.BootNS) || e.UID == nil || *e.UID != 0 {
			t.Errorf("%s: row %d: got %+v", what, e.BootNS, e)
		}
	}
	for _, l := range scanRows[Loss](t, tr, Losses, 0) {
		if l.Class == LossEvents {
			lost += l.Lost
		}
	}
	for id, n := range seen {
		if n != 1 || id >= w.next {
			t.Errorf("%s: row %d: is there %d times", what, id, n)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.acked)) {
		if seen[id] == 0 {
			t.Errorf("%s: row %d was acknowledged and is not there", what, id)
		}
	}
	if exact && int64(len(seen))+lost != w.next {
		t.Errorf("%s: %d rows written, %d there, %d counted as lost", what, w.next, len(seen), lost)
	}
	for _, s := range scanRows[Sequence](t, tr, Sequences, 0) {
		if !slices.Equal(s.Calls, []uint16{1, 2, 0x8001}) {
			t.Errorf("%s: sequence: got %v", what, s.Calls)
		}
	}
}

// operations returns how many operations the workload makes of a disk that is well.
func operations(t *testing.T) int {
	t.Helper()
	d := newMemDisk()
	w, _ := newWorkload(t, d)
	w.run()
	if len(w.errs) > 0 {
		t.Fatal(w.errs)
	}
	w.check(t, "a disk that is well", d.dump(t), true)
	if d.op < 100 {
		t.Fatalf("%d operations are too few to be looking", d.op)
	}
	return d.op
}

// The machine loses power at each single operation: what was acknowledged is
// there after the next start, and a gap says from when.
func TestPowerCutAnywhere(t *testing.T) {
	t.Parallel()
	total := operations(t)
	for n := 1; n <= total; n++ {
		d := newMemDisk()
		d.fail = failAt(n, 1<<30, errPowerCut)
		w, _ := newWorkload(t, d)
		if w.r != nil {
			w.run()
		}
		for _, how := range powerCuts {
			what := fmt.Sprintf("operation %d (%s), %s", n, d.log[n-1], how)
			up := d.afterPowerCut(how)
			next, _ := newWorkload(t, up)
			if next.r == nil {
				t.Fatalf("%s: does not start again: %v", what, next.errs)
			}
			next.promised(next.r.Close())
			if len(next.errs) > 0 {
				t.Fatalf("%s: %v", what, next.errs)
			}
			dir := up.dump(t)
			w.check(t, what, dir, false)
			for name := range up.names {
				if strings.HasSuffix(name, tempSuffix) || strings.HasPrefix(name, "journal/") {
					t.Errorf("%s: %s is left", what, name)
				}
			}
			checkGap(t, what, dir, w)
		}
		if t.Failed() {
			return
		}
	}
}

// checkGap wants a gap where a recording with rows ended other than in good order.
func checkGap(t *testing.T, what, dir string, w *workload) {
	t.Helper()
	if len(w.acked) == 0 || len(w.errs) == 0 || w.r.state.StoppedNS != 0 {
		return
	}
	for _, l := range scanRows[Loss](t, mustOpen(t, dir), Losses, 0) {
		if l.Class == LossGap && l.ToNS >= l.FromNS && l.FromNS > 0 {
			return
		}
	}
	t.Errorf("%s: no gap", what)
}

// One operation fails, or all for a while: the recorder goes on, what was
// acknowledged is there at the end, and written = there + lost, exactly.
func TestDiskFailsAnywhere(t *testing.T) {
	t.Parallel()
	total := operations(t)
	for lasts, errs := range map[int][]error{1: {unix.EIO}, 3: {unix.ENOSPC}, 40: {unix.EIO}} {
		for _, err := range errs {
			for n := 1; n <= total; n++ {
				d := newMemDisk()
				w, _ := newWorkload(t, d)
				begun := d.op
				d.fail = failAt(begun+n, lasts, err)
				w.run()
				what := fmt.Sprintf("%v at operation %d for %d", err, n, lasts)
				if d.op < begun+n+lasts && len(w.errs) > 0 { // the end itself failed: what the next recorder finds
					d.fail = nil
					clear(d.locked)
					next, _ := newWorkload(t, d)
					if next.r == nil {
						t.Fatalf("%s: does not start again: %v", what, next.errs)
					}
					next.promised(next.r.Close())
					w.check(t, what, d.dump(t), false)
					continue
				}
				w.check(t, what, d.dump(t), true)
				if t.Failed() {
					return
				}
			}
		}
	}
}

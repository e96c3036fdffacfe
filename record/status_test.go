package record

import (
	"testing"

	"mayfly/trace"
)

// TestStatusCounts wants what a status says of records to add up at each moment, by
// class, and to grow only, as Prometheus has it of counters: while a container is held
// back, once it is left out, when it is forgotten, and when the disk takes no rows.
func TestStatusCounts(t *testing.T) {
	r, now := gateRecorder(t, "name=web")
	r.events, r.secure, r.calls = fakeRing(64), fakeRing(64), fakeRing(64)
	all, db := r.convert.containers, r.meetFake(2)
	all.learn(&trace.Container{ContainerID: r.meetFake(1).id, Name: "web", Facts: trace.FactsFull, Runtime: "docker"})
	var before Status
	look := func(what string, produced, leftOut, lost uint64) {
		t.Helper()
		s := r.status()
		for _, class := range []string{trace.LossEvents, trace.LossSequences} {
			if s.Produced[class] != produced || s.LeftOut[class] != leftOut || s.Lost[class] != lost {
				t.Errorf("%s: %s: produced %d, left out %d, lost %d; want %d, %d, %d", what, class,
					s.Produced[class], s.LeftOut[class], s.Lost[class], produced, leftOut, lost)
			}
		}
		for class, n := range before.Produced {
			if s.Produced[class] < n {
				t.Errorf("%s: %s: produced %d, and %d before", what, class, s.Produced[class], n)
			}
		}
		before = s
	}
	tell := func() { // as hand does
		for _, l := range r.ledger.rows(0, 1, false) {
			add(&r.summary.Produced, l.Class, l.Produced)
			if l.Lost > 0 {
				add(&r.summary.Lost, l.Class, l.Lost)
			}
		}
	}
	if err := r.gate.settle(all.byCgroup); err != nil {
		t.Fatal(err)
	}
	r.feed(all.byCgroup[1], 1)
	r.feed(db, 1)
	r.feed(db, 2)
	look("held back", 3, 0, 0)
	tell()
	look("the first told", 3, 0, 0)
	all.learn(&trace.Container{ContainerID: db.id, Name: "db", Facts: trace.FactsFull, Runtime: "docker"})
	*now = 3
	if err := r.gate.settle(all.byCgroup); err != nil {
		t.Fatal(err)
	}
	tell()
	look("left out", 3, 2, 0)
	r.ledger.of(1, 0).lost, r.ledger.of(1, 1).lost = 1, 1
	r.ledger.of(1, 0).produced, r.ledger.of(1, 1).produced = 2, 2
	look("lost", 4, 2, 1)
	tell()
	db.goneNS = 4
	all.forget(forgetNS+5, r.forget)
	look("forgotten", 4, 2, 1)
	r.unwritten.Store(&map[string]int64{trace.LossEvents: 4, trace.LossSequences: 4, trace.LossProcesses: 1})
	look("the disk is full", 4, 2, 5)
	if before.Lost[trace.LossProcesses] != 1 || len(before.Produced) != len(classes) {
		t.Errorf("got lost %v of %v", before.Lost, before.Produced)
	}
}

package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mayfly/bpf"
	"mayfly/trace"
)

// gateRecorder is a recorder of fake containers, whose rings a test feeds.
func gateRecorder(t *testing.T, terms ...string) (*recorder, *int64) {
	t.Helper()
	s, err := ParseSelection(terms)
	if err != nil {
		t.Fatal(err)
	}
	now := new(int64)
	r := &recorder{ledger: newLedger(nil), batch: &batch{}, probes: &bpf.Probes{}}
	r.convert = *testConverter()
	r.convert.containers = newContainers(nil, nil)
	r.choose(s)
	r.gate.now = func() int64 { return *now }
	return r, now
}

func (r *recorder) meetFake(n int) *container {
	value := bpf.MayflyContainer{}
	for i, b := range fmt.Sprintf("docker-%064x.scope", n) {
		value.Name[i] = int8(b)
	}
	return r.convert.containers.meet(uint64(n), &value)
}

// feed is one event and one sequence of a container.
func (r *recorder) feed(c *container, atNS int64) {
	for class := range uint32(2) {
		t := r.ledger.of(c.cgroup, class)
		t.produced, t.read = t.produced+1, t.read+1
	}
	r.batch.events = append(r.batch.events, trace.Event{BootNS: atNS, ContainerID: c.id})
	r.gateEvent(c, int(bpf.ClassEvents))
	r.batch.sequences = append(r.batch.sequences, trace.Sequence{BootNS: atNS, ContainerID: c.id, Calls: r.batch.addCalls([]byte{byte(atNS), 0, 7, 0})})
	r.gateSequence(c, atNS)
}

func (r *recorder) written(id string) (events, sequences int) {
	for _, e := range r.batch.events {
		if e.ContainerID == id {
			events++
		}
	}
	for _, s := range r.batch.sequences {
		if s.ContainerID == id && slices.Equal(s.Calls, []uint16{uint16(byte(s.BootNS)), 7}) {
			sequences++
		}
	}
	return events, sequences
}

// balance adds up the rows of losses.
func balance(rows []trace.Loss) map[string]int64 {
	sum := map[string]int64{}
	for _, l := range rows {
		sum[l.Class] += l.Produced
		if l.Produced < 0 || l.Lost != 0 {
			sum["wrong"]++
		}
	}
	return sum
}

// TestForgetUnwanted loses an unwanted container before its counts are told: they are
// told as left out all the same, as those of a wanted one are as written.
func TestForgetUnwanted(t *testing.T) {
	r, _ := gateRecorder(t, "name=web")
	all := r.convert.containers
	for n, name := range []string{"web", "db"} {
		id := fmt.Sprintf("%064x", n)
		all.learn(&trace.Container{ContainerID: id, Name: name, Facts: trace.FactsFull})
		r.feed(r.meetFake(n), 1)
		all.byID[id].goneNS, all.byID[id].told = 2, true
	}
	all.forget(forgetNS+3, r.forget)
	if len(all.byCgroup) != 0 || len(r.ledger.tallies) != 4 {
		t.Fatalf("%d containers and %d counts kept, want none and 4, which are not told yet", len(all.byCgroup), len(r.ledger.tallies))
	}
	sum := balance(r.ledger.rows(0, 1, false))
	if sum[trace.LossEvents] != 1 || sum[trace.LossSequences] != 1 || sum[trace.LossDeselected] != 2 || sum["wrong"] != 0 {
		t.Errorf("losses table: %v, want 1 event, 1 sequence and 2 deselected", sum)
	}
	if len(r.ledger.tallies) != 0 {
		t.Errorf("%d counts kept once they are told", len(r.ledger.tallies))
	}
}

// TestHold feeds containers that are known to be wanted, found to be wanted,
// found to be unwanted, and never known; and wants rows and counts to agree.
func TestHold(t *testing.T) {
	r, now := gateRecorder(t, "name=web")
	all := r.convert.containers
	learn := func(c *container, name string) {
		all.learn(&trace.Container{ContainerID: c.id, Name: name, Facts: trace.FactsFull})
	}
	known := fmt.Sprintf("%064x", 1)
	all.learn(&trace.Container{ContainerID: known, Name: "web", Facts: trace.FactsFull})
	cs := []*container{r.meetFake(1), r.meetFake(2), r.meetFake(3), r.meetFake(4)}
	var losses []trace.Loss
	settle := func(atNS int64) {
		t.Helper()
		*now = atNS
		if err := r.gate.settle(all.byCgroup); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, r.ledger.rows(0, 1, false)...)
	}
	for at := range int64(3) {
		for _, c := range cs {
			r.feed(c, at)
		}
	}
	settle(5)
	learn(cs[1], "web")
	learn(cs[2], "db")
	settle(6)
	for _, c := range cs {
		r.feed(c, 7)
	}
	settle(holdTime.Nanoseconds() + 8) // for the fourth it is too late
	for _, c := range cs {
		r.feed(c, 9)
	}
	learn(cs[3], "db") // after all
	settle(20 + holdTime.Nanoseconds())
	for _, c := range cs {
		r.feed(c, 30+holdTime.Nanoseconds())
	}
	r.gate.finish(all.byCgroup)
	losses = append(losses, r.ledger.rows(0, 1, true)...)
	want := []int{6, 6, 0, 5}
	for i, c := range cs {
		events, sequences := r.written(c.id)
		if events != want[i] || sequences != want[i] {
			t.Errorf("container %d: %d events, %d sequences written, want %d of each", i, events, sequences, want[i])
		}
	}
	sum := balance(losses)
	if written := int64(6 + 6 + 0 + 5); sum[trace.LossEvents] != written || sum[trace.LossSequences] != written || sum[trace.LossDeselected] != 2*(6+1) || sum["wrong"] != 0 {
		t.Errorf("losses table: %v, want %d of each class and %d deselected", sum, written, 14)
	}
	if r.gate.bytes != 0 || len(r.gate.waiting) != 0 {
		t.Errorf("%d bytes of %d containers still held", r.gate.bytes, len(r.gate.waiting))
	}
	rows := all.rows(0, &clock{})
	if len(rows) != 2 {
		t.Errorf("%d rows of containers, want those of the two that are wanted", len(rows))
	}
}

// TestHoldFuller feeds containers whose first facts say less than the selection asks,
// and which the facts that follow find selected: before what is held back is decided
// on, after it, or never. The kernel side is told of the last alone.
func TestHoldFuller(t *testing.T) {
	r, now := gateRecorder(t, "label=app=web")
	all := r.convert.containers
	settle := func(atNS int64) []trace.Loss {
		t.Helper()
		*now = atNS
		if err := r.gate.settle(all.byCgroup); err != nil {
			t.Fatal(err)
		}
		return r.ledger.rows(0, 1, false)
	}
	first := func(n int) { // as containerd's own API knows a pod's container
		all.learn(&trace.Container{ContainerID: fmt.Sprintf("%064x", n), Name: "main", Pod: "web-0", Runtime: "containerd", Facts: trace.FactsFull})
	}
	first(1)
	cs := []*container{r.meetFake(1), r.meetFake(2), r.meetFake(3)}
	first(2)
	first(3)
	feed := func(atNS int64) {
		for _, c := range cs {
			r.feed(c, atNS)
		}
	}
	pod := func(c *container) { // as CRI does
		all.learn(&trace.Container{ContainerID: c.id, Name: "main", Pod: "web-0", Labels: []string{"app=web"}, Facts: trace.FactsFull})
	}
	hold := holdTime.Nanoseconds()
	feed(1)
	losses := settle(2)
	feed(3)
	pod(cs[0])
	losses = append(losses, settle(4)...)
	feed(5)
	if r.gate.silences(cs[1], hold+2) {
		t.Error("the kernel side is told of a container that nothing is known of for sure")
	}
	losses = append(losses, settle(hold+1)...) // nothing more came of the second
	feed(hold + 2)
	pod(cs[1])
	losses = append(losses, settle(hold+3)...)
	feed(hold + 4)
	for i, c := range cs {
		if got := r.gate.silences(c, 2*hold+5); got != (i == 2) {
			t.Errorf("container %d: the kernel side is told: %v", i, got)
		}
	}
	losses = append(losses, r.ledger.rows(0, 1, true)...)
	for i, want := range []int{5, 1, 0} {
		if events, sequences := r.written(cs[i].id); events != want || sequences != want {
			t.Errorf("container %d: %d events, %d sequences written, want %d of each", i, events, sequences, want)
		}
	}
	sum := balance(losses)
	if sum[trace.LossEvents] != 6 || sum[trace.LossSequences] != 6 || sum[trace.LossDeselected] != 2*(4+5) || sum["wrong"] != 0 {
		t.Errorf("losses table: %v, want 6 of each class and 18 deselected", sum)
	}
}

// TestHoldOnItsWay finds a container unwanted that was written for a while: of what is
// in the rings then, the part that is older is written, and nothing is counted twice.
func TestHoldOnItsWay(t *testing.T) {
	r, now := gateRecorder(t, "label=app=web")
	all, c := r.convert.containers, r.meetFake(1)
	all.learn(&trace.Container{ContainerID: c.id, Name: "main", Pod: "db-0", Runtime: "containerd", Facts: trace.FactsFull})
	r.gate.rule(c, wanted, false)
	r.feed(c, 1)
	count := r.ledger.of(c.cgroup, bpf.ClassEvents)
	count.produced += 2 // which the reader has not come to
	*now = 10
	if err := r.gate.settle(all.byCgroup); err != nil {
		t.Fatal(err)
	}
	losses := r.ledger.rows(0, 1, false)
	for _, atNS := range []int64{9, 11} {
		count.read++
		r.batch.events = append(r.batch.events, trace.Event{BootNS: atNS, ContainerID: c.id})
		r.gateEvent(c, int(bpf.ClassEvents))
	}
	sum := balance(append(losses, r.ledger.rows(0, 1, true)...))
	if events, _ := r.written(c.id); events != 2 || sum[trace.LossEvents] != 2 || sum[trace.LossDeselected] != 1 || sum["wrong"] != 0 {
		t.Errorf("%d events written, losses table %v; want 2 of 3 written, and told so", events, sum)
	}
}

// TestHoldBytes wants the container that holds most to be written first.
func TestHoldBytes(t *testing.T) {
	r, _ := gateRecorder(t, "label=app=web")
	r.gate.maxBytes = 100 * eventBytes
	small, large := r.meetFake(1), r.meetFake(2)
	for at := range int64(5) {
		r.feed(small, at)
	}
	for at := range int64(500) {
		r.feed(large, at)
		if r.gate.bytes > r.gate.maxBytes {
			t.Fatalf("%d bytes held, want %d at most", r.gate.bytes, r.gate.maxBytes)
		}
	}
	if small.verdict != undecided || large.verdict != wanted || large.sure {
		t.Errorf("verdicts %d and %d, want the small one undecided, the large one wanted until more is known", small.verdict, large.verdict)
	}
	if events, _ := r.written(large.id); events != 500 {
		t.Errorf("%d events of the large one written, want 500", events)
	}
	r.convert.containers.learn(&trace.Container{ContainerID: small.id, Name: "main", Pod: "db-0", Runtime: "containerd", Facts: trace.FactsFull})
	for at := range int64(500) {
		r.feed(small, at)
	}
	if events, _ := r.written(small.id); events != 0 || small.verdict != unwanted || small.sure {
		t.Errorf("%d events of one that seems unwanted written, verdict %d, want it left out until more is known", events, small.verdict)
	}
	rows := r.convert.containers.rows(0, &clock{})
	if len(rows) != 1 || rows[0].Facts != trace.FactsUnknown || rows[0].Runtime != "docker" || !strings.HasSuffix(rows[0].CgroupPath, ".scope") {
		t.Errorf("rows of containers: %+v", rows)
	}
}

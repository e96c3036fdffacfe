package record

import (
	"flag"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mayfly/trace"
)

var (
	floodRounds = flag.Int("flood-rounds", 1, "how often TestFlood floods")
	floodTime   = flag.Duration("flood-time", 4*time.Second, "how long each time")
	floodRare   = flag.Int("flood-rare", 40, "how often in each flood the other container runs a program, connects and changes its identity")
)

// childFlood makes opens, connects and plain calls as fast as it can, each on a
// thread of its own.
func childFlood(arg string) {
	length, _ := time.ParseDuration(arg)
	end := time.Now().Add(length)
	flood := func(call func()) chan struct{} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for time.Now().Before(end) {
				for range 1000 {
					call()
				}
			}
		}()
		return done
	}
	address := &unix.SockaddrUnix{Name: "/nonexistent"}
	s, _ := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	for _, done := range []chan struct{}{
		flood(func() { _, _ = unix.Open("/nonexistent", unix.O_RDONLY, 0) }),
		flood(func() { _ = unix.Connect(s, address) }),
		flood(func() { _, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) }),
	} {
		<-done
	}
}

// childRare makes n times three security events, spread over a time: "n,time".
func childRare(arg string) error {
	count, spread, _ := strings.Cut(arg, ",")
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	length, err := time.ParseDuration(spread)
	if err != nil {
		return err
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	for range n {
		if err := exec.Command("/bin/true").Run(); err != nil {
			return err
		}
		if err := unix.Connect(s, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return err
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0)); e != 0 {
			return e
		}
		time.Sleep(length / time.Duration(n))
	}
	return nil
}

// smallRings are so small that a flood fills them, whatever else the machine does.
func smallRings(o *Options) {
	o.BPF.EventBytes, o.BPF.SequenceBytes, o.BPF.SecurityBytes = 256<<10, 128<<10, 128<<10
}

// TestFlood has one container flood all rings while another makes a few security
// events, and wants none of those lost. At length:
//
//	go test ./record -v -timeout 0 -run TestFlood -flood-rounds 20 -flood-time 60s -flood-rare 334
func TestFlood(t *testing.T) {
	for round := range *floodRounds {
		t.Run(strconv.Itoa(round+1), flood)
	}
}

// flood is one recording of a flood, and what became of the other container's events.
func flood(t *testing.T) {
	rec := startRecording(t, smallRings)
	flooder, floodGroup := fakeContainer(t)
	victim, victimGroup := fakeContainer(t)
	flood := inCgroup(t, floodGroup, "flood:"+floodTime.String())
	if err := flood.Start(); err != nil {
		t.Fatal(err)
	}
	rare := inCgroup(t, victimGroup, fmt.Sprintf("rare:%d,%v", *floodRare, *floodTime*3/4))
	if err := rare.Run(); err != nil {
		t.Errorf("victim: %v", err)
	}
	if err := flood.Wait(); err != nil {
		t.Error(err)
	}
	tr := rec.end()
	lost := checkBalance(t, tr, victim)
	if lost[trace.LossSecurity] != 0 {
		t.Errorf("the victim lost %d of its security events, want 0", lost[trace.LossSecurity])
	}
	got, throttled := map[trace.Kind]int{}, map[string]int64{}
	eachRow(t, tr, trace.Events, func(e *trace.Event) {
		kind := trace.Kind(e.Kind)
		if e.ContainerID == victim && (kind != trace.Exec || *e.Ret == 0 && e.Path != "" && e.Argv[0] == "/bin/true") {
			got[kind]++
		}
		if e.ContainerID == flooder && kind == trace.Throttle {
			throttled[e.Path+" "+strconv.FormatInt(*e.Arg, 10)]++
		}
	})
	for _, kind := range []trace.Kind{trace.Exec, trace.Connect, trace.SetUID} {
		if got[kind] != *floodRare {
			t.Errorf("victim's %s: got %d events, want %d", kind, got[kind], *floodRare)
		}
	}
	lost = checkBalance(t, tr, flooder)
	t.Logf("victim: %v; flooder lost %v; throttled %v; in all lost %v of %v", got, lost, throttled, rec.summary.Lost, rec.summary.Produced)
	for class, n := range lost {
		if n > 0 && throttled[class+" 1"] == 0 {
			t.Errorf("flooder lost %d of %s: no event tells when that began", n, class)
		}
		if begun, ended := throttled[class+" 1"], throttled[class+" 0"]; begun > ended+1 || ended > begun {
			t.Errorf("%s: %d beginnings of throttling, %d ends", class, begun, ended)
		}
	}
}

// TestReaderStopped has a container flood the rings of a recorder that does not
// read: another container's first events must still find room. At length:
//
//	go test ./record -v -run TestReaderStopped -flood-time 10s
func TestReaderStopped(t *testing.T) {
	rec := startRecording(t, smallRings)
	flooder, floodGroup := fakeContainer(t)
	victim, victimGroup := fakeContainer(t)
	rec.paused.Store(true)
	if err := inCgroup(t, floodGroup, "flood:"+floodTime.String()).Run(); err != nil {
		t.Fatal(err)
	}
	if err := inCgroup(t, victimGroup, "opens:50").Run(); err != nil {
		t.Fatalf("victim: %v", err)
	}
	rec.paused.Store(false)
	tr := rec.end()
	t.Logf("in all lost %v of %v", rec.summary.Lost, rec.summary.Produced)
	if lost := checkBalance(t, tr, flooder); lost[trace.LossEvents] == 0 || lost[trace.LossSequences] == 0 {
		t.Errorf("flooder lost %v, want losses of events and sequences", lost)
	}
	for class, n := range checkBalance(t, tr, victim) {
		if n != 0 {
			t.Errorf("victim lost %d of %s, want 0", n, class)
		}
	}
}

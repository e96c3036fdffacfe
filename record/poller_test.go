package record

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPoller wants a wait to end when a descriptor is written to, each time, and
// to go on while what was written merely lies there.
func TestPoller(t *testing.T) {
	var rings []*ring
	for range 2 {
		fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		rings = append(rings, &ring{fd: fd})
	}
	p, err := newPoller(rings...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for round := range 6 {
		go func() {
			time.Sleep(5 * time.Millisecond)
			_, _ = unix.Write(rings[round%2].fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		}()
		began := time.Now()
		if err := p.wait(time.Hour); err != nil { // or the test ends by its own limit
			t.Fatal(err)
		}
		if round == 0 && time.Since(began) < time.Millisecond {
			t.Error("the first wait ended before anything was written")
		}
		const short = 20 * time.Millisecond
		began = time.Now()
		if err := p.wait(short); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < short {
			t.Errorf("nothing new: waited %v, want %v", waited, short)
		}
	}
	if err := p.wait(-time.Second); err != nil {
		t.Errorf("a time that is over: %v", err)
	}
	if _, err := newPoller(&ring{fd: -1}); err == nil {
		t.Error("a ring without a descriptor: no error")
	}
}

// TestRingWakes wants the kernel side to wake the reader of a ring that fills, and to
// wake it again where it has not come.
func TestRingWakes(t *testing.T) {
	rec := startRecording(t, smallRings)
	_, cgroup := fakeContainer(t)
	rec.paused.Store(true)
	time.Sleep(200 * time.Millisecond) // for a round of reading that had begun
	p, err := newPoller(rec.r.events)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	const long = 30 * time.Second
	for _, opens := range []string{"opens:300", "opens:50", "opens:50"} { // an eighth of the ring is some 200
		if err := inCgroup(t, cgroup, opens).Run(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.wait(long); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > long/2 {
			t.Errorf("%s: the reader was not woken in %v", opens, waited)
		}
	}
	rec.paused.Store(false)
	rec.end()
}

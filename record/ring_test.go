package record

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"mayfly/bpf"
)

// TestRingWraps reads records of all sizes from a small ring, so that they end
// before, at and behind the end of its memory, and begin there.
func TestRingWraps(t *testing.T) {
	r := fakeRing(128)
	wrapped := 0
	for i := range 400 {
		want := bytes.Repeat([]byte{byte(i)}, i*7%100)
		for j := range want {
			want[j] += byte(j)
		}
		r.put(want, 0)
		got := r.peek()
		if got == nil || !bytes.Equal(got, want) {
			t.Fatalf("record %d at %d: got %x, want %x", i, r.pos, got, want)
		}
		if len(got) > 0 && len(r.wrapped) == len(got) && &got[0] == &r.wrapped[0] {
			wrapped++
		}
		r.take(got)
	}
	if r.peek() != nil || wrapped == 0 {
		t.Errorf("got a record too many, or %d that wrap, want some", wrapped)
	}
}

// TestReadRest ends a recording while a CPU has begun a record and does something else:
// what is in the other ring comes after it, as long as it is written in time.
func TestReadRest(t *testing.T) {
	for _, tt := range []struct {
		after int // pauses; -1: never
		want  []int64
	}{{0, []int64{1, 2, 3}}, {5, []int64{1, 2, 3}}, {-1, []int64{3}}} {
		r := &recorder{ledger: newLedger(nil), batch: &batch{}, events: fakeRing(4096), secure: fakeRing(4096), calls: fakeRing(4096)}
		r.convert = *testConverter()
		put := func(ring *ring, bootNS uint64, bits uint32) {
			ring.put(headBytes(bpf.MayflyEvent{Time: bootNS, Cgroup: 7, Pid: 1 << 30, Kind: uint16(bpf.Open), Call: 257}), bits)
		}
		put(r.secure, 1, ringBusy)
		put(r.secure, 2, 0)
		put(r.events, 3, 0)
		written := func() { binary.LittleEndian.PutUint32(r.secure.data, uint32(eventHead)) }
		if tt.after == 0 {
			written()
		}
		pauses := 0
		r.readRest(10, func() {
			if pauses++; pauses == tt.after {
				written()
			}
		})
		var got []int64
		for _, e := range r.batch.events {
			got = append(got, e.BootNS)
		}
		if !slices.Equal(got, tt.want) || tt.after >= 0 && pauses != tt.after {
			t.Errorf("written after %d pauses: got events %v after %d, want %v", tt.after, got, pauses, tt.want)
		}
	}
}

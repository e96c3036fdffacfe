package record

import (
	"encoding/binary"
	"slices"
	"testing"
)

// TestTurns follows the spells of one container's class as the kernel side has
// them from one look to the next.
func TestTurns(t *testing.T) {
	ts := throttles{spells: map[countKey]spell{}}
	const second = spellNS
	for i, look := range []struct {
		since, last, now int64
		want             []turn
	}{
		{since: 10, last: 20, now: 30, want: []turn{{10, true}}},
		{since: 10, last: 40, now: 50},
		{since: 10, last: 40, now: 40 + second},
		{since: 10, last: 40, now: 41 + second, want: []turn{{40, false}}},
		{since: 10, last: 40, now: 5 * second},
		{since: 6 * second, last: 6 * second, now: 7 * second, want: []turn{{6 * second, true}}},
		// One spell ends, another begins, between two looks.
		{since: 9 * second, last: 9*second + 1, now: 9*second + 2, want: []turn{{6 * second, false}, {9 * second, true}}},
		// One begins and ends between two looks.
		{since: 20 * second, last: 20 * second, now: 30 * second,
			want: []turn{{9*second + 1, false}, {20 * second, true}, {20 * second, false}}},
	} {
		if got := ts.turns(countKey{1, 2}, look.since, look.last, look.now); !slices.Equal(got, look.want) {
			t.Errorf("look %d: got %v, want %v", i, got, look.want)
		}
	}
	ts.forget(1)
	if len(ts.spells) != 0 {
		t.Errorf("forgotten: got %d spells, want 0", len(ts.spells))
	}
}

// fakeRing is a ring over ordinary memory.
func fakeRing(size int) *ring {
	return &ring{consumer: make([]byte, 8), producer: make([]byte, 8), data: make([]byte, size), mask: uint64(size - 1)}
}

// put submits a record with the given head bits.
func (r *ring) put(record []byte, bits uint32) {
	end := binary.LittleEndian.Uint64(r.producer)
	offset := end & r.mask
	binary.LittleEndian.PutUint32(r.data[offset:], uint32(len(record))|bits)
	for i, b := range record {
		r.data[(offset+ringHeader+uint64(i))&r.mask] = b
	}
	binary.LittleEndian.PutUint64(r.producer, end+(uint64(len(record))+ringHeader+7)&^7)
}

// TestDrainWaits wants a record to wait for the one that is being written in the other
// ring, which may be older (the exec of a program that has ended by now), until a ring
// is crowded.
func TestDrainWaits(t *testing.T) {
	for name, swapped := range map[string]bool{"x": false, "y": true} {
		x, y := fakeRing(1024), fakeRing(1024)
		late, other := x, y
		if swapped {
			late, other = y, x
		}
		var got []byte
		drain := func() {
			drainBoth(x, y, func(a, b []byte) bool { return a[0] <= b[0] }, func(b []byte) { got = append(got, b[0]) })
		}
		late.put([]byte{1}, 0)
		head := binary.LittleEndian.Uint64(late.producer) & late.mask
		late.put([]byte{2}, ringBusy)
		late.put([]byte{3}, 0)
		other.put([]byte{4}, 0)
		if drain(); !slices.Equal(got, []byte{1}) {
			t.Errorf("%s writes: got records %v, want 1 alone", name, got)
		}
		binary.LittleEndian.PutUint32(late.data[head:], 1)
		if drain(); !slices.Equal(got, []byte{1, 2, 3, 4}) {
			t.Errorf("%s has written: got records %v, want 1 to 4", name, got)
		}
		late.put([]byte{5}, ringBusy)
		for n := range byte(20) {
			other.put([]byte{6 + n}, 0)
		}
		if drain(); len(got) == 4 {
			t.Errorf("%s writes and the other ring is crowded: got nothing of it", name)
		}
	}
}

func TestDrainBoth(t *testing.T) {
	x, y := fakeRing(1024), fakeRing(1024)
	for _, n := range []byte{1, 4, 5, 9} {
		x.put([]byte{n}, 0)
	}
	x.put([]byte{66}, ringDiscard)
	x.put([]byte{10}, 0)
	for _, n := range []byte{2, 3, 6, 7, 8, 11} {
		y.put([]byte{n}, 0)
	}
	y.put([]byte{12}, ringBusy)
	var got []byte
	drainBoth(x, y, func(a, b []byte) bool { return a[0] <= b[0] }, func(b []byte) { got = append(got, b[0]) })
	if want := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; !slices.Equal(got, want) {
		t.Errorf("got records %v, want %v", got, want)
	}
	for name, r := range map[string]*ring{"x": x, "y": y} {
		if told := binary.LittleEndian.Uint64(r.consumer); told != r.pos || told == 0 {
			t.Errorf("%s: the kernel was told %d, read up to %d", name, told, r.pos)
		}
	}
	if y.pos == binary.LittleEndian.Uint64(y.producer) {
		t.Error("y: a record that is still being written was read")
	}
}

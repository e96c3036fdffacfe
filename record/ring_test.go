package record

import (
	"bytes"
	"testing"
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

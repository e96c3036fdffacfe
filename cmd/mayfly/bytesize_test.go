package main

import "testing"

func TestByteSize(t *testing.T) {
	for text, want := range map[string]struct {
		bytes int64
		shown string
	}{
		"0": {0, "0"}, "1500": {1500, "1.5KiB"}, "64KiB": {65536, "64KiB"}, "1.5GiB": {3 << 29, "1.5GiB"},
		"10GB": {10_000_000_000, "9.3GiB"}, "12 B": {12, "12"}, "2TiB": {2 << 40, "2TiB"},
	} {
		var b byteSize
		if err := b.Set(text); err != nil || int64(b) != want.bytes || b.String() != want.shown {
			t.Errorf("%q: got %d, %q, %v; want %d, %q", text, b, b.String(), err, want.bytes, want.shown)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.5XB", "NaN", "1e30", "9000000TiB"} {
		var b byteSize
		if err := b.Set(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, b)
		}
	}
}

package bpf

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf/asm"
)

// TestFeatures wants what must be there to be found where the programs load.
func TestFeatures(t *testing.T) {
	mustLoad(t, DefaultOptions())
	list, err := Features()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		t.Logf("%-24s %-5v %s", f.Name, f.OK, f.Detail)
		if f.Must && !f.OK {
			t.Errorf("%s: missing (%s), but the programs load", f.Name, f.Detail)
		}
		if f.Name == "" || f.Needed == "" {
			t.Errorf("feature %+v: want a name and what it is needed for", f)
		}
	}
}

// TestFetchAdd wants the probe of atomics to be written as one that fetches: else every
// kernel takes it.
func TestFetchAdd(t *testing.T) {
	var b bytes.Buffer
	if _, err := fetchAdd(asm.R10, asm.R1, -8).Marshal(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	want := []byte{0xdb, 0x1a, 0xf8, 0xff, 1, 0, 0, 0} // imm is BPF_ADD | BPF_FETCH
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("got % x, want % x", b.Bytes(), want)
	}
}

package record

import (
	"encoding/binary"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"mayfly/bpf"
	"mayfly/trace"
)

func headBytes[T any](head T) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&head)), unsafe.Sizeof(head))...)
}

func addSection(record []byte, kind, flags byte, body string) []byte {
	record = append(record, kind, flags)
	record = binary.LittleEndian.AppendUint16(record, uint16(len(body)))
	record = append(record, body...)
	for len(record)%4 != 0 {
		record = append(record, 0)
	}
	return record
}

func testConverter() *converter {
	c := &converter{texts: newTexts(), clock: &clock{offset: 1000}, containers: newContainers(nil, nil)}
	c.containers.byCgroup[7] = &container{id: strings.Repeat("ab", 32), cgroup: 7, firstNS: 50}
	c.processes = newProcesses(c.clock, func(trace.Process) {})
	return c
}

func TestDecodeEvent(t *testing.T) {
	head := bpf.MayflyEvent{Time: 100, Cgroup: 7, Start: 60, Ret: -2, Flags: 0x241, Mode: 0o644, Pid: 1 << 30, Tid: 1 << 30,
		Uid: 5, Gid: 6, Kind: uint16(bpf.Open), Call: 257, Cpu: 3, Number: 44, Comm: [16]int8{'s', 'h'}}
	record := addSection(headBytes(head), sectionPath, 0, "a/../b")
	record = addSection(record, 99, 0, "of a later version")
	record = addSection(record, sectionBase, 0, "leaf\x00top\x00")
	var raw rawEvent
	if err := raw.decode(record); err != nil {
		t.Fatal(err)
	}
	var got trace.Event
	testConverter().event(&raw, &got)
	want := trace.Event{TimeNS: 1100, BootNS: 100, Kind: "open", ContainerID: strings.Repeat("ab", 32), CgroupID: 7,
		PID: 1 << 30, TID: 1 << 30, StartNS: 60, UID: new(int64(5)), GID: new(int64(6)), Comm: "sh", Ret: new(int64(-2)),
		Path: "/top/leaf/b", Flags: new(int64(0x241)), Mode: new(int64(0o644)), CPU: new(int64(3)), Seq: new(int64(44))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestDecodeSequence(t *testing.T) {
	head := headBytes(bpf.MayflySequence{Time: 1, End: 2, N: 3})
	for _, tt := range []struct {
		name   string
		record []byte
		calls  int
		err    string
	}{
		{"whole", append(head, 1, 0, 2, 0, 3, 0), 6, ""},
		{"with padding", append(head, 1, 0, 2, 0, 3, 0, 9, 9), 6, ""},
		{"short of calls", append(head, 1, 0, 2, 0, 3), 0, "sequence of 3 calls in 5 bytes: record is shorter than it says"},
		{"short of a head", head[:10], 0, "sequence of 10 bytes: record is shorter than it says"},
		{"empty", nil, 0, "sequence of 0 bytes: record is shorter than it says"},
	} {
		var s rawSequence
		err := s.decode(tt.record)
		if got := errText(err); got != tt.err {
			t.Errorf("%s: got error %q, want %q", tt.name, got, tt.err)
		}
		if err == nil && len(s.calls) != tt.calls {
			t.Errorf("%s: got %d bytes of calls, want %d", tt.name, len(s.calls), tt.calls)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPaths(t *testing.T) {
	base := section{bytes: []byte("c\x00b\x00a\x00")}
	for _, tt := range []struct {
		name       string
		text, base section
		want       string
	}{
		{"absolute", section{bytes: []byte("/etc/passwd")}, section{}, "/etc/passwd"},
		{"absolute, unclean", section{bytes: []byte("//etc/./x/../passwd/")}, section{}, "/etc/passwd"},
		{"above the root", section{bytes: []byte("/../../x")}, section{}, "/x"},
		{"relative", section{bytes: []byte("x")}, base, "/a/b/c/x"},
		{"relative, upwards", section{bytes: []byte("../x")}, base, "/a/b/x"},
		{"of a descriptor", section{}, base, "/a/b/c"},
		{"at the root", section{bytes: []byte("x")}, section{bytes: []byte{}}, "/x"},
		{"of an unknown place", section{bytes: []byte("x")}, section{}, "x"},
		{"dot file", section{bytes: []byte("/root/.ssh")}, section{}, "/root/.ssh"},
		{"of a long path", section{bytes: []byte("x")}, section{bytes: []byte("c\x00"), flags: flagCut}, "…/c/x"},
	} {
		if got := newTexts().given(tt.text, tt.base); got != tt.want {
			t.Errorf("%s: given(%q, %q): got %q, want %q", tt.name, tt.text.bytes, tt.base.bytes, got, tt.want)
		}
	}
	memfd := section{bytes: []byte("memfd:x\x00"), flags: flagDetached}
	if got := newTexts().walked(memfd); got != "memfd:x" {
		t.Errorf("walked(%q): got %q, want %q", memfd.bytes, got, "memfd:x")
	}
	if got, want := newTexts().words([]byte("a\x00\x00b c\x00")), []string{"a", "", "b c"}; !cmp.Equal(got, want) {
		t.Errorf("words: got %q, want %q", got, want)
	}
}

// FuzzDecode wants no record to break the decoders, and rows to hold only what
// the record held.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(headBytes(bpf.MayflySequence{N: 1<<16 - 1}))
	for kind := range len(kinds) {
		record := headBytes(bpf.MayflyEvent{Kind: uint16(kind), Cgroup: 7, Pid: 1 << 30, Call: 88})
		for s := range byte(sections) {
			record = addSection(record, s, s&7, "\x02\x00x\x00/y\x00zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz")
		}
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		var s rawSequence
		if err := s.decode(record); err == nil && len(s.calls) != int(s.N)*2 {
			t.Errorf("sequence: got %d bytes of calls, want %d", len(s.calls), s.N*2)
		}
		var raw rawEvent
		if raw.decode(record) != nil {
			return
		}
		raw.Pid |= 1 << 30 // no process has this number: /proc is not asked in earnest
		var e trace.Event
		testConverter().event(&raw, &e)
		size := len(e.Path) + len(e.Path2) + len(e.Cwd) + len(e.Addr) + len(e.LocalAddr)
		for _, a := range e.Argv {
			size += len(a)
		}
		if size > 4*len(record)+200 {
			t.Errorf("event of %d bytes has %d bytes of text", len(record), size)
		}
	})
}

func TestKindNumbers(t *testing.T) {
	for kind, want := range map[bpf.Kind]trace.Kind{bpf.Exec: trace.Exec, bpf.Open: trace.FileOpen, bpf.Accept: trace.Accept,
		bpf.CapSet: trace.CapSet, bpf.Setns: trace.Setns} {
		if got := kinds[kind]; got != want {
			t.Errorf("kind %d: got %q, want %q", kind, got, want)
		}
	}
	if got, want := len(kinds), int(bpf.Setns)+1; got != want {
		t.Errorf("trace has %d kinds that the kernel makes, bpf %d", got-1, want-1)
	}
}

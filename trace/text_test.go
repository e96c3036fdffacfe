package trace

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unescape is what FORMAT.md says of a text of an escaped row.
func unescape(s string) string {
	return regexp.MustCompile(`\\x[0-9a-f]{2}`).ReplaceAllStringFunc(s, func(hex string) string {
		b, err := strconv.ParseUint(hex[2:], 16, 8)
		if err != nil {
			panic(err)
		}
		return string([]byte{byte(b)})
	})
}

// Names that are no UTF-8 come back as the bytes they were, beside names that look
// like escaped ones, through files, and through files written of files.
func TestRawNames(t *testing.T) {
	names := []string{"/data/a", "/data/\xff", `/data/\xff`, "/dat\xe9/\\xe9", "\xc3(", "/π/\xf0\x9f\x98", `C:\dir`, "\x00\x01\x80", "\\\xfe\\"}
	const letters = `\x0f` + "a/\xff\xc3\xa9\x80"
	chance := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		b := make([]byte, 1+chance.IntN(20))
		for i := range b {
			b[i] = letters[chance.IntN(len(letters))]
		}
		names = append(names, string(b))
	}
	var events []Event
	var sequences []Sequence
	var processes []Process
	var containers []Container
	for i, name := range names {
		at := 1_700_000_000e9 + int64(i)
		events = append(events, Event{TimeNS: at, Kind: string(FileOpen), Path: name, Comm: "cat", Argv: []string{"cat", name}})
		sequences = append(sequences, Sequence{TimeNS: at, Comm: name, Calls: []uint16{1}})
		processes = append(processes, Process{TimeNS: at, Cwd: name, Argv: []string{name}})
		containers = append(containers, Container{TimeNS: at, Name: name, Labels: []string{name}, Facts: FactsFull})
	}
	write := func() string {
		dir := t.TempDir()
		w, err := NewWriter(dir, Meta{Host: "h", Arch: "amd64"}, WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{w.Events(events), w.Sequences(sequences), w.Processes(processes), w.Containers(containers), w.Close()} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	dir := write()
	if got := events[1].Path; got != names[1] {
		t.Errorf("the caller's row was changed to %q", got)
	}
	again := events
	for round := range 2 {
		tr, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		events, sequences = scanRows[Event](t, tr, Events, 0), scanRows[Sequence](t, tr, Sequences, 0)
		processes, containers = scanRows[Process](t, tr, Processes, 0), scanRows[Container](t, tr, Containers, 0)
		var got [4][]string
		for i := range events {
			raw := func(s string, escaped bool) string {
				if escaped {
					return unescape(s)
				}
				return s
			}
			if e := &events[i]; raw(e.Argv[1], e.Escaped) != names[i] || e.Comm != "cat" {
				t.Errorf("argv: got %q, want %q", e.Argv, names[i])
			}
			for k, s := range []string{raw(events[i].Path, events[i].Escaped), raw(sequences[i].Comm, sequences[i].Escaped),
				raw(processes[i].Argv[0], processes[i].Escaped), raw(containers[i].Labels[0], containers[i].Escaped)} {
				got[k] = append(got[k], s)
			}
		}
		for _, g := range got {
			if !slices.Equal(g, names) {
				t.Fatalf("round %d: %s", round, cmp.Diff(names, g))
			}
		}
		dir = write()
	}
	if events[0].Escaped || !events[1].Escaped || events[2].Escaped || again[1].Escaped {
		t.Errorf("escaped: got %v %v %v, want the second only", events[0].Escaped, events[1].Escaped, events[2].Escaped)
	}
}

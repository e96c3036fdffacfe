package record

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/bpf"
	"mayfly/trace"
)

// needHooks skips a test on a kernel that runs no programs at security hooks. CI's
// may be one, so it does not fail there: .ci/vm runs these on another.
func needHooks(t *testing.T) {
	t.Helper()
	mustRecord(t)
	list, err := bpf.Features()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Name == "security hooks" && !f.OK {
			t.Skip("security hooks: " + f.Detail)
		}
	}
}

// swapped runs childSwap and counts the removals whose event names another file
// than the one that went, and the events that say what was claimed.
func swapped(t *testing.T, without bpf.Missing) (wrong, claimed, all int, blind []string) {
	rec := startRecording(t, func(o *Options) { o.BPF.Without = without })
	id, cgroup := fakeContainer(t)
	out, err := inCgroup(t, cgroup, "swap:"+t.TempDir()).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	gone := strings.Fields(string(out))
	tr := rec.end()
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID != id || e.Kind != string(trace.Unlink) || *e.Ret != 0 {
			continue
		}
		if all < len(gone) && filepath.Base(e.Path) != gone[all] {
			wrong++
		}
		if e.Claimed != "" {
			claimed++
			if filepath.Base(e.Claimed) == filepath.Base(e.Path) {
				t.Errorf("claimed %s of path %s", e.Claimed, e.Path)
			}
		}
		all++
	}
	if all != len(gone) {
		t.Errorf("%d unlinks recorded, %d made", all, len(gone))
	}
	return wrong, claimed, all, tr.Files(trace.Events)[0].Meta.Blind
}

// TestSwapped has a thread change a path while another one's unlink reads it, and
// wants each event to name the file that went.
func TestSwapped(t *testing.T) {
	needHooks(t)
	wrong, claimed, all, blind := swapped(t, bpf.Missing{})
	t.Logf("with hooks: %d of %d wrong, %d claimed another", wrong, all, claimed)
	if wrong != 0 || claimed == 0 || strings.Contains(strings.Join(blind, "\n"), "unlink: ") {
		t.Errorf("got %d events with the wrong file, %d with a claim, blind %q; want 0, some, nothing of unlink", wrong, claimed, blind)
	}
}

// TestSwappedBlind is the same without hooks: the trace must say what it cannot
// see, and claim nothing.
func TestSwappedBlind(t *testing.T) {
	wrong, claimed, all, blind := swapped(t, bpf.Missing{Hooks: true})
	t.Logf("without hooks: %d of %d wrong", wrong, all)
	if claimed != 0 || !strings.Contains(strings.Join(blind, "\n"), "unlink: path as the caller's memory says") {
		t.Errorf("got %d claims, blind %q; want none, and unlink among it", claimed, blind)
	}
}

// TestHooksOff wants each kind of event without hooks as well.
func TestHooksOff(t *testing.T) {
	checkKinds(t, func(o *Options) { o.BPF.Without.Hooks = true })
}

// TestOldKernel wants each kind of event with nothing that came after Linux 5.12, and
// with nothing that came after 5.8.
func TestOldKernel(t *testing.T) {
	old := bpf.Missing{Hooks: true, Rings: true, Casts: true, Regs: true}
	oldest := old
	oldest.TypedTask, oldest.Storage, oldest.Atomics = true, true, true
	for name, without := range map[string]bpf.Missing{"5.12": old, "5.8": oldest, "5.8 without slots": {
		Slots: true, TypedTask: true, Storage: true, Atomics: true}} {
		t.Run(name, func(t *testing.T) { checkKinds(t, func(o *Options) { o.BPF.Without = without }) })
	}
}

// without is what all tests of this package do without, so that all can be run as on a
// kernel that lacks something:
//
//	go test ./record -without typed-task,storage,atomics,regs,casts,hooks,rings
var without bpf.Missing

func init() {
	switches := map[string]*bool{"hooks": &without.Hooks, "rings": &without.Rings, "slots": &without.Slots, "casts": &without.Casts,
		"regs": &without.Regs, "typed-task": &without.TypedTask, "storage": &without.Storage, "atomics": &without.Atomics}
	flag.Func("without", "what of the kernel to do without, comma-separated", func(list string) error {
		for name := range strings.SplitSeq(list, ",") {
			missing, ok := switches[name]
			if !ok {
				return fmt.Errorf("%q: want some of %s", name, strings.Join(slices.Sorted(maps.Keys(switches)), ", "))
			}
			*missing = true
		}
		return nil
	})
}

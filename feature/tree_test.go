package feature

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

// born is a fork's row, ran an exec's.
func born(ms float64, pid int32, exe string, child int64, flags int64) trace.Event {
	return event(idA, ms, trace.Fork, func(e *trace.Event) {
		e.PID, e.TID, e.PPID, e.Exe, e.TargetPID, e.Flags = pid, pid, pid-10, exe, &child, &flags
	})
}

func ran(ms float64, pid, ppid int32, path string) trace.Event {
	return event(idA, ms, trace.Exec, func(e *trace.Event) { e.PID, e.TID, e.PPID, e.Exe, e.Path = pid, pid, ppid, path, path })
}

// tree is what windows say of processes, by second.
func tree(t *testing.T, losses []trace.Loss, rows ...trace.Event) map[float64]window {
	t.Helper()
	tr := writeTrace(t, func(w *trace.Writer) error { return w.Events(rows) })
	windower, err := NewWindower(WindowerOptions{Workload: func(string) string { return "w" }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[float64]window{}
	windower.emit = func(w *Window) error {
		one := plain(w)
		for name := range one.Counters {
			if name != "n_orphans" && name != "n_tree_depth" && name != "n_tree_breadth" {
				delete(one.Counters, name)
			}
		}
		for item := range one.Items {
			if len(item) < 6 || item[:6] != "parent" {
				delete(one.Items, item)
			}
		}
		got[one.Start] = window{Counters: one.Counters, Items: one.Items}
		return nil
	}
	for i := range losses {
		windower.AddLoss("h", &losses[i])
	}
	for row, err := range trace.Merge(t.Context(), tr) {
		if err == nil {
			err = windower.Add(row)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := windower.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTree(t *testing.T) {
	const nginx, shell = "/usr/sbin/nginx", "/bin/sh"
	type counters = map[string]uint32
	for name, c := range map[string]struct {
		rows   []trace.Event
		losses []trace.Loss
		want   map[float64]window
	}{
		"a server runs a shell that runs two programs": {
			rows: []trace.Event{born(1, 10, nginx, 20, 0), ran(2, 20, 10, shell), born(3, 20, shell, 21, 0), ran(4, 21, 20, "/bin/id"), born(5, 20, shell, 22, 0), ran(6, 22, 20, "/bin/cat")},
			want: map[float64]window{0: {Counters: counters{"n_tree_depth": 2, "n_tree_breadth": 2}, Items: counters{
				`parent ["/usr/sbin/nginx","/bin/sh"]`: 1, `parent ["/bin/sh","/bin/id"]`: 1, `parent ["/bin/sh","/bin/cat"]`: 1}}},
		},
		"the fork's row comes behind": {
			rows: []trace.Event{ran(2, 20, 10, shell), born(3, 10, nginx, 20, 0)},
			want: map[float64]window{0: {Counters: counters{"n_tree_depth": 1, "n_tree_breadth": 1}, Items: counters{`parent ["/usr/sbin/nginx","/bin/sh"]`: 1}}},
		},
		"somebody from outside": {
			rows: []trace.Event{ran(2, 20, 99, shell)},
			want: map[float64]window{0: {Counters: counters{}, Items: counters{`parent ["","/bin/sh"]`: 1}}},
		},
		"outside, or a fork that was lost": {
			rows:   []trace.Event{ran(9002, 20, 99, shell)},
			losses: []trace.Loss{{FromNS: t0 + 1e9, ToNS: t0 + 2e9, ContainerID: idA, Class: trace.LossEvents, Produced: 9, Lost: 4}},
			want:   map[float64]window{9: {Counters: counters{}, Items: counters{}}},
		},
		"a fork of long ago is forgotten, whatever was read": {
			rows: []trace.Event{born(1, 10, nginx, 20, 0), born(10_500, 20, nginx, 30, 0), born(12_000, 20, nginx, 21, 0)},
			want: map[float64]window{0: {Counters: counters{"n_tree_depth": 1, "n_tree_breadth": 1}, Items: counters{}},
				10: {Counters: counters{"n_tree_depth": 2, "n_tree_breadth": 1}, Items: counters{}},
				12: {Counters: counters{"n_tree_depth": 1, "n_tree_breadth": 1}, Items: counters{}}},
		},
		"orphaned, once": {
			rows: []trace.Event{born(1, 10, nginx, 20, 0), ran(2, 20, 10, shell), ran(3, 20, 1, shell), ran(4, 20, 1, shell)},
			want: map[float64]window{0: {Counters: counters{"n_orphans": 1, "n_tree_depth": 1, "n_tree_breadth": 1}, Items: counters{`parent ["/usr/sbin/nginx","/bin/sh"]`: 3}}},
		},
		"a sibling is no orphan, a thread no process": {
			rows: []trace.Event{born(1, 10, nginx, 20, cloneParent), ran(2, 20, 1, shell), born(3, 10, nginx, 11, cloneThread)},
			want: map[float64]window{0: {Counters: counters{"n_tree_depth": 1, "n_tree_breadth": 1}, Items: counters{`parent ["/usr/sbin/nginx","/bin/sh"]`: 1}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, tree(t, c.losses, c.rows...)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

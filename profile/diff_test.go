package profile

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

// versionOf makes a profile of four containers for an hour each.
func versionOf(name string, c *trace.Container, items func(container int) []Item) *Profile {
	b := NewBuilder(BuilderOptions{})
	for i := range 4 {
		for w := range int64(60) {
			b.Add(&Window{Workload: name, Container: fmt.Sprint(i), StartNS: w * 60e9, EndNS: (w + 1) * 60e9, Items: items(i)})
		}
	}
	b.Declare(name, c)
	return b.Profile()
}

func TestDiff(t *testing.T) {
	a := versionOf("nginx@sha256:1#shop/web", &trace.Container{Image: "nginx:1", User: "www"}, func(c int) []Item {
		items := []Item{{Exec, "/usr/sbin/nginx"}, {Read, "/old"}, {Write, "/log"}}
		if c == 0 {
			items = append(items, Item{Connect, "inet:10.0.0.1:5432"})
		}
		return items
	})
	b := versionOf("nginx@sha256:2#shop/web", &trace.Container{Image: "nginx:2", CapAdd: []string{"NET_ADMIN"}}, func(int) []Item {
		return []Item{{Exec, "/usr/sbin/nginx"}, {Exec, "/bin/sh"}, {Write, "/log"}, {Connect, "inet:10.0.0.1:5432"}}
	})
	d := Diff(a, b)
	if len(d.Workloads) != 1 || d.Same() {
		t.Fatalf("got %+v", d)
	}
	w := d.Workloads[0]
	if w.Before != "nginx@sha256:1#shop/web" || w.After != "nginx@sha256:2#shop/web" {
		t.Errorf("another version is compared with %q, %q", w.Before, w.After)
	}
	items := func(entries []Entry) (s []string) {
		for _, e := range entries {
			s = append(s, e.Item.String())
		}
		return s
	}
	if diff := cmp.Diff([][]string{{"exec /bin/sh"}, {"read /old"}}, [][]string{items(w.Added), items(w.Gone)}); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if len(w.Changed) != 1 || w.Changed[0].Item.Kind != Connect || w.Changed[0].Share != [2]float64{0.25, 1} {
		t.Errorf("changed: %+v", w.Changed)
	}
	want := []DeclaredChange{{"images", []string{"nginx:2"}, []string{"nginx:1"}}, {"users", []string{}, []string{"www"}}, {"cap_add", []string{"NET_ADMIN"}, []string{}}}
	if diff := cmp.Diff(want, w.Declared); diff != "" {
		t.Errorf("declared (-want +got):\n%s", diff)
	}
	if d := Diff(a, a); !d.Same() {
		t.Errorf("a profile and itself: %+v", d)
	}
}

func TestDiffPairs(t *testing.T) {
	named := func(names ...string) *Profile {
		b := NewBuilder(BuilderOptions{})
		for _, name := range names {
			b.Add(&Window{Workload: name, EndNS: 1})
		}
		return b.Profile()
	}
	var got []string
	for _, w := range Diff(named("a@1", "b@1", "b@2", "c#x", "d", "e@1#x", "e@1#y"), named("a@2", "b@3", "c#y", "d", "e@2#x", "e@2#y", "f")).Workloads {
		got = append(got, w.Before+" "+w.After)
	}
	want := []string{"a@1 a@2", "b@1 ", "b@2 ", " b@3", "c#x c#y", "d d", "e@1#x e@2#x", "e@1#y e@2#y", " f"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

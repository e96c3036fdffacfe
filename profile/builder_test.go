package profile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

// windows makes n windows of three workloads with many items, from a seed.
func windows(n int) []*Window {
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]*Window, n)
	for i := range all {
		w := &Window{
			Workload:  fmt.Sprintf("app%d", rng.IntN(3)),
			Container: fmt.Sprintf("c%02d", rng.IntN(20)),
			Host:      fmt.Sprintf("h%d", rng.IntN(3)),
			StartNS:   int64(rng.IntN(1000)) * 1e9,
			Lost:      int64(rng.IntN(2)),
		}
		w.EndNS = w.StartNS + 1e9
		for range rng.IntN(5) {
			w.Items = append(w.Items, Item{Read, fmt.Sprintf("/f%d", rng.IntN(100))}, Item{Exec, "/bin/x"})
			w.Counts = append(w.Counts, uint32(rng.IntN(9)+1), 1)
		}
		all[i] = w
	}
	return all
}

func build(opts BuilderOptions, all []*Window) *Profile {
	b := NewBuilder(opts)
	for _, w := range all {
		b.Add(w)
		b.Declare(w.Workload, &trace.Container{Image: w.Workload + ":" + w.Container, CapAdd: []string{"NET_ADMIN"}})
		b.Machine(w.Workload, "amd64")
	}
	return b.Profile()
}

func encode(t *testing.T, p *Profile) string {
	t.Helper()
	var out bytes.Buffer
	if err := p.Encode(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestBuilderOrder(t *testing.T) {
	all := windows(500)
	for _, opts := range []BuilderOptions{{}, {MaxItems: 7, MaxContainers: 5}} {
		want := encode(t, build(opts, all))
		for seed := range uint64(5) {
			rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			if got := encode(t, build(opts, all)); got != want {
				t.Fatalf("options %+v, order %d: %s", opts, seed, cmp.Diff(want, got))
			}
		}
	}
}

func TestBuilderEvidence(t *testing.T) {
	b := NewBuilder(BuilderOptions{})
	sh, bad := Item{Exec, "/bin/sh"}, Item{"odd", "x"}
	b.Add(&Window{Workload: "web", Container: "c1", Host: "h1", StartNS: 10, EndNS: 20, Items: []Item{sh, bad, sh}, Counts: []uint32{2, 1, 3}, Lost: 1})
	b.Add(&Window{Workload: "web", Container: "c2", Host: "h1", StartNS: 5, EndNS: 15, Items: []Item{sh}})
	b.Add(&Window{Workload: "web", Container: "c2", Host: "h1", StartNS: 30, EndNS: 40, Lost: 4})
	w := b.Profile().Workload("web")
	got, ok := w.Lookup(sh)
	want := Evidence{Count: 6, Windows: 2, Containers: 2, Hosts: 1, FirstNS: 5, LastNS: 20}
	if !ok || got != want {
		t.Errorf("evidence of %v: got %+v, want %+v", sh, got, want)
	}
	if w.Has(bad) || w.Has(Item{Exec, "/bin/s"}) {
		t.Error("has what was never added")
	}
	if w.Windows != 3 || w.Lost != 5 || w.FromNS != 5 || w.ToNS != 40 {
		t.Errorf("workload: %+v", w)
	}
}

func TestBuilderBounds(t *testing.T) {
	b := NewBuilder(BuilderOptions{MaxItems: 10, MaxContainers: 4, MaxWorkloads: 2})
	for i := range 1000 {
		b.Add(&Window{Workload: "web", Container: fmt.Sprint("c", i), Host: "h", EndNS: 1, Items: []Item{{Write, fmt.Sprint("/", i)}}, Counts: []uint32{2}})
		b.Add(&Window{Workload: fmt.Sprint("w", i), EndNS: 1})
	}
	p := b.Profile()
	w := p.Workload("web")
	if len(w.Items) != 10 || len(w.Containers) != 4 || w.OverflowOf(Write) != 2*990 {
		t.Errorf("got %d items, %d containers, %d left out; want 10, 4, 1980", len(w.Items), len(w.Containers), w.OverflowOf(Write))
	}
	if len(p.Workloads) != 3 || p.Workload(Unknown) == nil {
		t.Errorf("got %d workloads, want 2 and %s", len(p.Workloads), Unknown)
	}
}

func BenchmarkBuilder(b *testing.B) {
	all := windows(1000)
	b.ReportAllocs()
	for b.Loop() {
		build(BuilderOptions{}, all)
	}
}

func TestPods(t *testing.T) {
	pod := func(namespace, owner string, labels ...string) *trace.Container {
		return &trace.Container{Image: "web", PodNamespace: namespace, Owner: owner, Labels: labels}
	}
	all := []*trace.Container{
		pod("shop", "Deployment/web", "app=web", "io.kubernetes.container.name=nginx", "io.kubernetes.pod.name=web-1", "pod-template-hash=1", "tier=front"),
		pod("shop", "Deployment/web", "app=web", "pod-template-hash=2", "tier=front"),
		pod("test", "", "app=web", "tier=back"),
		pod("test", "", "io.kubernetes.pod.name=web-3", "io.kubernetes.container.name=nginx"), // its pod's labels are not known
		{Image: "web", Labels: []string{"app=other"}},                                         // in no pod
	}
	want := &Pods{Namespaces: []string{"shop", "test"}, Owners: []string{"Deployment/web"}, Containers: []string{"nginx"}, Labels: []string{"app=web"}}
	for turn := range all {
		b := NewBuilder(BuilderOptions{})
		for i := range all {
			b.Declare("web", all[(i+turn)%len(all)])
		}
		var text bytes.Buffer
		if err := b.Profile().Encode(&text); err != nil {
			t.Fatal(err)
		}
		p, err := Decode(&text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, p.Workload("web").Declared.Pods); diff != "" {
			t.Errorf("from %d on (-want +got):\n%s", turn, diff)
		}
	}
	b := NewBuilder(BuilderOptions{})
	b.Declare("web", pod("a", "", "app=web"))
	b.Declare("web", pod("a", "", "app=db"))
	if got := b.Profile().Workload("web").Declared.Pods.Labels; got == nil || len(got) != 0 {
		t.Errorf("labels of pods with nothing in common: got %#v, want an empty list", got)
	}
}

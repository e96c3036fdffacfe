package profile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

// parts makes n profiles of windows whose containers and items they share.
func parts(n int, opts BuilderOptions) (whole *Profile, all []*Profile) {
	every := windows(100 * n)
	total := NewBuilder(opts)
	for i := range n {
		b := NewBuilder(opts)
		for _, w := range every[100*i : 100*i+100] {
			w.Trace = &Trace{Name: fmt.Sprint("day", i), Host: "h", FromNS: int64(i), ToNS: 1000e9}
			for _, to := range []*Builder{b, total} {
				to.Add(w)
				to.Declare(w.Workload, &trace.Container{Image: w.Workload, PodNamespace: "a", Labels: []string{"app=web", fmt.Sprint("part=", i)}})
				to.Machine(w.Workload, "amd64")
			}
		}
		all = append(all, b.Profile())
	}
	return total.Profile(), all
}

// TestMerge: profiles of parts, merged in any order and in any steps, are byte for
// byte the profile of all.
func TestMerge(t *testing.T) {
	whole, all := parts(5, BuilderOptions{})
	want := encode(t, whole)
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		left := append([]*Profile{}, all...)
		rng.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		for len(left) > 1 {
			n := 1 + rng.IntN(len(left)-1)
			merged, err := Merge(left[:n+1]...)
			if err != nil {
				t.Fatal(err)
			}
			left = append(left[n+1:], merged)
		}
		if got := encode(t, left[0]); got != want {
			t.Fatalf("order %d (-whole +merged):\n%s", seed, cmp.Diff(want, got))
		}
	}
}

// TestMergeBounds: what is beyond a bound is the same in any order too.
func TestMergeBounds(t *testing.T) {
	var all []*Profile
	for i := range 3 {
		b := NewBuilder(BuilderOptions{})
		for j := range 3000 {
			b.Add(&Window{Workload: "web", Container: fmt.Sprint(i, "-", j), EndNS: 1, Items: []Item{{Write, fmt.Sprint("/", i, "/", j)}, {Exec, "/bin/x"}}})
		}
		all = append(all, b.Profile())
	}
	merge := func(all ...*Profile) *Profile {
		p, err := Merge(all...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	want := merge(all...)
	w := want.Workload("web")
	if len(w.Containers) != 4096 || len(w.Kind(Write)) != 4096 || w.OverflowOf(Write) != 9000-4096 || len(w.Kind(Exec)[0].In) != MaxEvidence {
		t.Fatalf("got %d containers, %d items, %d over", len(w.Containers), len(w.Kind(Write)), w.OverflowOf(Write))
	}
	for _, got := range []*Profile{merge(merge(all[0], all[1]), all[2]), merge(all[2], merge(all[1], all[0]))} {
		if diff := cmp.Diff(encode(t, want), encode(t, got)); diff != "" {
			t.Errorf("order matters:\n%s", diff)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	_, all := parts(2, BuilderOptions{})
	if _, err := Merge(all[0], all[1], all[0]); err == nil || !strings.Contains(err.Error(), `trace "day0" of host "h" is in two`) {
		t.Errorf("the same twice: got %v", err)
	}
	old, err := Decode(strings.NewReader(`{"workloads":[{"name":"a","windows":1,"containers":["x"],"items":[{"item":"exec x","windows":1,"containers":1}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(all[0], old); err == nil || !strings.Contains(err.Error(), "build it again") {
		t.Errorf("version 1: got %v", err)
	}
}

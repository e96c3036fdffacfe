package profile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCompleteness(t *testing.T) {
	b := NewBuilder(BuilderOptions{})
	for c := range 4 {
		id := fmt.Sprint("container-", c)
		for w := range int64(10) {
			items := []Item{{"read", "/etc/app"}, {"exec", "/bin/app"}}
			if w == 0 {
				items = append(items, Item{"read", "/once/in/" + id}) // in one window of one container
			}
			if c < 2 && w > 7 {
				items = append(items, Item{"read", "/in/two"})
			}
			b.Add(&Window{Workload: "app", Container: id, Host: "host", StartNS: w * 1e9, EndNS: (w + 1) * 1e9, Items: items, Lost: 1})
		}
	}
	got := b.Profile().Workload("app").Completeness()
	// 4 items once, 1 in two containers, 2 in four: 14 incidences.
	want := Completeness{Items: 7, Windows: 40, Containers: 4, Lost: 40, OnceInWindows: 4, OnceInContainers: 4, NewLately: 1,
		NewPerWindow: 0.1, NewPerContainer: 1, UnseenShare: 4.0 / 14 * 12 / 14}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompletenessOfLittle(t *testing.T) {
	var none *Workload
	unknown := Completeness{NewPerWindow: 1, NewPerContainer: -1, UnseenShare: -1}
	if got := none.Completeness(); got != unknown {
		t.Errorf("nil: got %+v, want %+v", got, unknown)
	}
	b := NewBuilder(BuilderOptions{})
	b.Add(&Window{Workload: "app", Container: "one", EndNS: 1, Items: []Item{{"exec", "/bin/app"}}})
	got := b.Profile().Workload("app").Completeness()
	if got.NewPerWindow != 1 || got.NewPerContainer != -1 || got.UnseenShare != -1 {
		t.Errorf("one window: got %+v, want 1 new per window and -1 per container", got)
	}
}

// TestCompletenessForesees draws containers that each do some of many things,
// and compares what the profile of ten foresees of the eleventh with what it adds.
func TestCompletenessForesees(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var foreseen, added, shareForeseen, share float64
	const rounds = 200
	for range rounds {
		b := NewBuilder(BuilderOptions{})
		draw := func() (items []Item) {
			for i := range 200 {
				if random.Float64() < 1/float64(1+i) { // few things often, many seldom
					items = append(items, Item{"read", fmt.Sprint("/", i)})
				}
			}
			return items
		}
		for c := range 10 {
			b.Add(&Window{Workload: "app", Container: fmt.Sprint(c), EndNS: 1, Items: draw()})
		}
		w := b.Profile().Workload("app")
		next, fresh := draw(), 0
		for _, item := range next {
			if !w.Has(item) {
				fresh++
			}
		}
		c := w.Completeness()
		foreseen, added = foreseen+c.NewPerContainer, added+float64(fresh)
		shareForeseen, share = shareForeseen+c.UnseenShare, share+float64(fresh)/float64(len(next))
	}
	if ratio := foreseen / added; ratio < 0.8 || ratio > 1.25 {
		t.Errorf("new items of one more container: foreseen %.2f, came %.2f on average", foreseen/rounds, added/rounds)
	}
	if math.Abs(shareForeseen-share)/rounds > 0.06 {
		t.Errorf("unseen share: foreseen %.3f, came %.3f on average", shareForeseen/rounds, share/rounds)
	}
}

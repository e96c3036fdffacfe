package evaluate

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"mayfly/feature"
	"mayfly/page"
)

// life is one container of the FEATURES files.
type life struct {
	Container
	windows int
	content uint64          // of what its windows did, in order, whatever the times
	calls   uint64          // in all of them
	attacks map[string]bool // whose labels share time with a window of it
	labels  []feature.Label // that name it
}

// lives are the containers of the files, with what labels know of them.
type lives struct {
	files  []*feature.File
	labels []feature.Label
	byKey  map[[2]string]*life
	all    []*life // by host and id
	text   []byte  // of a window, to be hashed
}

// survey passes over the files once.
func survey(ctx context.Context, files []*feature.File, labels []feature.Label) (*lives, error) {
	s := &lives{files: files, labels: labels, byKey: map[[2]string]*life{}}
	var reading string
	for w, err := range feature.Each(chain(ctx, files, &reading)) {
		if err != nil {
			return nil, within(reading, err)
		}
		s.add(w)
	}
	s.all = slices.SortedFunc(maps.Values(s.byKey), func(a, b *life) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.ID, b.ID))
	})
	return s, nil
}

func (s *lives) add(w *feature.Window) {
	l := s.byKey[[2]string{w.Host, w.ContainerID}]
	if l == nil {
		l = &life{Container: Container{strings.Clone(w.Host), strings.Clone(w.ContainerID), strings.Clone(w.ContainerName), strings.Clone(w.Workload)},
			attacks: map[string]bool{}}
		for _, label := range s.labels {
			if label.Names(l.ID, l.Name) {
				l.labels = append(l.labels, label)
			}
		}
		s.byKey[[2]string{l.Host, l.ID}] = l
	}
	l.windows++
	l.content = s.did(w, l.content)
	l.calls += uint64(w.Counters[feature.NCalls])
	for i := range l.labels {
		if l.labels[i].Covers(w) {
			l.attacks[l.labels[i].Attack] = true
		}
	}
}

// did is a hash of what a window did, whenever, after what came before it.
func (s *lives) did(w *feature.Window, before uint64) uint64 {
	le, b := binary.LittleEndian, s.text[:0]
	b = le.AppendUint64(b, before)
	for _, part := range [][]uint32{w.CallCounts, w.Trigrams, w.TrigramCounts} {
		b = le.AppendUint32(b, uint32(len(part)))
		for _, v := range part {
			b = le.AppendUint32(b, v)
		}
	}
	for _, c := range w.Calls {
		b = le.AppendUint16(b, c)
	}
	for _, item := range w.Items {
		b = le.AppendUint32(b, uint32(len(item)))
		b = append(b, item...)
	}
	s.text = b
	h := fnv.New64a()
	_, _ = h.Write(b) // a hash takes everything
	return h.Sum64()
}

// of returns the life of a window's container.
func (s *lives) of(w *feature.Window) *life { return s.byKey[[2]string{w.Host, w.ContainerID}] }

// attackNames are the attacks that windows were seen under.
func (s *lives) attackNames() []string {
	names := map[string]bool{}
	for _, l := range s.all {
		maps.Copy(names, l.attacks)
	}
	return sorted(names)
}

// shuffled orders containers by a hash with the seed: chance that does not depend
// on what else there is.
func shuffled(of []*life, seed uint64) []*life {
	at := map[*life]uint64{}
	for _, l := range of {
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%d\x00%s\x00%s", seed, l.Host, l.ID)
		at[l] = h.Sum64()
	}
	out := slices.Clone(of)
	slices.SortStableFunc(out, func(a, b *life) int { return cmp.Compare(at[a], at[b]) })
	return out
}

// split says which containers are learned from, and which are measured on.
type split struct {
	name   string // of the attack held out, or the protocol's
	test   map[*life]bool
	poison map[*life]bool // containers whose attack windows are learned from as normal
}

// take puts the share of containers on the test side, at least one where there
// are two.
func (p *split) take(of []*life, share float64, seed uint64) {
	n := int(math.Round(share * float64(len(of))))
	if len(of) > 1 {
		n = min(max(n, 1), len(of)-1)
	}
	for _, l := range shuffled(of, seed)[:n] {
		p.test[l] = true
	}
}

// holdout holds a share of the containers back, of those under attack and of the
// others alike.
func (s *lives) holdout(share float64, seed uint64) *split {
	p := &split{name: "holdout", test: map[*life]bool{}, poison: map[*life]bool{}}
	var calm, struck []*life
	for _, l := range s.all {
		if len(l.attacks) > 0 {
			struck = append(struck, l)
		} else {
			calm = append(calm, l)
		}
	}
	p.take(calm, share, seed)
	p.take(struck, share, seed)
	for _, l := range struck {
		p.poison[l] = !p.test[l]
	}
	return p
}

// leaveOut holds back every container that an attack touched, and a share of
// those that none did. poisoned lets the first of them into the learning time.
func (s *lives) leaveOut(attack string, share float64, seed uint64, poisoned bool) (*split, error) {
	p := &split{name: attack, test: map[*life]bool{}, poison: map[*life]bool{}}
	var calm, struck []*life
	for _, l := range s.all {
		switch {
		case l.attacks[attack]:
			struck = append(struck, l)
		case len(l.attacks) == 0:
			calm = append(calm, l)
		}
	}
	p.take(calm, share, seed)
	for _, l := range struck {
		p.test[l] = true
	}
	if poisoned {
		if len(struck) < 2 {
			return nil, fmt.Errorf("poison: attack %q touched one container, which leaves none to measure", attack)
		}
		first := shuffled(struck, seed)[0]
		delete(p.test, first)
		p.poison[first] = true
	}
	return p, nil
}

// least is from how many calls on the same windows in two containers are no
// accident.
const least = 1000

// leaks lists what stands on both sides: a container under two hosts or names, and
// containers whose windows are the same all along. Process trees lie within a
// container, and a container on one side.
func (s *lives) leaks(p *split) (found []string) {
	type deeds struct {
		content uint64
		windows int
	}
	named, did := map[string][]int{}, map[deeds][]int{} // places in all of those learned from
	for i, l := range s.all {
		if p.test[l] {
			continue
		}
		if l.ID != "" {
			named[l.ID] = append(named[l.ID], i)
		}
		did[deeds{l.content, l.windows}] = append(did[deeds{l.content, l.windows}], i)
	}
	for _, l := range s.all {
		if !p.test[l] {
			continue
		}
		others := slices.Clone(named[l.ID])
		if l.calls >= least {
			others = append(others, did[deeds{l.content, l.windows}]...)
		}
		slices.Sort(others)
		for _, i := range slices.Compact(others) {
			other := s.all[i]
			if other.ID == l.ID && l.ID != "" {
				found = append(found, fmt.Sprintf("container %s of hosts %q and %q", page.ShortID(l.ID), l.Host, other.Host))
			} else {
				found = append(found, fmt.Sprintf("the same %d windows in containers %s and %s", l.windows, page.ShortID(l.ID), page.ShortID(other.ID)))
			}
		}
	}
	return found
}

// records yields the windows of one side.
func (s *lives) records(keep func(*life) bool) func(context.Context) iter.Seq2[arrow.Record, error] {
	return func(ctx context.Context) iter.Seq2[arrow.Record, error] {
		var reading string
		return feature.Filter(chain(ctx, s.files, &reading), func(w *feature.Window) bool { return keep(s.of(w)) })
	}
}

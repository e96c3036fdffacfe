package detector

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"mayfly/feature"
	"mayfly/profile"
)

// OddWindow is a training window that was set aside before the detector was made.
type OddWindow struct {
	Host        string  `json:"host"`
	ContainerID string  `json:"container_id"`
	Workload    string  `json:"workload"`
	FromNS      int64   `json:"from_ns"`
	ToNS        int64   `json:"to_ns"` // exclusive
	Score       float64 `json:"score"` // by forests that did not see its part of the training time; of the first fit
	// New are items that nothing learned from did, "kind value", at most maxOddItems.
	New []string `json:"new"`
}

const (
	maxOddest   = 1000
	maxOddItems = 8
)

// scoredWindow is one normal window that a detector was made from.
type scoredWindow struct {
	key     containerKey
	startNS int64
	score   float64
}

// scored are the windows of held rows, oddest first; ties by host, container and time.
func (r *rows) scored(h *held) []scoredWindow {
	keys := make([]containerKey, r.counts.Containers)
	for key, s := range r.containers {
		if s.ordinal >= 0 {
			keys[s.ordinal] = key
		}
	}
	out := make([]scoredWindow, len(h.rows))
	for i, at := range h.rows {
		out[i] = scoredWindow{keys[r.container[at]], r.start[at], h.scores[i]}
	}
	oddestFirst(out)
	return out
}

func oddestFirst(windows []scoredWindow) {
	slices.SortFunc(windows, func(a, b scoredWindow) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.key.host, b.key.host),
			cmp.Compare(a.key.id, b.key.id), cmp.Compare(a.startNS, b.startNS))
	})
}

// fitTrimmed makes a detector, sets the windows aside that are oddest to it, and
// makes another from the rest. Where there are more windows than MaxWindows, the
// oddest are looked for in the sample.
func (t Training) fitTrimmed(ctx context.Context, opts Options) (*Detector, error) {
	_, rows, h, err := t.fit(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("look for the oddest: %w", err)
	}
	scored := rows.scored(h)
	d, err := t.fitWithout(ctx, opts, scored[:int(opts.Trim*float64(len(scored)))])
	if err != nil {
		return nil, err
	}
	d.Manifest.Trim = opts.Trim
	return d, nil
}

// fitWithout makes a detector from all windows but some, which it lists: what is
// normal (Space) is learned anew too, so that nothing they did is known.
func (t Training) fitWithout(ctx context.Context, opts Options, oddest []scoredWindow) (*Detector, error) {
	type place struct {
		containerKey
		startNS int64
	}
	aside := map[place]int{}
	for i, w := range oddest {
		aside[place{w.key, w.startNS}] = i
	}
	placeOf := func(w *feature.Window) place { return place{containerKey{w.Host, w.ContainerID}, w.StartNS} }
	rest := Training{Windows: t.Windows, Class: func(w *feature.Window) Class {
		class := t.class(w)
		if _, ok := aside[placeOf(w)]; ok && class == Normal {
			return trimmed
		}
		return class
	}}
	d, _, _, err := rest.fit(ctx, opts)
	if err != nil {
		return nil, err
	}
	d.Manifest.Oddest = make([]OddWindow, min(len(oddest), maxOddest))
	for w, err := range feature.Each(rest.of(ctx, trimmed)) {
		if err != nil {
			return nil, err
		}
		if at := aside[placeOf(w)]; at < maxOddest {
			d.Manifest.Oddest[at] = d.odd(w, oddest[at].score)
		}
	}
	return d, nil
}

// odd describes a window that was set aside, beside what was learned.
func (d *Detector) odd(w *feature.Window, score float64) OddWindow {
	o := OddWindow{Host: strings.Clone(w.Host), ContainerID: strings.Clone(w.ContainerID), Workload: strings.Clone(w.Workload),
		FromNS: w.StartNS, ToNS: w.EndNS(), Score: score, New: []string{}}
	d.Space.Unseen(w, func(item profile.Item) {
		if len(o.New) < maxOddItems {
			o.New = append(o.New, strings.Clone(item.String()))
		}
	})
	return o
}

// capStretch is how many lengths of the long time scale a stretch of a container's
// time holds that capContainers keeps or leaves whole: a window alone would lack the
// long scale.
const capStretch = 6

// capContainers leaves out normal windows of containers that have more than
// MaxContainerWindows. Time is cut into stretches, and of each container those
// stretches stay that come first by a hash of seed, container and stretch, as many
// as fit: so it depends on neither the order of files nor on other containers.
func (t Training) capContainers(ctx context.Context, opts Options) (Training, error) {
	most := int64(opts.MaxContainerWindows)
	long := int64(cmp.Or(opts.Learn.LongWindows, feature.DefaultLearnOptions.LongWindows))
	stretchOf := func(w *feature.Window) int64 { return w.StartNS / (w.WidthNS * min(most, capStretch*long)) }
	windows := map[containerKey]map[int64]int64{} // of each stretch
	for w, err := range feature.Each(t.of(ctx, Normal)) {
		if err != nil {
			return t, err
		}
		if w.WidthNS <= 0 {
			return t, errors.New("windows without a width")
		}
		key := containerKey{w.Host, w.ContainerID}
		if windows[key] == nil {
			windows[containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}] = map[int64]int64{stretchOf(w): 1}
			continue
		}
		windows[key][stretchOf(w)]++
	}
	for key, counts := range windows {
		windows[key] = chosenStretches(key, counts, most, opts.Seed)
	}
	return Training{Windows: t.Windows, Class: func(w *feature.Window) Class {
		class := t.class(w)
		if class != Normal {
			return class
		}
		if _, ok := windows[containerKey{w.Host, w.ContainerID}][stretchOf(w)]; !ok {
			return capped
		}
		return Normal
	}}, nil
}

// chosenStretches are as many of a container's stretches as hold at most so many
// windows.
func chosenStretches(key containerKey, counts map[int64]int64, most int64, seed uint64) map[int64]int64 {
	rank := func(stretch int64) uint64 {
		h := fnv.New64a()
		_, _ = h.Write(fmt.Appendf(nil, "%s\x00%s\x00", key.host, key.id)) // never an error
		_, _ = h.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, seed), uint64(stretch)))
		x := h.Sum64()
		x = (x ^ x>>33) * 0xff51afd7ed558ccd // FNV alone leaves neighbours near each other
		x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
		return x ^ x>>33
	}
	order := make([]int64, 0, len(counts))
	for s := range counts {
		order = append(order, s)
	}
	slices.SortFunc(order, func(a, b int64) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	chosen, sum := map[int64]int64{}, int64(0)
	for _, s := range order {
		if sum+counts[s] <= most {
			chosen[s] = counts[s]
			sum += counts[s]
		}
	}
	return chosen
}

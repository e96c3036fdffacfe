package replay

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/profile"
)

// Bounds of an episode that is held open, and so of the state.
const (
	maxNotes    = 4        // windows that it keeps evidence of
	maxNew      = 256      // items that it names, and things that count as told
	maxNewBytes = 32 << 10 // of these items
	maxOpen     = 512      // episodes of a host that are open at once; the oldest is closed then
	maxPart     = 7        // parts of an attack grow twice as long each, so often
)

// episode is a finding that may still go on. What it becomes depends on the windows
// of its container in the order of time alone, not on where runs begin and end: a
// state keeps all of it. After a part of a long attack is written, its successor
// waits without alarms of its own.
type episode struct {
	Of        detector.Episode `json:"of"` // Alarms 0: none yet, and only Host and ContainerID mean something
	EndNS     int64            `json:"end_ns"`
	ActNS     int64            `json:"act_ns"` // end of the last alarm that brought something new, or of the first
	Part      int              `json:"part"`
	Continues string           `json:"continues,omitempty"`
	Told      []uint64         `json:"told"` // hashes of new things that were seen since the last silence
	New       []string         `json:"new"`  // most telling first
	Lost      int64            `json:"lost"`
	Gap       bool             `json:"gap"`
	Notes     []*note          `json:"notes"` // most telling first
	Facts     facts            `json:"facts"`
}

// facts are what the runtime said of a container.
type facts struct{ Name, Image, Digest, Namespace, Pod string }

// note is what is kept of a window above the threshold.
type note struct {
	FromNS   int64               `json:"from_ns"`
	Score    float64             `json:"score"`
	Rank     int                 `json:"rank"` // of its most telling new item; unranked: none
	Name     string              `json:"name"` // of the container
	Workload string              `json:"workload"`
	Known    bool                `json:"known"`
	Features []detector.Reason   `json:"features"`
	Calls    []call              `json:"calls"`
	Evidence []detector.Evidence `json:"evidence"`
	Ancestry []detector.Process  `json:"ancestry"`

	key     containerKey
	toNS    int64
	fresh   map[string]int // items never seen in training, by their place: 0 the strongest
	traced  int            // rank of the row that its ancestry is of
	dropped bool           // stronger ones came
}

// call is a system call that deviates.
type call struct {
	detector.Reason
	New bool `json:"new"`
}

const unranked = math.MaxInt32

// take adds an alarm and its note.
func (e *episode) take(a detector.Alarm, n *note, items []feature.NewItem) {
	if e.Of.Alarms == 0 {
		e.Of = detector.BeginEpisode(a)
	} else {
		e.Of.Add(a)
	}
	e.EndNS = max(e.EndNS, a.ToNS)
	for _, item := range items {
		if text := item.Item.String(); !slices.Contains(e.New, text) {
			e.New = append(e.New, text)
		}
	}
	slices.SortStableFunc(e.New, func(a, b string) int { return cmp.Or(cmp.Compare(textRank(a), textRank(b)), cmp.Compare(a, b)) })
	e.New = bounded(e.New)
	e.Notes = append(e.Notes, n)
	slices.SortStableFunc(e.Notes, func(a, b *note) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(b.Score, a.Score), cmp.Compare(a.FromNS, b.FromNS))
	})
	if len(e.Notes) <= maxNotes {
		return
	}
	last := len(e.Notes) - 1
	if e.Notes[last].FromNS == e.Of.PeakNS {
		last--
	}
	e.Notes[last].dropped = true
	e.Notes = slices.Delete(e.Notes, last, last+1)
}

// bounded cuts items after as many as a finding may name.
func bounded(items []string) []string {
	bytes := 0
	for i, item := range items {
		if bytes += len(item); i == maxNew || bytes > maxNewBytes {
			return items[:i]
		}
	}
	return items
}

// peak is the note of the window with the highest score.
func (e *episode) peak() *note {
	for _, n := range e.Notes {
		if n.FromNS == e.Of.PeakNS {
			return n
		}
	}
	return e.Notes[0]
}

// learn notes the new things of a window, and says whether one was not told before.
func (e *episode) learn(things []uint64) (fresh bool) {
	for _, t := range things {
		if len(e.Told) < maxNew && !slices.Contains(e.Told, t) {
			e.Told = append(e.Told, t)
			fresh = true
		}
	}
	return fresh
}

// after is what waits for alarms once the episode is written.
func (e *episode) after() *episode {
	return &episode{Of: detector.Episode{Host: e.Of.Host, ContainerID: e.Of.ContainerID},
		EndNS: e.EndNS, ActNS: e.ActNS, Told: e.Told, Facts: e.Facts}
}

// check says what of an episode that was read from a state cannot be.
func (e *episode) check() error {
	switch {
	case e.Of.Alarms < 0 || e.Part < 0 || e.Part > maxPart:
		return fmt.Errorf("%d alarms in part %d", e.Of.Alarms, e.Part)
	case len(e.Notes) > maxNotes || slices.Contains(e.Notes, nil) || (len(e.Notes) == 0) != (e.Of.Alarms == 0):
		return fmt.Errorf("%d notes of %d alarms", len(e.Notes), e.Of.Alarms)
	case len(e.New) > maxNew || len(e.Told) > maxNew:
		return fmt.Errorf("%d new items, %d things told", len(e.New), len(e.Told))
	}
	return nil
}

// newThings are hashes of what was never seen in training.
func newThings(what *feature.Description) (all []uint64) {
	add := func(kind, name string) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(kind + "\x00" + name))
		all = append(all, h.Sum64())
	}
	for _, item := range what.Items {
		add("item", item.Item.String())
	}
	for _, c := range what.Calls {
		if c.New {
			add("call", c.Name)
		}
	}
	return all
}

// itemRank orders the kinds of item, the ones first that say most when they are new.
var itemRank = map[string]int{profile.WriteExec: 1, profile.Priv: 2, profile.Cap: 3, profile.Exec: 4,
	profile.Called: 5, profile.Parent: 6,
	profile.Connect: 7, profile.Listen: 8, profile.Write: 9, profile.Read: 10, profile.Refused: 11, profile.Accept: 12, profile.Bind: 13}

// rankOf orders new items for a reader: by kind, those first that a technique of
// ATT&CK is known for.
func rankOf(item profile.Item) int {
	if _, ok := profile.TechniqueOf(item); ok {
		return itemRank[item.Kind]
	}
	return itemRank[item.Kind] + len(itemRank)
}

func textRank(text string) int {
	item, err := profile.ParseItem(text)
	if err != nil {
		return unranked
	}
	return rankOf(item)
}

// mostTellingFirst orders new items by their rank.
func mostTellingFirst(items []feature.NewItem) {
	slices.SortStableFunc(items, func(a, b feature.NewItem) int { return rankOf(a.Item) - rankOf(b.Item) })
}

// factsOf are the facts of a container, as last heard.
func (p *pass) factsOf(id string, before facts) facts {
	c, ok := p.recording.Containers[id]
	if !ok {
		return before
	}
	return facts{strings.Clone(c.Name), strings.Clone(c.Image), strings.Clone(c.ImageDigest), strings.Clone(c.PodNamespace), strings.Clone(c.Pod)}
}

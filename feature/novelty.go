package feature

import (
	"math"

	"mayfly/profile"
	"mayfly/trace"
)

// novel counts what was never seen in training.
type novel int

const (
	newCalls        novel = iota // different calls
	newCallCount                 // their occurrences
	newTrigrams                  // different trigrams
	newTrigramCount              // their occurrences
	newItems                     // different items, by kind, from here on: see novelKinds
	numNovel        = newItems + novel(numNovelKinds)
)

// novelKinds are the kinds of item whose novelty is counted, in order.
var novelKinds = [...]struct{ kind, reason string }{
	{profile.Exec, "a service runs the same few programs; a shell, a downloader or a miner is a new one"},
	{profile.WriteExec, "a program that was not in the image came in while the container ran"},
	{profile.Read, "secrets, /proc of others and configuration are read by intruders, not by the service"},
	{profile.Write, "payloads, web shells, cron entries and changed binaries are written to new places"},
	{profile.Connect, "call-backs, scans and exfiltration go to peers that the service never had"},
	{profile.Listen, "a bind shell listens where nothing listened"},
	{profile.Accept, "connections come in by a family that was not used"},
	{profile.Cap, "a capability that the workload never had in effect"},
	{profile.Refused, "who does not belong tries what is not allowed, and the kernel's no may be all that is left of it"},
	{profile.Called, "one file is many programs (busybox): nc, wget or mknod where only sort and grep ran"},
	{profile.Parent, "a server starts what it never started, or somebody from outside starts a program in its container"},
	{profile.Priv, "an escape needs mounts, namespaces, tracing, modules, or another user id"},
}

const numNovelKinds = 12

var novelIndex = func() map[string]novel {
	index := map[string]novel{}
	for i, k := range novelKinds {
		index[k.kind] = newItems + novel(i)
	}
	return index
}()

// measure says what of a window is new to a model. p is the window's own part of
// the training time, which does not count as seen; nil when scoring.
type measure struct {
	space *Space
	model *model
	part  *part
	at    place // of the window, where there is a part
}

// callModel returns what is usual of a call, nil when it was never seen.
func (m *measure) callModel(c trace.Call) *callModel {
	cm := m.model.call(c)
	if cm != nil && m.ownCall(c) {
		return nil
	}
	return cm
}

func (m *measure) ownCall(c trace.Call) bool {
	return m.part != nil && m.part.only(&m.model.learned.calls[c].sole)
}

// trigram returns how often a trigram was seen, and its place in model.Trigrams
// where that is not 0.
func (m *measure) trigram(t uint32) (at int, n uint64) {
	at, n = m.model.trigram(t)
	if n > 0 && m.part != nil && m.part.only(&m.model.learned.trigrams[t].sole) {
		return 0, 0
	}
	return at, n
}

func (m *measure) seenItem(item profile.Item, text string) bool {
	return m.seenName(item, text) || m.inSeries(item)
}

func (m *measure) seenName(item profile.Item, text string) bool {
	if !m.space.hasItem(m.model, item) {
		return false
	}
	if m.part == nil {
		return true
	}
	s := m.model.learned.items[text]
	return s == nil || !m.part.only(&s.sole)
}

// novelty counts what is new; steps are those of the window.
func (m *measure) novelty(w *Window, steps []step) (n [numNovel]uint64) {
	for i, c := range w.Calls {
		if m.callModel(c) == nil {
			n[newCalls]++
			n[newCallCount] += uint64(w.CallCounts[i])
		}
	}
	for i := range steps {
		if steps[i].at < 0 {
			n[newTrigrams]++
			n[newTrigramCount] += uint64(steps[i].count)
		}
	}
	for _, text := range w.Items {
		item, err := profile.ParseItem(text)
		if err != nil {
			continue // a kind of item that this version does not know
		}
		if at, ok := novelIndex[item.Kind]; ok && !m.seenItem(item, text) {
			n[at]++
		}
	}
	return n
}

// noveltyBits is how surprising it is, in bits, that items of a kind are new in
// a span of so many windows: by how often that came in training, where each
// window was measured against those before it. A service that reads a file that
// it never read each second surprises nobody with one more.
func (m *model) noveltyBits(kind int, windows float64) float64 {
	p := (float64(m.NovelWindows[kind]) + 1) / (float64(m.Windows) + 2)
	return max(0, -math.Log2(p*windows))
}

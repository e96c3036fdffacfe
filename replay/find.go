package replay

import (
	"math"
	"slices"
	"strings"
	"time"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/profile"
)

// alarm takes in that window i is above the threshold. It is a finding, unless it
// is the echo of one: the longer time scale holds an attack for as many windows as
// it is long, and people read findings, not windows. What brings something new is
// never an echo, but for a workload that was not learned: there all is new, and one
// finding says so.
func (p *pass) alarm(scored *detector.Scored, i int, w *feature.Window, l *life) error {
	what := p.d.Space.Describe(w, math.MaxInt)
	isNew := len(what.Items) > 0 || slices.ContainsFunc(what.Calls, func(c feature.Deviation) bool { return c.New })
	echo := !isNew && w.EndNS()-l.FindingNS <= int64(p.d.Space.LongWindows)*w.WidthNS
	if l.FindingNS != 0 && (echo || !what.Known) {
		p.report.Echoes++
		return nil
	}
	l.FindingNS = w.EndNS()
	return p.find(scored, i, w, what)
}

// find notes that window i is a finding, with what is strange about it.
func (p *pass) find(scored *detector.Scored, i int, w *feature.Window, what *feature.Description) error {
	key := containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}
	reasons, err := scored.Reasons(i, p.opts.MaxReasons)
	if err != nil {
		return err
	}
	detail := detector.Detail{
		ID:          detector.FindingID(p.sum, key.host, key.id, w.StartNS),
		ContainerID: key.id, Workload: strings.Clone(w.Workload),
		FromNS: w.StartNS, ToNS: w.EndNS(),
		Score: float64(scored.Scores[i]), Threshold: p.d.Manifest.Threshold, Detector: p.sum,
		Features: reasons, New: []string{}, Calls: []detector.Reason{}, Evidence: []detector.Evidence{}, Ancestry: []detector.Process{},
		Lost: int64(w.Counters[feature.NLost]), Gap: w.Missing&feature.TouchesGap != 0,
	}
	if detail.Features == nil {
		detail.Features = []detector.Reason{}
	}
	mostTellingFirst(what.Items)
	fresh := map[string]int{}
	for at, item := range what.Items {
		fresh[item.Item.String()] = at
		detail.New = append(detail.New, item.Item.String())
	}
	for _, c := range what.Calls[:min(p.opts.MaxReasons, len(what.Calls))] {
		detail.Calls = append(detail.Calls, detector.Reason{Name: c.Name, Seen: c.Seen, Low: c.Low, High: c.High})
	}
	f := p.falco(w, &detail, what)
	p.pending = append(p.pending, &pendingFinding{finding: f, key: key, fresh: fresh, traced: math.MaxInt})
	return nil
}

// itemRank orders the kinds of item, the ones first that say most when they are new.
var itemRank = map[string]int{profile.WriteExec: 1, profile.Priv: 2, profile.Cap: 3, profile.Exec: 4,
	profile.Connect: 5, profile.Listen: 6, profile.Write: 7, profile.Read: 8, profile.Accept: 9}

// mostTellingFirst orders new items for a reader: by kind, those first that a
// technique of ATT&CK is known for.
func mostTellingFirst(items []feature.NewItem) {
	rank := func(item profile.Item) int {
		if _, ok := profile.TechniqueOf(item); ok {
			return itemRank[item.Kind]
		}
		return itemRank[item.Kind] + len(itemRank)
	}
	slices.SortStableFunc(items, func(a, b feature.NewItem) int { return rank(a.Item) - rank(b.Item) })
}

// falco gives a finding the shape of one of Falco's alerts.
func (p *pass) falco(w *feature.Window, detail *detector.Detail, what *feature.Description) detector.Finding {
	facts := p.recording.Containers[detail.ContainerID]
	name := strings.Clone(w.ContainerName)
	if name == "" {
		name = detector.ShortID(detail.ContainerID)
	}
	return detector.Finding{
		Time:     time.Unix(0, w.StartNS).UTC().Format(time.RFC3339Nano),
		Rule:     "mayfly " + p.d.Manifest.Engine + " forest",
		Priority: priority(detail),
		Output:   headline(name, detail, what, p.d.Space.Profile.Workload(detail.Workload)),
		OutputFields: map[string]any{
			"container.id":               detector.ShortID(detail.ContainerID),
			"container.name":             facts.Name,
			"container.image":            facts.Image,
			"container.image.repository": detail.Workload,
			"container.image.digest":     facts.ImageDigest,
			"k8s.ns.name":                facts.PodNamespace,
			"k8s.pod.name":               facts.Pod,
			"evt.time":                   w.StartNS,
			"mayfly.score":               detail.Score,
		},
		Tags:     tags(what),
		Source:   "mayfly",
		Hostname: strings.Clone(w.Host),
		Mayfly:   *detail,
	}
}

// priority is Critical where something was done that the workload was never seen
// doing and that changes who runs there, Warning elsewhere.
func priority(detail *detector.Detail) string {
	for _, item := range detail.New {
		kind, _, _ := strings.Cut(item, " ")
		if slices.Contains([]string{"exec", "write-exec", "priv", "cap"}, kind) {
			return "Critical"
		}
	}
	return "Warning"
}

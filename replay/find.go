package replay

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/profile"
)

// alarm takes in that window i is above the threshold: see merge.go. In a workload
// that was not learned all is new, and one finding per container says so.
func (p *pass) alarm(scored *detector.Scored, i int, w *feature.Window, l *life) error {
	p.report.Alarms++
	what := p.d.Space.Describe(w, math.MaxInt)
	if !what.Known && l.FindingNS != 0 {
		p.report.Unlearned++
		return nil
	}
	l.FindingNS = w.EndNS()
	n, err := p.note(scored, i, w, what)
	if err != nil {
		return err
	}
	p.by = &n.key
	defer func() { p.by = nil }()
	p.join(l, n, newThings(what), what.Items)
	e := l.Open
	e.Lost += int64(w.Counters[feature.NLost])
	e.Gap = e.Gap || w.Missing&feature.TouchesGap != 0
	e.Facts = p.factsOf(n.key.id, e.Facts)
	if !n.dropped {
		p.pending = append(p.pending, n)
	}
	if !what.Known {
		p.close(l, w.StartNS, false)
		delete(p.open, n.key)
	}
	return nil
}

// join puts an alarm into its container's episode, or begins another.
func (p *pass) join(l *life, n *note, things []uint64, items []feature.NewItem) {
	if l.Open == nil {
		p.begin(n.key, l, n.FromNS)
		l.Open = &episode{ActNS: n.toNS}
	}
	if l.Open.learn(things) {
		if n.FromNS-l.Open.ActNS > n.toNS-n.FromNS {
			told, about := l.Open.Told, l.Open.Facts
			p.close(l, n.FromNS, false)
			l.Open = &episode{Told: told, Facts: about}
		}
		l.Open.ActNS = n.toNS
	}
	l.Open.take(detector.Alarm{Host: n.key.host, ContainerID: n.key.id, FromNS: n.FromNS, ToNS: n.toNS, Score: n.Score}, n, items)
}

// note gathers what is strange about window i, but for its events.
func (p *pass) note(scored *detector.Scored, i int, w *feature.Window, what *feature.Description) (*note, error) {
	reasons, err := scored.Reasons(i, p.opts.MaxReasons)
	if err != nil {
		return nil, err
	}
	n := &note{key: containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}, FromNS: w.StartNS, toNS: w.EndNS(), Score: float64(scored.Scores[i]), Rank: unranked,
		Name: strings.Clone(w.ContainerName), Workload: strings.Clone(w.Workload), Known: what.Known,
		Features: reasons, fresh: map[string]int{}, traced: math.MaxInt}
	mostTellingFirst(what.Items)
	for at, item := range what.Items {
		n.fresh[item.Item.String()] = at
		n.Rank = min(n.Rank, rankOf(item.Item))
	}
	for _, c := range what.Calls[:min(p.opts.MaxReasons, len(what.Calls))] {
		n.Calls = append(n.Calls, call{detector.Reason{Name: c.Name, Seen: c.Seen, Low: c.Low, High: c.High}, c.New})
	}
	return n, nil
}

func (p *pass) id(e *episode) string {
	return detector.FindingID(p.sum, e.Of.Host, e.Of.ContainerID, e.Of.FromNS)
}

// finding is what an episode that is closed becomes. The episode goes through JSON
// first, as it does when a state holds it between two runs: names that are no UTF-8
// would come out different otherwise.
func (p *pass) finding(open *episode) (*detector.Finding, error) {
	content, err := json.Marshal(open)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", p.id(open), err)
	}
	e := new(episode)
	if err := json.Unmarshal(content, e); err != nil {
		return nil, fmt.Errorf("finding %s: %w", p.id(open), err)
	}
	top := e.peak()
	detail := detector.Detail{
		ID: p.id(open), Continues: e.Continues, ContainerID: e.Of.ContainerID, Workload: top.Workload,
		FromNS: e.Of.FromNS, ToNS: e.Of.ToNS, PeakNS: e.Of.PeakNS, Alarms: e.Of.Alarms,
		Score: e.Of.Peak, Threshold: p.d.Manifest.Threshold, Detector: p.sum,
		Features: slices.Concat([]detector.Reason{}, top.Features), New: slices.Concat([]string{}, e.New),
		Calls: []detector.Reason{}, Evidence: []detector.Evidence{}, Ancestry: []detector.Process{},
		Lost: e.Lost, Gap: e.Gap,
	}
	what := &feature.Description{Known: top.Known}
	for _, c := range top.Calls {
		detail.Calls = append(detail.Calls, c.Reason)
		what.Calls = append(what.Calls, feature.Deviation{Name: c.Name, Seen: c.Seen, Low: c.Low, High: c.High, New: c.New})
	}
	for _, text := range e.New {
		if item, err := profile.ParseItem(text); err == nil {
			what.Items = append(what.Items, feature.NewItem{Item: item})
		}
	}
	for _, n := range e.Notes {
		detail.Evidence = append(detail.Evidence, n.Evidence...)
		if len(detail.Ancestry) == 0 {
			detail.Ancestry = append(detail.Ancestry, n.Ancestry...)
		}
	}
	detail.Evidence = choose(detail.Evidence, p.opts.MaxEvidence)
	f := p.falco(e, top, &detail, what)
	name(f)
	return f, nil
}

// falco gives a finding the shape of one of Falco's alerts.
func (p *pass) falco(e *episode, top *note, detail *detector.Detail, what *feature.Description) *detector.Finding {
	about := p.factsOf(detail.ContainerID, e.Facts)
	who := top.Name
	if who == "" {
		who = detector.ShortID(detail.ContainerID)
	}
	return &detector.Finding{
		Time:     time.Unix(0, detail.FromNS).UTC().Format(time.RFC3339Nano),
		Rule:     "mayfly " + p.d.Manifest.Engine + " forest",
		Priority: priority(detail),
		Output:   headline(who, time.Duration(p.d.Manifest.WidthNS), detail, what, p.d.Space.Profile.Workload(detail.Workload)),
		OutputFields: map[string]any{
			"container.id":               detector.ShortID(detail.ContainerID),
			"container.name":             about.Name,
			"container.image":            about.Image,
			"container.image.repository": detail.Workload,
			"container.image.digest":     about.Digest,
			"k8s.ns.name":                about.Namespace,
			"k8s.pod.name":               about.Pod,
			"evt.time":                   detail.FromNS,
			"mayfly.score":               detail.Score,
		},
		Tags:     tags(what),
		Source:   "mayfly",
		Hostname: e.Of.Host,
		Mayfly:   *detail,
	}
}

// priority is Critical where something was done that the workload was never seen
// doing and that changes who runs there, Warning elsewhere.
func priority(detail *detector.Detail) string {
	for _, item := range detail.New {
		kind, _, _ := strings.Cut(item, " ")
		if slices.Contains([]string{"exec", "write-exec", "called", "priv", "cap"}, kind) {
			return "Critical"
		}
	}
	return "Warning"
}

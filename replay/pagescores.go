package replay

import (
	"maps"
	"slices"
	"strings"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/page"
)

// Page gathers what a run's report shows, in memory that grows with the containers
// and not with the windows.
type Page struct {
	containers   map[containerKey]*pageContainer
	findings     []*detector.Finding // the first of them
	moreFindings int
	scores       [50]int // windows by score, in bins from 0 to 1
}

// pageContainer is one container's row.
type pageContainer struct {
	Host, ID, Name, Workload string
	Windows, Alarms          int64
	Lost                     int64
	GapWindows               int64
	Peak                     float64
	findings                 []*detector.Finding
	scores                   folded
}

func newPage() *Page { return &Page{containers: map[containerKey]*pageContainer{}} }

// see takes in a window that is scored now.
func (p *Page) see(w *feature.Window, score float64, alarm bool) {
	c := p.containers[containerKey{w.Host, w.ContainerID}]
	if c == nil {
		c = &pageContainer{Host: strings.Clone(w.Host), ID: strings.Clone(w.ContainerID)}
		p.containers[containerKey{c.Host, c.ID}] = c
	}
	if c.Name != w.ContainerName {
		c.Name = strings.Clone(w.ContainerName)
	}
	if c.Workload != w.Workload {
		c.Workload = strings.Clone(w.Workload)
	}
	c.Windows++
	c.Lost += int64(w.Counters[feature.NLost])
	if w.Missing&feature.TouchesGap != 0 {
		c.GapWindows++
	}
	if alarm {
		c.Alarms++
	}
	c.Peak = max(c.Peak, score)
	c.scores.add(w.StartNS, w.EndNS(), score, alarm)
	p.scores[min(max(int(score*float64(len(p.scores))), 0), len(p.scores)-1)]++
}

// merge adds what was seen of other containers, before any finding is told.
func (p *Page) merge(o *Page) {
	maps.Copy(p.containers, o.containers)
	for i, n := range o.scores {
		p.scores[i] += n
	}
}

// maxKept is how many findings of a container, and of a run times five, are kept.
const maxKept = 100

func (p *Page) found(f *detector.Finding) {
	if c := p.containers[containerKey{f.Hostname, f.Mayfly.ContainerID}]; c != nil && len(c.findings) < maxKept {
		c.findings = append(c.findings, f)
	}
	if len(p.findings) < 5*maxKept {
		p.findings = append(p.findings, f)
		return
	}
	p.moreFindings++
}

// folded is a timeline that is told window by window: where it grows over the most
// buckets, two become one.
type folded struct {
	fromNS, toNS int64
	widthNS      int64 // of a bucket
	peaks        []*float64
	alarms       []int
}

const maxBuckets = 240

func (t *folded) add(startNS, endNS int64, score float64, alarm bool) {
	if t.widthNS == 0 {
		t.fromNS, t.widthNS = startNS, max(1, endNS-startNS)
	}
	if startNS < t.fromNS { // a window that came late belongs to the first bucket
		startNS = t.fromNS
	}
	t.toNS = max(t.toNS, endNS)
	for (startNS-t.fromNS)/t.widthNS >= maxBuckets {
		t.fold()
	}
	at := int((startNS - t.fromNS) / t.widthNS)
	for len(t.peaks) <= at {
		t.peaks, t.alarms = append(t.peaks, nil), append(t.alarms, 0)
	}
	if t.peaks[at] == nil || score > *t.peaks[at] {
		t.peaks[at] = &score
	}
	if alarm {
		t.alarms[at]++
	}
}

func (t *folded) fold() {
	for i := range (len(t.peaks) + 1) / 2 {
		peak, alarms := t.peaks[2*i], t.alarms[2*i]
		if j := 2*i + 1; j < len(t.peaks) {
			alarms += t.alarms[j]
			if other := t.peaks[j]; peak == nil || other != nil && *other > *peak {
				peak = other
			}
		}
		t.peaks[i], t.alarms[i] = peak, alarms
	}
	t.peaks, t.alarms = t.peaks[:(len(t.peaks)+1)/2], t.alarms[:(len(t.alarms)+1)/2]
	t.widthNS *= 2
}

// timeline is what was told, up to the end of its last bucket.
func (t *folded) timeline() *page.Timeline {
	return &page.Timeline{FromNS: t.fromNS, ToNS: t.fromNS + int64(len(t.peaks))*t.widthNS, Peaks: t.peaks, Alarms: t.alarms}
}

// techniquesOf are the tags of a finding that are numbers of ATT&CK.
func techniquesOf(f *detector.Finding) []string {
	return slices.DeleteFunc(slices.Clone(f.Tags), func(tag string) bool { return len(tag) < 5 || tag[0] != 'T' })
}

package evaluate

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"mayfly/page"
	"strconv"
	"time"
)

//go:embed report.html.tmpl
var reportSource string

var reportPage = page.New("report", reportSource, template.FuncMap{
	"time":    func(t time.Time) string { return t.Format("2006-01-02 15:04:05.0") },
	"outcome": func(a *Attack) string { return a.outcome() },
})

// Rows beyond these are counted, not shown: the page stays one that a phone can
// open. The JSON form holds them all.
const (
	maxPageContainers = 1000
	maxPageAttacks    = 1000
)

// pageView is what the template sees.
type pageView struct {
	*Report
	Title          string
	Tiles          []page.Tile
	Charts         []page.Chart
	Timelines      []*page.Strip
	AttackRows     []*Attack
	ContainerRows  []ContainerSummary
	MoreAttacks    int
	MoreContainers int
	Facts          []page.Fact
}

// WriteHTML writes the report as one page that needs nothing else: no script, no
// font, no image from elsewhere, and a policy that would refuse them. Whatever
// came with the recording is text on it.
func (r *Report) WriteHTML(w io.Writer) error {
	v := pageView{Report: r, Title: "mayfly report", Tiles: r.tiles(), Facts: r.Provenance.facts()}
	if r.Provenance.Detector != "" {
		v.Title += ": " + r.Provenance.Detector
	}
	for i := range r.Attacks {
		v.AttackRows = append(v.AttackRows, &r.Attacks[i])
	}
	v.AttackRows, v.MoreAttacks = page.Clip(v.AttackRows, maxPageAttacks)
	v.ContainerRows, v.MoreContainers = page.Clip(r.PerContainer, maxPageContainers)
	if r.AUROC != nil {
		v.Charts = append(r.rocCharts(), r.prChart())
	}
	if len(r.Histogram.Normal) > 0 {
		v.Charts = append(v.Charts, r.histogramChart())
	}
	for i := range r.PerContainer {
		if c := &r.PerContainer[i]; c.Timeline != nil && c.Peak != nil {
			v.Timelines = append(v.Timelines, r.strip(c))
		}
	}
	if err := reportPage.Execute(w, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (r *Report) tiles() []page.Tile {
	interval := func(e *Estimate, format func(float64) string) (string, string) {
		if e == nil {
			return "–", ""
		}
		if e.Low == nil {
			return format(e.Value), ""
		}
		return format(e.Value), fmt.Sprintf("[%s, %s]", format(*e.Low), format(*e.High))
	}
	tiles := []page.Tile{{Name: "attacks found", Value: fmt.Sprintf("%d of %d", r.Found, r.Found+r.Missed), Detail: "at the threshold"}}
	if r.Found+r.Missed == 0 {
		tiles = []page.Tile{{Name: "attacks found", Value: "–", Detail: "none labelled"}}
	}
	add := func(name string, e *Estimate, format func(float64) string) {
		value, detail := interval(e, format)
		tiles = append(tiles, page.Tile{Name: name, Value: value, Detail: detail})
	}
	add("alarms per container-hour", r.AtThreshold.AlarmsPerContainerHour, page.Short)
	add("AUROC", r.AUROC, page.Decimals)
	add("AUPRC", r.AUPRC, page.Decimals)
	for i := range r.DetectionRates {
		at := &r.DetectionRates[i]
		add("attack windows at FPR "+page.Percent(at.FPR), &at.Rate, page.Percent)
	}
	return tiles
}

func (p *Provenance) facts() []page.Fact {
	var facts []page.Fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, page.Fact{Name: name, Value: value})
		}
	}
	add("detector", p.Detector)
	add("detector's SHA-256", p.SHA256)
	add("engine", p.Engine)
	if p.Engine != "" {
		add("seed of training", strconv.FormatUint(p.Seed, 10))
		add("window", page.Duration(p.WidthNS))
		add("learned from", fmt.Sprintf("%s windows of %d containers", page.Count(p.Training.Windows), p.Training.Containers))
	}
	switch {
	case p.Budget.AlarmsPerContainerDay > 0:
		add("alarm budget", page.Short(p.Budget.AlarmsPerContainerDay)+" per container-day")
	case p.Budget.FalsePositiveRate > 0:
		add("alarm budget", page.Percent(p.Budget.FalsePositiveRate)+" of normal windows")
	}
	for _, in := range p.Trained {
		add("trained on", fmt.Sprintf("%s (%s windows), SHA-256 %s", in.Name, page.Count(in.Windows), in.SHA256))
	}
	for _, in := range p.Inputs {
		add("measured on", fmt.Sprintf("%s (%s windows), SHA-256 %s", in.Name, page.Count(in.Windows), in.SHA256))
	}
	if p.Labels != nil {
		add("labels", fmt.Sprintf("%s (%s), SHA-256 %s", p.Labels.Name, page.Count(p.Labels.Windows), p.Labels.SHA256))
	}
	add("split", p.Split)
	add("aftermath", page.Duration(p.AftermathNS)+" after each label count as neither normal nor attack")
	add("intervals", fmt.Sprintf("95 %%, %d resamples of containers, seed %d", p.Resamples, p.BootstrapSeed))
	add("mayfly", p.Mayfly)
	return facts
}

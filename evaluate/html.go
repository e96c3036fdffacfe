package evaluate

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"
)

var (
	//go:embed report.html.tmpl
	pageSource string
	//go:embed report.css
	pageStyle string

	page = template.Must(template.New("report").Funcs(template.FuncMap{
		"style":    func() template.CSS { return template.CSS(pageStyle) },
		"decimals": func(v *float64) string { return optional(v, decimals) },
		"percent":  func(v *float64) string { return optional(v, percent) },
		"short":    short,
		"shortID":  shortID,
		"clock":    clock,
		"time":     func(t time.Time) string { return t.Format("2006-01-02 15:04:05.0") },
		"outcome":  func(a *Attack) string { return a.outcome() },
		"number":   func(n int) string { return grouped(int64(n)) },
		"count":    grouped,
	}).Parse(pageSource))
)

// Rows beyond these are counted, not shown: the page stays one that a phone can
// open. The JSON form holds them all.
const (
	maxPageContainers = 1000
	maxPageAttacks    = 1000
)

// pageView is what the template sees.
type pageView struct {
	*Report
	Tiles          []tile
	Charts         []chart
	Timelines      []timelineView
	AttackRows     []*Attack
	ContainerRows  []ContainerSummary
	MoreAttacks    int
	MoreContainers int
	Facts          []fact
}

// tile is one figure that the page opens with.
type tile struct{ Name, Value, Detail string }

type fact struct{ Name, Value string }

// WriteHTML writes the report as one page that needs nothing else: no script, no
// font, no image from elsewhere, and a policy that would refuse them. Whatever
// came with the recording is text on it.
func (r *Report) WriteHTML(w io.Writer) error {
	v := pageView{Report: r, Tiles: r.tiles(), Facts: r.Provenance.facts()}
	for i := range r.Attacks {
		v.AttackRows = append(v.AttackRows, &r.Attacks[i])
	}
	v.AttackRows, v.MoreAttacks = clip(v.AttackRows, maxPageAttacks)
	v.ContainerRows, v.MoreContainers = clip(r.PerContainer, maxPageContainers)
	if r.AUROC != nil {
		v.Charts = append(r.rocCharts(), r.prChart())
	}
	if len(r.Histogram.Normal) > 0 {
		v.Charts = append(v.Charts, r.histogramChart())
	}
	for i := range r.PerContainer {
		if c := &r.PerContainer[i]; c.Timeline != nil && c.Peak != nil {
			v.Timelines = append(v.Timelines, r.timelineView(c))
		}
	}
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func clip[T any](rows []T, most int) ([]T, int) {
	if len(rows) <= most {
		return rows, 0
	}
	return rows[:most], len(rows) - most
}

func (r *Report) tiles() []tile {
	interval := func(e *Estimate, format func(float64) string) (string, string) {
		if e == nil {
			return "–", ""
		}
		if e.Low == nil {
			return format(e.Value), ""
		}
		return format(e.Value), fmt.Sprintf("[%s, %s]", format(*e.Low), format(*e.High))
	}
	tiles := []tile{{"attacks found", fmt.Sprintf("%d of %d", r.Found, r.Found+r.Missed), "at the threshold"}}
	if r.Found+r.Missed == 0 {
		tiles = []tile{{"attacks found", "–", "none labelled"}}
	}
	add := func(name string, e *Estimate, format func(float64) string) {
		value, detail := interval(e, format)
		tiles = append(tiles, tile{name, value, detail})
	}
	add("alarms per container-hour", r.AtThreshold.AlarmsPerContainerHour, short)
	add("AUROC", r.AUROC, decimals)
	add("AUPRC", r.AUPRC, decimals)
	for i := range r.DetectionRates {
		at := &r.DetectionRates[i]
		add("attack windows at FPR "+percent(at.FPR), &at.Rate, percent)
	}
	return tiles
}

func (p *Provenance) facts() []fact {
	var facts []fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fact{name, value})
		}
	}
	add("detector", p.Detector)
	add("detector's SHA-256", p.SHA256)
	add("engine", p.Engine)
	if p.Engine != "" {
		add("seed of training", strconv.FormatUint(p.Seed, 10))
		add("window", plainDuration(p.WidthNS))
		add("learned from", fmt.Sprintf("%s windows of %d containers", grouped(p.Training.Windows), p.Training.Containers))
	}
	switch {
	case p.Budget.AlarmsPerContainerDay > 0:
		add("alarm budget", short(p.Budget.AlarmsPerContainerDay)+" per container-day")
	case p.Budget.FalsePositiveRate > 0:
		add("alarm budget", percent(p.Budget.FalsePositiveRate)+" of normal windows")
	}
	for _, in := range p.Trained {
		add("trained on", fmt.Sprintf("%s (%s windows), SHA-256 %s", in.Name, grouped(in.Windows), in.SHA256))
	}
	for _, in := range p.Inputs {
		add("measured on", fmt.Sprintf("%s (%s windows), SHA-256 %s", in.Name, grouped(in.Windows), in.SHA256))
	}
	if p.Labels != nil {
		add("labels", fmt.Sprintf("%s (%s), SHA-256 %s", p.Labels.Name, grouped(p.Labels.Windows), p.Labels.SHA256))
	}
	add("split", p.Split)
	add("aftermath", plainDuration(p.AftermathNS)+" after each label count as neither normal nor attack")
	add("intervals", fmt.Sprintf("95 %%, %d resamples of containers, seed %d", p.Resamples, p.BootstrapSeed))
	add("mayfly", p.Mayfly)
	return facts
}

// plainDuration is a duration without zeros at its end: 1m, not 1m0s.
func plainDuration(ns int64) string {
	s := time.Duration(ns).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// grouped writes a number with a thin space between groups of three digits.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteRune('\u202f')
		}
		b.WriteRune(c)
	}
	return b.String()
}

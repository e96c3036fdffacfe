package replay

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"mayfly/detector"
	"mayfly/page"
)

//go:embed page.html.tmpl
var pageSource string

var replayPage = page.New("replay", pageSource, template.FuncMap{
	"time":       func(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05.0") },
	"value":      func(v float64) string { return page.Decimals(v) },
	"techniques": func(f *detector.Finding) string { return strings.Join(techniquesOf(f), " ") },
})

// Rows beyond these are counted, not shown.
const (
	maxPageFindings   = 500
	maxPageStrips     = 200
	maxPageContainers = 1000
)

// pageView is what the template sees.
type pageView struct {
	Title          string
	Report         *Report
	Findings       []*detector.Finding
	MoreFindings   int
	Chart          page.Chart
	Tiles          []page.Tile
	Strips         []*page.Strip
	Containers     []*pageContainer
	MoreContainers int
	Notes          []string
	Facts          []page.Fact
}

// WriteHTML writes what the run found as one page that needs nothing else (package
// page). r is the run's report, d the detector, name its file; version is mayfly's.
func (p *Page) WriteHTML(w io.Writer, r *Report, d *detector.Detector, name, version string) error {
	v := pageView{Title: "mayfly findings", Report: r, Chart: p.histogram(d.Manifest.Threshold), Facts: pageFacts(d, name, version), Notes: pageNotes(r)}
	v.Findings, v.MoreFindings = page.Clip(p.findings, maxPageFindings)
	v.MoreFindings += p.moreFindings
	windows := int64(0)
	containers := make([]*pageContainer, 0, len(p.containers))
	for _, c := range p.containers {
		containers = append(containers, c)
		windows += c.Windows
	}
	hours := float64(windows) * float64(d.Manifest.WidthNS) / float64(time.Hour)
	slices.SortFunc(containers, func(a, b *pageContainer) int {
		return cmp.Or(cmp.Compare(len(b.findings), len(a.findings)), cmp.Compare(b.Alarms, a.Alarms), cmp.Compare(b.Peak, a.Peak),
			cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range containers[:min(len(containers), maxPageStrips)] {
		v.Strips = append(v.Strips, c.strip(d.Manifest.Threshold))
	}
	v.Containers, v.MoreContainers = page.Clip(containers, maxPageContainers)
	v.Tiles = []page.Tile{
		{Name: "findings", Value: page.Count(r.Findings), Detail: fmt.Sprintf("of %d containers", p.affected())},
		{Name: "containers", Value: page.Count(int64(r.Containers))},
		{Name: "container-hours", Value: page.Short(hours), Detail: page.Count(r.Windows) + " windows"},
		{Name: "alarms per container-hour", Value: page.Short(float64(r.Alarms) / max(hours, 1e-9)), Detail: page.Count(r.Alarms) + " alarms"},
		{Name: "records lost", Value: page.Count(r.Lost)},
		{Name: "windows in gaps", Value: page.Count(r.GapWindows)},
	}
	if err := replayPage.Execute(w, &v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (p *Page) affected() (n int) {
	for _, c := range p.containers {
		if len(c.findings) > 0 {
			n++
		}
	}
	return n
}

// strip is a container's scores, with its findings behind them.
func (c *pageContainer) strip(threshold float64) *page.Strip {
	label := c.Name
	if label == "" {
		label = page.ShortID(c.ID)
	}
	if label == "" {
		label = "host"
	}
	s := page.NewStrip(label, c.scores.timeline(), 0, 1, threshold)
	s.Small = c.Workload + " on " + c.Host
	s.Sum = fmt.Sprintf("%d findings, %d alarms", len(c.findings), c.Alarms)
	for _, f := range c.findings {
		class := "aftermath"
		if f.Priority == "Critical" {
			class = "missed"
		}
		s.Mark(class, f.Mayfly.ID, f.Mayfly.FromNS, f.Mayfly.ToNS, class == "missed")
		s.Name(class, f.Mayfly.ID)
	}
	return s
}

// histogram counts the windows by score, the threshold among them.
func (p *Page) histogram(threshold float64) page.Chart {
	top := 10.0
	for _, n := range p.scores {
		for float64(n) > top {
			top *= 10
		}
	}
	x, y := page.XScale(0, 1, false), page.YScale(0.5, top, true)
	c := page.Chart{Title: "Scores", XLabel: "score (higher is stranger)", YLabel: "windows", About: "How many windows have which score", XTicks: page.RoundTicks(x)}
	for v := 1.0; v <= top; v *= 10 {
		c.YTicks = append(c.YTicks, page.Tick{At: y.At(v), Text: page.Short(v)})
	}
	var bars, line page.Path
	width := (page.FrameRight - page.FrameLeft) / float64(len(p.scores))
	for i, n := range p.scores {
		if n > 0 {
			left := page.FrameLeft + width*float64(i)
			bars.Bar(left+0.04*width, page.FrameBottom, left+0.96*width, y.At(float64(n)))
		}
	}
	line.Move(x.At(threshold), page.FrameBottom)
	line.Line(x.At(threshold), page.FrameTop)
	c.Lines = []page.Stroke{{Class: "normal", Path: bars.String()}, {Class: "threshold", Path: line.String()}}
	c.Legend = []page.Legend{{Class: "normal", Text: "windows"}, {Class: "threshold", Text: "threshold " + page.Decimals(threshold)}}
	return c
}

// pageNotes are what a reader must know to read the figures right.
func pageNotes(r *Report) (notes []string) {
	add := func(n int64, format string) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, page.Count(n)))
		}
	}
	add(int64(len(r.Rejected)), "%s files could not be read and are not in this report.")
	add(int64(r.LateFiles), "%s files came when their time had been scored without them.")
	add(r.Lost, "%s records were lost by the recorder within these windows: what they held was not scored.")
	add(r.GapWindows, "%s windows touch a gap of the recording: that nothing was found there says little.")
	add(r.LateRows, "%s rows came too late for their windows.")
	add(r.Waiting, "%s windows wait for files that are not sealed yet.")
	add(int64(r.Open), "%s findings may still go on; a later run writes them.")
	add(r.Unlearned, "%s alarms more are of workloads that were not learned: one finding for each container says so.")
	return notes
}

func pageFacts(d *detector.Detector, name, version string) []page.Fact {
	m := &d.Manifest
	sum, err := d.SHA256()
	if err != nil {
		sum = err.Error()
	}
	facts := []page.Fact{
		{Name: "detector", Value: name}, {Name: "detector's SHA-256", Value: sum}, {Name: "engine", Value: m.Engine},
		{Name: "window", Value: page.Duration(m.WidthNS)}, {Name: "threshold", Value: page.Decimals(m.Threshold)},
		{Name: "learned from", Value: fmt.Sprintf("%s windows of %d containers", page.Count(m.Training.Windows), m.Training.Containers)},
	}
	for _, in := range m.Inputs {
		facts = append(facts, page.Fact{Name: "trained on", Value: fmt.Sprintf("%s (%s windows), SHA-256 %s", in.Name, page.Count(in.Windows), in.SHA256)})
	}
	return append(facts, page.Fact{Name: "mayfly", Value: version})
}

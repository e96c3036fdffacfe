// Package page owns what the HTML reports have in common: their style for screen,
// dark screen, phone and paper, figures in words, charts, and strips of scores over
// time. A page needs nothing else: no script, no font, no image from elsewhere, and a
// policy that would refuse them.
//
// A report's own template comes in; a template that draws the common parts goes out:
//
//	var report = page.New("report", source, template.FuncMap{…})
//
// In it {{template "head" "title"}} opens the document, and "tiles", "chart", "strip"
// and "facts" draw a []Tile, a Chart, a *Strip and a []Fact. Whatever came with a
// recording is text on the page: html/template escapes it.
package page

import (
	_ "embed"
	"html/template"
	"maps"
)

var (
	//go:embed style.css
	style string
	//go:embed parts.html.tmpl
	parts string
)

// Tile is one figure that a page opens with.
type Tile struct{ Name, Value, Detail string }

// Fact is one line of where a report comes from.
type Fact struct{ Name, Value string }

// New parses a report's template, with the common parts and functions besides its
// own. It panics where the source is no template, as template.Must does.
func New(name, source string, funcs template.FuncMap) *template.Template {
	all := template.FuncMap{
		"style":    func() template.CSS { return template.CSS(style) },
		"decimals": func(v *float64) string { return Optional(v, Decimals) },
		"percent":  func(v *float64) string { return Optional(v, Percent) },
		"short":    Short,
		"shortID":  ShortID,
		"clock":    Clock,
		"number":   func(n int) string { return Count(int64(n)) },
		"count":    Count,
	}
	maps.Copy(all, funcs)
	return template.Must(template.Must(template.New(name).Funcs(all).Parse(parts)).Parse(source))
}

// Clip returns the first rows, and how many more there are.
func Clip[T any](rows []T, most int) ([]T, int) {
	if len(rows) <= most {
		return rows, 0
	}
	return rows[:most], len(rows) - most
}

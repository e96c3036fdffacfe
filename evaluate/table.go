package evaluate

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// WriteTable writes the report for a terminal, with the first two facts that
// carried each attack. Names that came with the recording are printed without
// control characters.
func (r *Report) WriteTable(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }
	line("windows\t%d\t%s", r.Windows.Total, r.Windows.words())
	line("containers\t%d\t%.3g container-hours of normal windows", r.Containers, r.NormalHours)
	line("AUROC\t%s", r.AUROC.words(decimals))
	line("AUPRC\t%s", r.AUPRC.words(decimals))
	for i := range r.DetectionRates {
		at := &r.DetectionRates[i]
		line("detection rate at FPR %s\t%s", percent(at.FPR), at.Rate.words(percent))
	}
	op := &r.AtThreshold
	line("at threshold\t%.4f\tFPR %s, attack windows above it %s, precision %s", op.Threshold,
		optional(op.FPR, percent), optional(op.Recall, percent), optional(op.Precision, percent))
	line("alarms per container-hour\t%s", op.AlarmsPerContainerHour.words(short))
	line("findings\t%d in normal time, %d in attacks and after them", op.NormalFindings, op.AttackFindings)
	if len(r.Attacks) > 0 {
		line("attacks found\t%d of %d", r.Found, r.Found+r.Missed)
	}
	_ = t.Flush() // into a buffer, which takes everything
	if len(r.Attacks) > 0 {
		fmt.Fprintln(&b)
		t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		line("ATTACK\tCONTAINER\tWINDOWS\tALARMS\tDETECTED AFTER\tPEAK\tCARRIED BY")
		for i := range r.Attacks {
			a := &r.Attacks[i]
			line("%s\t%s\t%d\t%d\t%s\t%s\t%s", printable(a.Attack), printable(a.Where()), a.Windows, a.Alarms,
				a.outcome(), optional(a.PeakScore, decimals), printable(strings.Join(a.Carried[:min(2, len(a.Carried))], "; ")))
		}
		_ = t.Flush() // into a buffer, which takes everything
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\nnote: %s", note)
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(&b)
	}
	if _, err := w.Write(trimLines(b.Bytes())); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// trimLines drops the blanks that tabwriter leaves at the ends of lines.
func trimLines(b []byte) []byte {
	lines := bytes.Split(b, []byte("\n"))
	for i := range lines {
		lines[i] = bytes.TrimRight(lines[i], " ")
	}
	return bytes.Join(lines, []byte("\n"))
}

// outcome is the time to detect, or what happened instead.
func (a *Attack) outcome() string {
	switch {
	case a.TimeToDetectS != nil:
		return seconds(*a.TimeToDetectS)
	case a.Windows == 0 && a.Trained > 0:
		return "learned from"
	case a.Windows == 0:
		return "no windows"
	}
	return "missed"
}

func (c Counts) words() string {
	parts := []string{fmt.Sprintf("%d normal", c.Normal), fmt.Sprintf("%d of attacks", c.Attack)}
	if c.Aftermath > 0 {
		parts = append(parts, fmt.Sprintf("%d of aftermath (left out)", c.Aftermath))
	}
	if c.Trained > 0 {
		parts = append(parts, fmt.Sprintf("%d learned from (left out)", c.Trained))
	}
	return strings.Join(parts, ", ")
}

// words is the figure with its interval, or a dash.
func (e *Estimate) words(format func(float64) string) string {
	switch {
	case e == nil:
		return "–"
	case e.Low == nil || e.High == nil:
		return format(e.Value)
	}
	return fmt.Sprintf("%s [%s, %s]", format(e.Value), format(*e.Low), format(*e.High))
}

func optional(v *float64, format func(float64) string) string {
	if v == nil {
		return "–"
	}
	return format(*v)
}

func decimals(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
func percent(v float64) string  { return strconv.FormatFloat(100*v, 'g', 3, 64) + " %" }
func seconds(v float64) string  { return strconv.FormatFloat(v, 'f', 1, 64) + " s" }

// short keeps three digits, and every digit before the point.
func short(v float64) string {
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// clock is a time of day within a report, UTC.
func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05") }

// printable replaces what could steer a terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '\uFFFD'
	}, s)
}

// shortID cuts a 64-digit container id to the 12 digits that people know.
func shortID(id string) string {
	if len(id) == 64 && strings.Trim(id, "0123456789abcdef") == "" {
		return id[:12]
	}
	return id
}

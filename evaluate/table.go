package evaluate

import (
	"bytes"
	"fmt"
	"io"
	"mayfly/page"
	"strconv"
	"strings"
	"text/tabwriter"
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
	line("AUROC\t%s", r.AUROC.words(page.Decimals))
	line("AUPRC\t%s", r.AUPRC.words(page.Decimals))
	for i := range r.DetectionRates {
		at := &r.DetectionRates[i]
		line("detection rate at FPR %s\t%s", page.Percent(at.FPR), at.Rate.words(page.Percent))
	}
	op := &r.AtThreshold
	line("at threshold\t%.4f\tFPR %s, attack windows above it %s, precision %s", op.Threshold,
		page.Optional(op.FPR, page.Percent), page.Optional(op.Recall, page.Percent), page.Optional(op.Precision, page.Percent))
	line("alarms per container-hour\t%s", op.AlarmsPerContainerHour.words(page.Short))
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
				a.outcome(), page.Optional(a.PeakScore, page.Decimals), printable(strings.Join(a.Carried[:min(2, len(a.Carried))], "; ")))
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

func seconds(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " s" }

// printable replaces what could steer a terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '\uFFFD'
	}, s)
}

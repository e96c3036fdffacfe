package sink

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mayfly/detector"
)

// table is for a person at a terminal. Its columns have fixed widths, so that the
// first line can be shown before the last one is known.
type table struct{}

const tableRow = "%-23s  %-8s  %-20s  %-24s  %6s  %s\n"

func (table) Begin(dst []byte) []byte {
	return fmt.Appendf(dst, tableRow, "TIME (UTC)", "PRIORITY", "CONTAINER", "WORKLOAD", "LASTED", "WHAT")
}

func (table) Append(dst []byte, f *detector.Finding) ([]byte, error) {
	name, _ := f.OutputFields["container.name"].(string)
	if name == "" {
		name = detector.ShortID(f.Mayfly.ContainerID)
	}
	from := time.Unix(0, f.Mayfly.FromNS).UTC()
	lasted := time.Duration(f.Mayfly.ToNS - f.Mayfly.FromNS).Round(100 * time.Millisecond)
	return fmt.Appendf(dst, tableRow, from.Format("2006-01-02 15:04:05.000"), Printable(f.Priority),
		column(name, 20), column(f.Mayfly.Workload, 24), lasted, Printable(What(f))), nil
}

func (table) End(dst []byte) []byte { return dst }

// What is a finding's sentence without the container that it begins with, which has
// a column of its own.
func What(f *detector.Finding) string {
	if _, what, ok := strings.Cut(f.Output, "): "); ok {
		return what
	}
	return f.Output
}

// column fits a text into a column of so many characters, its end cut.
func column(s string, width int) string {
	s = Printable(s)
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// Printable returns a text as one line that moves no cursor and turns no writing
// around: what is not a graphic character stands as its escape.
func Printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

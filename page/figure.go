package page

import (
	"strconv"
	"strings"
	"time"
)

// Figures as the reports write them.

// Decimals has three digits behind the point.
func Decimals(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

// Percent is a share of 1 with three digits.
func Percent(v float64) string { return strconv.FormatFloat(100*v, 'g', 3, 64) + " %" }

// Short keeps three digits, and every digit before the point.
func Short(v float64) string {
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Optional is a dash where there is no figure.
func Optional(v *float64, format func(float64) string) string {
	if v == nil {
		return "–"
	}
	return format(*v)
}

// Clock is a time within a report, UTC; ns since 1970-01-01.
func Clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05") }

// Duration is a length of time without zeros at its end: 1m, not 1m0s.
func Duration(ns int64) string {
	s := time.Duration(ns).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Count writes a number with a thin space between groups of three digits.
func Count(n int64) string {
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

// ShortID cuts a 64-digit container id to the 12 digits that people know.
func ShortID(id string) string {
	if len(id) == 64 && strings.Trim(id, "0123456789abcdef") == "" {
		return id[:12]
	}
	return id
}

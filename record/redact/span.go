package redact

import (
	"regexp"
	"slices"
	"strings"
)

// span is where a secret stands: from from up to to.
type span struct{ from, to int }

// firstGroup is the first group of a match that took part and is not empty; of an
// expression without groups the match itself.
func firstGroup(match []int) (span, bool) {
	if len(match) > 2 {
		match = match[2:]
	}
	for i := 0; i+1 < len(match); i += 2 {
		if match[i] >= 0 && match[i+1] > match[i] {
			return span{match[i], match[i+1]}, true
		}
	}
	return span{}, false
}

// matches returns the spans that expressions find in s.
func matches(exprs []*regexp.Regexp, s string) (spans []span) {
	for _, re := range exprs {
		for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
			if found, ok := firstGroup(m); ok {
				spans = append(spans, found)
			}
		}
	}
	return spans
}

// replace puts Mark in the place of each span of s. A Mark that stands in s
// already joins the spans that touch it, so that nothing is replaced twice.
func replace(s string, spans []span) string {
	if len(spans) == 0 {
		return s
	}
	for from := 0; ; {
		at := strings.Index(s[from:], Mark)
		if at < 0 {
			break
		}
		spans = append(spans, span{from + at, from + at + len(Mark)})
		from += at + len(Mark)
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for i := 0; i < len(spans); {
		joined := spans[i]
		for i++; i < len(spans) && spans[i].from <= joined.to; i++ {
			joined.to = max(joined.to, spans[i].to)
		}
		out.WriteString(s[at:joined.from])
		out.WriteString(Mark)
		at = joined.to
	}
	out.WriteString(s[at:])
	return out.String()
}

// wholeWord replaces a word, except for the quotes around it.
func wholeWord(s string) string {
	if s == "" {
		return s
	}
	if q := s[0]; len(s) >= 2 && (q == '"' || q == '\'') && s[len(s)-1] == q {
		if len(s) == 2 {
			return s
		}
		return s[:1] + Mark + s[len(s)-1:]
	}
	return Mark
}

// isOption tells an option from a value: a lone dash and negative numbers are values.
func isOption(s string) bool {
	return len(s) >= 2 && s[0] == '-' && (s[1] == '-' || s[1] >= 'A' && s[1] <= 'Z' || s[1] >= 'a' && s[1] <= 'z')
}

// isScript tells the option before a shell's text: -c, -lc, -euxc. In such a text
// a secret ends with its word, else it may have spaces.
func isScript(option string) bool {
	return len(option) >= 2 && len(option) <= 6 && option[0] == '-' && option[1] != '-' && option[len(option)-1] == 'c'
}

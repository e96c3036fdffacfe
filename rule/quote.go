package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// maxQuoted is the longest value of a comparison that libsinsp compiles, in bytes
// ("filter parameter too long", seen with 0.29.3 from 256 bytes on).
const maxQuoted = 255

// quote writes a value as a string of Falco's condition language, with the
// escapes that libsinsp's parser undoes (userspace/libsinsp/filter/parser.cpp,
// unescape_str). It returns false for values that no quoting makes safe: the
// parser takes a quote behind any backslash for part of the string, an escaped
// backslash too, so that no string can end in one; and Falco
// replaces the name of a list wherever it stands between two delimiters in the
// text of a condition (rule_loader_compiler.cpp, resolve_list), inside quotes
// too, and other rule files may have lists of any name. An apostrophe ends a string
// of libsinsp 0.29, and escaped is an error to that of today (escaping.cpp). Of <NA>,
// which stands for no value, Falco warns.
func quote(value string) (string, bool) {
	if value == "<NA>" || len(value) > maxQuoted || spliceable(value) || strings.ContainsAny(value, "'\x00") || strings.HasSuffix(value, `\`) {
		return "", false
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch r {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String(), true
}

// spliceable says that a word which could be the name of a list stands between
// two of Falco's delimiters. Escaped newlines and tabs end in a letter that would
// join the next word, so they count as delimiters here to be on the safe side.
func spliceable(value string) bool {
	const delimiters = " \t\n\r(),="
	from := -1 // start of the word at hand, -1 when it does not begin behind a delimiter
	for i := 0; i < len(value); i++ {
		if !strings.ContainsRune(delimiters, rune(value[i])) {
			continue
		}
		if from >= 0 && word(value[from:i]) {
			return true
		}
		from = i + 1
	}
	return false
}

// word says whether s is a name that Falco gives to lists.
func word(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '_' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// globSafe says that a path has no character that is special in a pattern.
func globSafe(path string) bool { return !strings.ContainsAny(path, `*?[]{}!\`) }

// comment writes a value for a comment: ASCII, quoted, on one line, at most 200
// bytes of it.
func comment(value string) string {
	if len(value) > 200 {
		return strconv.QuoteToASCII(value[:200]) + "..."
	}
	return strconv.QuoteToASCII(value)
}

// quoteAll quotes values. What cannot be said safely is left out and said so.
func quoteAll(values []string) (quoted, left []string) {
	for _, value := range values {
		if q, ok := quote(value); ok {
			quoted = append(quoted, q)
		} else {
			left = append(left, fmt.Sprintf("%s cannot be written safely and is left out", comment(value)))
		}
	}
	return quoted, left
}

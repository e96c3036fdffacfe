package trace

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// validText returns s with every byte that is not UTF-8 written as \xNN: paths
// and names are bytes from outside, and a Parquet string must be UTF-8.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			b.WriteString(`\x`)
			b.WriteByte(hex[s[0]>>4])
			b.WriteByte(hex[s[0]&15])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// escape is validText of a text of a row, where the row's escaped tells that it was
// done: then a backslash is \x5c, so that each \xNN stands for a byte. again is of
// a row that says so already.
func escape(s string, again bool) string {
	if !again {
		s = strings.ReplaceAll(s, `\`, `\x5c`)
	}
	return validText(s)
}

// textBytes returns validText(s) as bytes that nobody may change.
func textBytes(s string) []byte {
	s = validText(s)
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

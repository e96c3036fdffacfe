package pseudonym

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mayfly/profile"
)

// minKey is the shortest key, in bytes.
const minKey = 16

//go:embed keep.txt
var keepList string

// Mapper replaces names. The same key and words to keep give the same names. Not
// safe for concurrent use.
type Mapper struct {
	key   []byte
	keep  map[string]bool
	parts map[string]string // components of texts that were replaced already
}

// NewMapper returns a mapper of a secret key of at least 16 bytes. keep are words that
// stay besides those that every system has; a word is a run of letters and digits, and
// upper and lower case are one.
func NewMapper(key []byte, keep []string) (*Mapper, error) {
	if len(key) < minKey {
		return nil, fmt.Errorf("key: %d bytes, want at least %d (head -c 32 /dev/urandom makes some)", len(key), minKey)
	}
	m := &Mapper{key: key, keep: map[string]bool{}, parts: map[string]string{}}
	lines := bufio.NewScanner(strings.NewReader(keepList))
	for lines.Scan() {
		if word := lines.Text(); word != "" && word[0] != '#' {
			m.keep[word] = true
		}
	}
	for _, word := range keep {
		if word == "" || strings.IndexFunc(word, func(r rune) bool { return r >= utf8.RuneSelf || !alnum(byte(r)) }) >= 0 {
			return nil, fmt.Errorf("word to keep %q: want letters and digits only", word)
		}
		m.keep[strings.ToLower(word)] = true
	}
	return m, errors.Join(lines.Err())
}

// maxParts bounds the memory that replaced components take.
const maxParts = 1 << 20

// Text replaces each word of a text: a path, a name, an argument. Slashes part it into
// components; punctuation stays.
func (m *Mapper) Text(s string) string {
	if s == "" {
		return ""
	}
	parts := strings.Split(s, "/")
	for i, part := range parts {
		mapped, ok := m.parts[part]
		if !ok {
			if len(m.parts) >= maxParts {
				clear(m.parts)
			}
			part = strings.Clone(part)
			mapped = m.component(part)
			m.parts[part] = mapped
		}
		parts[i] = mapped
	}
	return strings.Join(parts, "/")
}

// maxTweaks is how often a component is replaced otherwise until nothing in it looks
// like a date or a temporary name that did not before.
const maxTweaks = 64

func (m *Mapper) component(part string) string {
	dated := strings.Contains(profile.Template(part), "<date>")
	for tweak := range maxTweaks {
		out := m.words(part, byte(tweak), dated)
		if alike(part, out) {
			return out
		}
	}
	return m.words(part, maxTweaks, dated) // scores may differ by this name
}

// alike says whether two components have the same parts that differ from run to run,
// wherever they lie.
func alike(a, b string) bool {
	for _, dir := range []string{"/srv/x/", "/proc/x/", "/tmp/x/"} {
		if shape(profile.Template(dir+a)) != shape(profile.Template(dir+b)) {
			return false
		}
	}
	return true
}

// shape is a template without its words: what is between marks, by its length.
func shape(template string) string {
	var b strings.Builder
	for len(template) > 0 {
		if template[0] == '<' {
			if mark, _, ok := strings.Cut(template, ">"); ok && len(mark) <= len("<uuid") {
				b.WriteString(mark)
				template = template[len(mark):]
				continue
			}
		}
		b.WriteByte('.')
		template = template[1:]
	}
	return b.String()
}

// words replaces the runs of letters and digits of a component.
func (m *Mapper) words(part string, tweak byte, dated bool) string {
	var b strings.Builder
	for at := 0; at < len(part); {
		to := at
		for to < len(part) && alnum(part[to]) {
			to++
		}
		switch {
		case to > at:
			b.WriteString(m.word(part[at:to], tweak, dated))
		case part[at] >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(part[at:])
			b.WriteRune(m.letter(r, tweak))
			to = at + size
		default:
			b.WriteByte(part[at])
			to = at + 1
		}
		at = to
	}
	return b.String()
}

// letter replaces a character beyond ASCII by a Chinese one. Two may become one.
func (m *Mapper) letter(r rune, tweak byte) rune {
	const first, many = 0x4e00, 20000
	return first + rune(m.random(tweak, "letter", string(r))%many)
}

// word replaces a run of letters and digits. "tmp" and a leading "sed" stay, for
// templates know them; so do all digits of a component with a date.
func (m *Mapper) word(w string, tweak byte, dated bool) string {
	if m.keep[strings.ToLower(w)] || dated && strings.Trim(w, "0123456789") == "" {
		return w
	}
	if before, after, ok := strings.Cut(w, "tmp"); ok {
		return m.word(before, tweak, dated) + "tmp" + m.word(after, tweak, dated)
	}
	if rest, ok := strings.CutPrefix(w, "sed"); ok && len(rest) == 6 {
		return "sed" + m.word(rest, tweak, dated)
	}
	out := []byte(w)
	for round := range 4 { // each character comes to depend on all others
		for i := range out {
			if round%2 == 1 {
				i = len(out) - 1 - i
			}
			from, size := class(out[i])
			rest := string(out[:i])
			if round%2 == 1 {
				rest = string(out[i+1:])
			}
			shift := m.random(tweak, fmt.Sprintf("%d %d", round, len(out)), rest)
			out[i] = from + byte((uint64(out[i]-from)+shift)%uint64(size))
		}
	}
	return string(out)
}

// class is the range of characters that a character is replaced within: digits, and
// letters apart by case and by whether they are digits of hexadecimal numbers.
func class(c byte) (from byte, size int) {
	switch {
	case c <= '9':
		return '0', 10
	case c <= 'F':
		return 'A', 6
	case c <= 'Z':
		return 'G', 20
	case c <= 'f':
		return 'a', 6
	}
	return 'g', 20
}

// random is a number that nobody knows without the key.
func (m *Mapper) random(tweak byte, about, of string) uint64 {
	h := hmac.New(sha256.New, m.key)
	fmt.Fprintf(h, "mayfly pseudonym\x00%d\x00%s\x00%s", tweak, about, of)
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

func alnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

package profile

import (
	"regexp"
	"strings"
)

// Templates replace these parts of a path:
const (
	tmplNumber = "<n>"
	tmplHex    = "<hex>"
	tmplUUID   = "<uuid>"
	tmplDate   = "<date>"
	tmplTemp   = "<tmp>"
)

// Template returns path with the parts that differ from run to run replaced, so
// that the set of a workload's paths stays small:
//
//   - <uuid>: 8-4-4-4-12 hex digits;
//   - <hex>: 12 or more hex digits, both digits and letters among them, or 32 or
//     more hex digits, not next to another letter or digit;
//   - <date>: 2026-01-31, 2026_01_31, 2026.01.31, 20260131, with a time behind it
//     (T or _ or - or a space, then 12:30:59, 12-30-59, 123059, 12:30) or without;
//   - <n>: a component of digits only; any run of digits under /proc, /sys and
//     /dev; elsewhere a run of 5 digits or more, or of 4 that no letter precedes;
//   - <tmp>: names that mktemp(1), mkstemp(3), sed -i and the temporary-file
//     modules of Python and Go give: 6 to 12 letters and digits behind "tmp." (and
//     behind "tmp" when they look random), 6 random ones behind "sed", a last
//     part of 6 random ones after "." or "-"; and under /tmp, /var/tmp, /dev/shm
//     and /run any 6 to 12 behind "tmp", and 6 to 12 random ones after "." or "-"
//     or "_" or as the whole name.
//
// Letters and digits look random when lower case, upper case and digits change
// at least twice along them. Dots and slashes stay as they are: "/a/../b" is not
// resolved. Template(Template(p)) is Template(p). Paths longer than MaxValue are
// cut.
func Template(path string) string {
	for path = clean(path); ; {
		next := templateOnce(path)
		if next == path {
			return path
		}
		path = next // what was replaced may have been the neighbour of another part
	}
}

func templateOnce(path string) string {
	if plain(path) {
		return path
	}
	dir := volatileDir(path)
	counted := strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/") || strings.HasPrefix(path, "/dev/")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = templatePart(part, counted && i > 1, dir && i > 1)
	}
	return clean(strings.Join(parts, "/"))
}

// plain says that nothing in path can match: no digit and no upper-case letter,
// so no random part either.
func plain(path string) bool {
	for i := range len(path) {
		if c := path[i]; '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return !strings.Contains(path, "tmp")
}

func volatileDir(path string) bool {
	for _, dir := range []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/run/"} {
		if strings.HasPrefix(path, dir) {
			return true
		}
	}
	return false
}

var (
	uuidForm = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	dateForm = regexp.MustCompile(`(?:19|20)\d\d(?:([-_.])(?:0[1-9]|1[0-2])([-_.])(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?:[T_ -](?:[01]\d|2[0-3])(?:[:_-]?[0-5]\d){1,2}(?:\.\d+)?Z?)?`)
	tmpForm  = regexp.MustCompile(`^(\.?)tmp(\.?)([0-9A-Za-z_]{6,12})((?:\.[a-z]{1,5})?)$`)
)

// templatePart replaces within one component of a path. counted: every run of
// digits counts; volatile: it lies in a directory of temporary files. The checks
// before each form are there for speed only.
func templatePart(part string, counted, volatile bool) string {
	if plain(part) {
		return part
	}
	digits := 0
	for i := range len(part) {
		if digit(part[i]) {
			digits++
		}
	}
	if digits == len(part) {
		return tmplNumber
	}
	if len(part) >= 36 && strings.Count(part, "-") >= 4 {
		part = uuidForm.ReplaceAllString(part, tmplUUID)
	}
	if digits >= 8 {
		part = replaceRuns(part, dateForm, digit, tmplDate)
	}
	if strings.Contains(part, "tmp") {
		if m := tmpForm.FindStringSubmatch(part); m != nil && (volatile || m[2] != "" || random(m[3])) {
			return m[1] + "tmp" + m[2] + tmplTemp + m[4]
		}
	}
	part = replaceTail(part, volatile)
	if digits > 0 || len(part) >= 32 {
		part = replaceNumbers(replaceHex(part), counted)
	}
	return part
}

// replaceTail replaces a random name at the end of a component.
func replaceTail(part string, volatile bool) string {
	from := len(part)
	for from > 0 && alnum(part[from-1]) {
		from--
	}
	tail := part[from:]
	if len(tail) < 6 || len(tail) > 12 {
		return part
	}
	if from == 0 {
		if rest, ok := strings.CutPrefix(tail, "sed"); ok && len(rest) == 6 && random(rest) {
			return "sed" + tmplTemp
		}
	}
	switch before := part[:from]; {
	case !random(tail):
	case len(tail) == 6 && from > 0 && (part[from-1] == '.' || part[from-1] == '-'):
		return before + tmplTemp
	case volatile && (from == 0 || strings.IndexByte("._-", part[from-1]) >= 0):
		return before + tmplTemp
	}
	return part
}

// replaceHex replaces runs of letters and digits that are long hex numbers.
func replaceHex(part string) string {
	for from := 0; from < len(part); {
		to := from
		for to < len(part) && alnum(part[to]) {
			to++
		}
		if to-from >= 12 && longHex(part[from:to]) {
			part = part[:from] + tmplHex + part[to:]
			to = from + len(tmplHex)
		}
		from = max(to, from+1)
	}
	return part
}

// replaceRuns replaces the matches of form that do not touch another character
// of the class.
func replaceRuns(s string, form *regexp.Regexp, class func(byte) bool, with string) string {
	var b strings.Builder
	from := 0
	for _, at := range form.FindAllStringIndex(s, -1) {
		if at[0] > 0 && class(s[at[0]-1]) || at[1] < len(s) && class(s[at[1]]) {
			continue
		}
		b.WriteString(s[from:at[0]])
		b.WriteString(with)
		from = at[1]
	}
	b.WriteString(s[from:])
	return b.String()
}

// replaceNumbers replaces runs of digits that are long enough.
func replaceNumbers(s string, counted bool) string {
	var b strings.Builder
	done := 0
	for from := 0; from < len(s); {
		to := from
		for to < len(s) && digit(s[to]) {
			to++
		}
		length := to - from
		afterLetter := from > 0 && letter(s[from-1])
		if length >= 5 || length == 4 && !afterLetter || length > 0 && counted {
			b.WriteString(s[done:from])
			b.WriteString(tmplNumber)
			done = to
		}
		from = max(to, from+1)
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

func digit(c byte) bool  { return '0' <= c && c <= '9' }
func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func alnum(c byte) bool  { return digit(c) || letter(c) }

func longHex(s string) bool {
	digits, letters := 0, 0
	for i := range len(s) {
		switch c := s[i] | 0x20; {
		case digit(s[i]):
			digits++
		case 'a' <= c && c <= 'f':
			letters++
		default:
			return false
		}
	}
	return len(s) >= 32 || len(s) >= 12 && digits > 0 && letters > 0
}

// random says that the classes lower case, upper case and digit change at least
// twice along s, as they do in 19 of 20 random names and in few words.
func random(s string) bool {
	class := func(c byte) int {
		switch {
		case digit(c):
			return 0
		case 'A' <= c && c <= 'Z':
			return 1
		}
		return 2
	}
	changes := 0
	for i := 1; i < len(s); i++ {
		if class(s[i]) != class(s[i-1]) {
			changes++
		}
	}
	return changes >= 2
}

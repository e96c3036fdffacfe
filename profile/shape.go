package profile

import (
	"bytes"
	"encoding/json"
	"path"
	"strings"
)

// Bounds of an argv item.
const (
	maxShapeArgs = 8   // arguments behind the program; "…" stands for more
	maxShapeArg  = 128 // bytes of one; what is longer is <text>
)

// tmplText stands for an argument that is no single word.
const tmplText = "<text>"

// ArgvShape returns the value of an argv item: the executed file, the name that it
// was called by where that is another (of busybox, sh), then what is left of each
// argument when all that differs from run to run is replaced: paths become
// Templates, runs of digits <n>, and an argument with blanks, quotes or other signs
// that no option or path has, as the text of a script, <text>. cut says that
// arguments are missing at the end.
func ArgvShape(file string, argv []string, cut bool) string {
	shape := make([]string, 1, min(len(argv), maxShapeArgs)+3)
	shape[0] = clean(file)
	if len(argv) > 0 && path.Base(argv[0]) != path.Base(file) {
		shape = append(shape, shapeOf(argv[0]))
	}
	for i := 1; i < len(argv); i++ {
		if i > maxShapeArgs {
			cut = true
			break
		}
		shape = append(shape, shapeOf(argv[i]))
	}
	if cut {
		shape = append(shape, "…")
	}
	return List(shape...)
}

func shapeOf(arg string) string {
	if arg == "<redacted>" || arg == "" {
		return arg
	}
	key, value, _ := strings.Cut(arg, "=")
	for _, part := range []string{key, value} {
		if len(part) > maxShapeArg || strings.ContainsFunc(part, func(r rune) bool { return !wordly(r) }) {
			if len(key) < len(arg) && part == value && strings.HasPrefix(key, "-") {
				return key + "=" + tmplText
			}
			return tmplText
		}
	}
	return numbered(Template(arg))
}

// Series is what an item has in common with others that differ in numbers alone:
// "write /data/temp-<n>.rdb" of "write /data/temp-7.rdb". ok is false where there is no
// number, and where another number is another thing: of a program, a peer, a right.
func (i Item) Series() (form string, ok bool) {
	if i.Kind != Read && i.Kind != Write {
		return "", false
	}
	value := numbered(i.Value)
	return Item{i.Kind, value}.String(), value != i.Value
}

func wordly(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z' || strings.ContainsRune("_-./:@,+%=", r)
}

// numbered replaces the runs of digits that Template leaves.
func numbered(s string) string {
	var b strings.Builder
	inTemplate, inDigits := false, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '<' || inTemplate:
			inTemplate, inDigits = c != '>', false
			b.WriteByte(c)
		case digit(c):
			if !inDigits {
				b.WriteString(tmplNumber)
			}
			inDigits = true
		default:
			inDigits = false
			b.WriteByte(c)
		}
	}
	return b.String()
}

// List writes strings as the value of an item of several; ParseList reads it. What
// is longer than MaxValue loses whole strings at its end.
func List(parts ...string) string {
	for ; ; parts = parts[:len(parts)-1] {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(parts); err != nil {
			return "[]" // strings always encode
		}
		if text := strings.TrimSuffix(out.String(), "\n"); len(text) <= MaxValue || len(parts) == 0 {
			return text
		}
	}
}

// ParseList reads the value of an argv, parent or mount item; nil where it is none.
func ParseList(value string) []string {
	var parts []string
	if json.Unmarshal([]byte(value), &parts) != nil {
		return nil
	}
	return parts
}

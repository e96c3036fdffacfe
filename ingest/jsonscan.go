package ingest

import (
	"errors"
	"fmt"
	"strconv"
	"unsafe"
)

// jsonScan reads one JSON value from a buffer, in the order in which it stands
// there, by RFC 8259 to the letter but for two things: bytes that are no UTF-8
// stay as they are in texts, and a \u escape of half a surrogate pair becomes the
// three bytes that stand for it, which are no UTF-8 either.
//
// A text is a view of the buffer, or of scratch where it had escapes; both are
// valid until the next reset. An error sticks: whatever is asked after it answers
// with nothing, and loops over keys and elements end. What is well-formed and not
// what was asked for is noted in bad, and read past.
type jsonScan struct {
	b       []byte
	i       int
	depth   int
	most    int // depth
	scratch []byte
	err     error // of the syntax; errCut: the buffer ends inside of the value
	bad     error // the first value that is of a wrong type or out of range
}

// errCut says that a value goes on behind the end of the buffer.
var errCut = errors.New("ends inside of a value")

func (j *jsonScan) reset(b []byte) {
	j.b, j.i, j.depth, j.scratch, j.err, j.bad = b, 0, 0, j.scratch[:0], nil, nil
}

// fail notes a syntax error at the current byte.
func (j *jsonScan) fail(want string) {
	if j.err != nil {
		return
	}
	if j.i >= len(j.b) {
		j.err = errCut
		return
	}
	j.err = fmt.Errorf("byte %d: want %s, got %q", j.i, want, j.b[j.i])
}

// wrong notes a value that cannot be what its key says.
func (j *jsonScan) wrong(key, format string, args ...any) {
	if j.bad == nil {
		j.bad = fmt.Errorf("%q: %s", key, fmt.Sprintf(format, args...))
	}
}

// peek passes white space and returns the next byte, 0 at the end.
func (j *jsonScan) peek() byte {
	if j.err != nil {
		return 0
	}
	for j.i < len(j.b) {
		switch c := j.b[j.i]; c {
		case ' ', '\t', '\n', '\r':
			j.i++
		default:
			return c
		}
	}
	return 0
}

// object enters an object; false where the value is none (it is read past) or
// after an error.
func (j *jsonScan) object() bool { return j.enter('{') }

// array enters an array, as object does.
func (j *jsonScan) array() bool { return j.enter('[') }

func (j *jsonScan) enter(open byte) bool {
	if j.peek() != open {
		j.skip()
		return false
	}
	if j.depth >= j.most {
		j.tooDeep()
		return false
	}
	j.i++
	j.depth++
	return true
}

func (j *jsonScan) tooDeep() {
	if j.err == nil {
		j.err = fmt.Errorf("byte %d: more than %d objects and arrays inside each other (--max-nesting)", j.i, j.most)
	}
}

// key goes to the next key of an object, and to its value; false at the end.
func (j *jsonScan) key(first bool) (key []byte, ok bool) {
	if !j.more(first, '}') {
		return nil, false
	}
	if j.peek() != '"' {
		j.fail("a key")
		return nil, false
	}
	key = j.text()
	if j.peek() != ':' {
		j.fail("a colon")
	}
	j.i++
	return key, j.err == nil
}

// fields yields the keys of an object, each before its value, which the loop reads or
// skips. Where the value is no object it is read past and nothing is yielded. A key
// is a view, as texts are.
func (j *jsonScan) fields(yield func(key string) bool) {
	if !j.object() {
		return
	}
	for first := true; ; first = false {
		key, ok := j.key(first)
		if !ok || !yield(view(key)) {
			return
		}
	}
}

// elements yields once before each element of an array, as fields does keys.
func (j *jsonScan) elements(yield func() bool) {
	if !j.array() {
		return
	}
	for first := true; j.element(first); first = false {
		if !yield() {
			return
		}
	}
}

// element goes to the next element of an array; false at the end.
func (j *jsonScan) element(first bool) bool { return j.more(first, ']') }

func (j *jsonScan) more(first bool, end byte) bool {
	c := j.peek()
	switch {
	case c == end && c != 0:
		j.i++
		j.depth--
		return false
	case first && c != 0:
		return true
	case !first && c == ',':
		j.i++
		return true
	}
	j.fail("a comma or the end of it")
	return false
}

// str returns a text; "" where the value is null or, noted, something else.
func (j *jsonScan) str(key string) string {
	switch c := j.peek(); {
	case c == '"':
		return view(j.text())
	case c != 'n':
		j.wrong(key, "want a text, got %s", j.kind())
	}
	j.skip()
	return ""
}

// kind names the next value.
func (j *jsonScan) kind() string {
	switch j.peek() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a text"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	}
	return "a number"
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// integer returns a whole number, which may stand in quotes as 64-bit ones do in
// protobuf's JSON; ok is false where the value is null or, noted, something else.
func (j *jsonScan) integer(key string) (n int64, ok bool) {
	var raw []byte
	switch c := j.peek(); {
	case c == '"':
		raw = j.text()
	case c == '-' || c >= '0' && c <= '9':
		from := j.i
		j.number()
		raw = j.b[from:j.i]
	default:
		if c != 'n' {
			j.wrong(key, "want a number, got %s", j.kind())
		}
		j.skip()
		return 0, false
	}
	if j.err != nil {
		return 0, false
	}
	if len(raw) > 0 && len(raw) < 18 { // what is usual
		neg := raw[0] == '-'
		digits := raw
		if neg {
			digits = raw[1:]
		}
		for _, c := range digits {
			if c < '0' || c > '9' {
				digits = nil
				break
			}
			n = 10*n + int64(c-'0')
		}
		if len(digits) > 0 {
			if neg {
				n = -n
			}
			return n, true
		}
	}
	n, err := strconv.ParseInt(view(raw), 10, 64)
	if err != nil {
		u, uerr := strconv.ParseUint(view(raw), 10, 64)
		if uerr != nil {
			j.wrong(key, "%.40q is no whole number of 64 bits", raw)
			return 0, false
		}
		n = int64(u)
	}
	return n, true
}

// int32 is integer for process ids.
func (j *jsonScan) int32(key string) int32 {
	n, ok := j.integer(key)
	if ok && n != int64(int32(n)) {
		j.wrong(key, "%d is no number of 32 bits", n)
		return 0
	}
	return int32(n)
}

// boolean returns a truth value; ok is false where the value is null or, noted,
// something else.
func (j *jsonScan) boolean(key string) (b, ok bool) {
	switch c := j.peek(); c {
	case 't', 'f':
		b, ok = c == 't', true
	case 'n':
	default:
		j.wrong(key, "want true or false, got %s", j.kind())
	}
	j.skip()
	return b, ok && j.err == nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// once notes a key that stands twice in an object: whoever reads the first one
// and whoever reads the last one would see different events. seen is the set of
// the object's keys by number.
func (j *jsonScan) once(seen *uint64, number int, key string) {
	if *seen&(1<<number) != 0 {
		j.wrong(key, "stands twice")
	}
	*seen |= 1 << number
}

// scalar returns a text, or the digits of a number, or "true" or "false"; "" for
// null, objects and arrays.
func (j *jsonScan) scalar() string {
	switch c := j.peek(); {
	case c == '"':
		return view(j.text())
	case c == '-' || c >= '0' && c <= '9':
		from := j.i
		if j.number(); j.err == nil {
			return view(j.b[from:j.i])
		}
	case c == 't':
		j.literal("true")
		return "true"
	case c == 'f':
		j.literal("false")
		return "false"
	default:
		j.skip()
	}
	return ""
}

package trace

import (
	"reflect"
	"unicode/utf8"
	"unsafe"
)

// What the Writer needs of each row: the time it covers, and its texts, which
// are bytes from outside.

func eventTimes(e *Event) (int64, int64)         { return e.TimeNS, e.TimeNS }
func sequenceTimes(s *Sequence) (int64, int64)   { return s.TimeNS, s.TimeNS }
func processTimes(p *Process) (int64, int64)     { return p.TimeNS, p.TimeNS }
func containerTimes(c *Container) (int64, int64) { return c.TimeNS, c.TimeNS }
func lossTimes(l *Loss) (int64, int64)           { return l.FromNS, l.ToNS }

// rowTexts knows where a row struct has its texts.
type rowTexts[T any] struct {
	texts []uintptr // offsets of its strings
	lists []uintptr // and of its []string
}

func newRowTexts[T any]() rowTexts[T] {
	var r rowTexts[T]
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		switch {
		case f.Type.Kind() == reflect.String:
			r.texts = append(r.texts, f.Offset)
		case f.Type == reflect.TypeFor[[]string]():
			r.lists = append(r.lists, f.Offset)
		}
	}
	return r
}

// clean says whether each text of the rows is UTF-8. A recorder's rows share their
// texts, so most are those of the row before, and were looked at.
func (r rowTexts[T]) clean(rows []T) bool {
	for _, offset := range r.texts {
		last := ""
		for i := range rows {
			s := *fieldAt[string](&rows[i], offset)
			if shared(s, last) {
				continue
			}
			if last = s; !utf8.ValidString(s) {
				return false
			}
		}
	}
	for _, offset := range r.lists {
		for i := range rows {
			for _, s := range *fieldAt[[]string](&rows[i], offset) {
				if !utf8.ValidString(s) {
					return false
				}
			}
		}
	}
	return true
}

// change puts f of each text of a row in its place. A list is copied first, since
// the caller's row shares it.
func (r rowTexts[T]) change(row *T, f func(string) string) {
	for _, offset := range r.texts {
		s := fieldAt[string](row, offset)
		*s = f(*s)
	}
	for _, offset := range r.lists {
		list := fieldAt[[]string](row, offset)
		changed := append([]string(nil), *list...)
		for i, s := range changed {
			changed[i] = f(s)
		}
		*list = changed
	}
}

// shared says whether two texts are the same bytes in the same place.
func shared(a, b string) bool {
	return len(a) == len(b) && unsafe.StringData(a) == unsafe.StringData(b)
}

// fieldAt is the field of a row at an offset, which is of that type.
func fieldAt[F, T any](row *T, offset uintptr) *F {
	return (*F)(unsafe.Add(unsafe.Pointer(row), offset))
}

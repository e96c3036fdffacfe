package record

import (
	"bytes"
	"path"
)

// texts keeps one copy of each string, so that a row costs no allocation for
// what was seen before. It forgets everything when it is full.
type texts struct {
	seen  map[string]string
	walks map[string]string // whole paths, by the components that they were put together from
	path  []byte            // scratch
}

const maxTexts = 1 << 16

func newTexts() *texts { return &texts{seen: map[string]string{}, walks: map[string]string{}} }

func (t *texts) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := t.seen[string(b)]; ok {
		return s
	}
	if len(t.seen) >= maxTexts {
		clear(t.seen)
	}
	s := string(b)
	t.seen[s] = s
	return s
}

// walked puts together the path of a section of components, which are leaf
// first and NUL-terminated. What lies under the task's root, or under the root
// of other mounts, begins with a slash; what has no directory (memfd:x) does not.
// A path of which only the lower part is known begins with "…/".
func (t *texts) walked(s section) string {
	if s.bytes == nil {
		return ""
	}
	if s.flags != 0 {
		return t.walk(s)
	}
	if p, ok := t.walks[string(s.bytes)]; ok {
		return p
	}
	if len(t.walks) >= maxTexts/4 {
		clear(t.walks)
	}
	p := t.walk(s)
	t.walks[string(s.bytes)] = p
	return p
}

func (t *texts) walk(s section) string {
	p := t.path[:0]
	switch {
	case s.flags&flagCut != 0:
		p = append(p, "…"...)
	case s.flags&flagDetached != 0:
		return t.of(bytes.TrimSuffix(s.bytes, []byte{0}))
	}
	for rest := s.bytes; len(rest) > 0; {
		rest = rest[:len(rest)-1] // the NUL of the last component
		at := bytes.LastIndexByte(rest, 0) + 1
		p = append(append(p, '/'), rest[at:]...)
		rest = rest[:at]
	}
	if len(p) == 0 {
		p = append(p, '/')
	}
	t.path = p
	return t.of(p)
}

// given puts together the path that a caller gave and what it is relative to.
// "." and ".." are taken out by their letters: symbolic links are not followed.
func (t *texts) given(text, base section) string {
	if len(text.bytes) > 0 && text.bytes[0] == '/' {
		if clean(text.bytes) {
			return t.of(text.bytes)
		}
		return path.Clean(string(text.bytes))
	}
	from := t.walked(base)
	switch {
	case len(text.bytes) == 0:
		return from // the descriptor itself, as with AT_EMPTY_PATH
	case from == "":
		return t.of(text.bytes)
	}
	p := append(append(append(t.path[:0], from...), '/'), text.bytes...)
	t.path = p
	if clean(p) {
		return t.of(p)
	}
	return path.Clean(string(p))
}

// clean says whether a path that begins with a slash has nothing to be cleaned.
func clean(p []byte) bool {
	return !bytes.Contains(p, []byte("//")) && !bytes.Contains(p, []byte("/.")) &&
		(len(p) == 1 || p[len(p)-1] != '/')
}

// words splits NUL-terminated strings.
func (t *texts) words(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	b = bytes.TrimSuffix(b, []byte{0})
	words := make([]string, 0, bytes.Count(b, []byte{0})+1)
	for w := range bytes.SplitSeq(b, []byte{0}) {
		words = append(words, t.of(w))
	}
	return words
}

package redact

// Built-in rules are not searched for: each begins with a trigger, some letters
// in any case, and is tried only where those stand. So a word without triggers
// costs about a nanosecond a byte, and no word costs more than a little per byte.

// heads says for each pair of folded letters which bucket of triggers begins with it.
var heads [1 << 10]uint8

// buckets are the triggers by their first two letters; buckets[0] is empty.
var buckets = [][]*trigger{nil}

// trigger is a text in lower case and what may begin with it.
type trigger struct {
	text   string
	name   bool // a word of secretNames begins so
	shapes []*shape
}

func init() {
	byText := map[string]*trigger{}
	of := func(text string) *trigger {
		if t := byText[text]; t != nil {
			return t
		}
		t := &trigger{text: text}
		byText[text] = t
		at := pair(text[0], text[1])
		if heads[at] == 0 {
			heads[at] = uint8(len(buckets))
			buckets = append(buckets, nil)
		}
		buckets[heads[at]] = append(buckets[heads[at]], t)
		return t
	}
	for _, text := range nameTriggers {
		of(text).name = true
	}
	for i := range shapes {
		s := &shapes[i]
		for _, text := range s.triggers {
			t := of(text)
			t.shapes = append(t.shapes, s)
		}
	}
}

// pair is the place of two letters in heads; upper and lower case share one.
func pair(a, b byte) int { return int(a&0x1f)<<5 | int(b&0x1f) }

// triggersAt calls found for each trigger that stands in s, and goes on at the
// place that found returns, or one further.
func triggersAt(s string, found func(at int, t *trigger) (next int)) {
	for i := 0; i+1 < len(s); i++ {
		h := heads[pair(s[i], s[i+1])]
		if h == 0 {
			continue
		}
		next := i
		for _, t := range buckets[h] {
			if len(s)-i >= len(t.text) && folded(s[i:], t.text) {
				next = max(next, found(i, t))
			}
		}
		i = max(i, next-1)
	}
}

// maybe says whether s has a trigger.
func maybe(s string) (yes bool) {
	triggersAt(s, func(int, *trigger) int {
		yes = true
		return len(s)
	})
	return yes
}

// folded says whether s begins with t, a text in lower case, in any case.
func folded(s, t string) bool {
	for i := range len(t) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != t[i] {
			return false
		}
	}
	return true
}

package falco

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// textMatcher compiles the right side of a comparison of text. problem says why
// it cannot be done.
func textMatcher(op string, values []literal) (match func(string) bool, cost int, problem string) {
	v := ""
	if len(values) == 1 {
		v = values[0].text
	}
	switch op {
	case "=":
		return func(s string) bool { return s == v }, 2, ""
	case "!=":
		return func(s string) bool { return s != v }, 2, ""
	case "in", "intersects":
		if len(values) <= 6 { // compared by length first, which is faster than a hash
			few := make([]string, len(values))
			for i, v := range values {
				few[i] = v.text
			}
			return func(s string) bool { return slices.Contains(few, s) }, 3, ""
		}
		set := make(map[string]bool, len(values))
		for _, v := range values {
			set[v.text] = true
		}
		return func(s string) bool { return set[s] }, 3, ""
	case "startswith":
		return func(s string) bool { return strings.HasPrefix(s, v) }, 2, ""
	case "endswith":
		return func(s string) bool { return strings.HasSuffix(s, v) }, 2, ""
	case "contains":
		return func(s string) bool { return strings.Contains(s, v) }, 4, ""
	case "icontains":
		v = strings.ToLower(v)
		return func(s string) bool { return strings.Contains(strings.ToLower(s), v) }, 8, ""
	case "glob":
		return globMatcher(v), 6, ""
	case "iglob":
		g := globMatcher(strings.ToLower(v))
		return func(s string) bool { return g(strings.ToLower(s)) }, 9, ""
	case "pmatch":
		t := newPathTree(values)
		return t.has, 5, ""
	case "regex":
		re, err := regexp.Compile("^(?s:" + v + ")$")
		if err != nil {
			return nil, 0, fmt.Sprintf("regex %q: %s", v, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		return re.MatchString, 30, ""
	}
	return nil, 0, "operator " + op + " on text"
}

// numberMatcher is textMatcher for numbers; parse reads a value.
func numberMatcher(op string, values []literal, parse func(string) (int64, bool)) (match func(int64) bool, problem string) {
	numbers := make([]int64, len(values))
	for i, v := range values {
		n, ok := parse(v.text)
		if !ok {
			return nil, fmt.Sprintf("value %q, want a number", v.text)
		}
		numbers[i] = n
	}
	if slices.Contains([]string{"in", "intersects"}, op) {
		slices.Sort(numbers)
		return func(n int64) bool { _, ok := slices.BinarySearch(numbers, n); return ok }, ""
	}
	if len(numbers) != 1 {
		return nil, "operator " + op + " on a number"
	}
	v := numbers[0]
	switch op {
	case "=":
		return func(n int64) bool { return n == v }, ""
	case "!=":
		return func(n int64) bool { return n != v }, ""
	case "<":
		return func(n int64) bool { return n < v }, ""
	case "<=":
		return func(n int64) bool { return n <= v }, ""
	case ">":
		return func(n int64) bool { return n > v }, ""
	case ">=":
		return func(n int64) bool { return n >= v }, ""
	}
	return nil, "operator " + op + " on a number"
}

func parseNumber(s string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 0, 64)
	return n, err == nil
}

func parseBool(s string) (int64, bool) {
	switch s {
	case "true", "1":
		return 1, true
	case "false", "0":
		return 0, true
	}
	return 0, false
}

// globMatcher compiles a pattern of fnmatch(3) without flags, as libsinsp calls
// it: * and ? match slashes too, a backslash escapes.
func globMatcher(pattern string) func(string) bool {
	if !strings.ContainsAny(pattern, `?[\`) {
		parts := strings.Split(pattern, "*")
		return func(s string) bool { return starMatch(parts, s) }
	}
	return func(s string) bool { return fnmatch(pattern, s) }
}

// starMatch matches the parts of a pattern between its stars.
func starMatch(parts []string, s string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// fnmatch matches byte by byte; it goes back to the last star only, so that its
// time is bounded by the product of the lengths.
func fnmatch(p, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		if i < len(p) && p[i] == '*' {
			star, mark = i, j
			i++
			continue
		}
		if n := one(p[i:], s[j]); n > 0 {
			i, j = i+n, j+1
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	return strings.Trim(p[i:], "*") == ""
}

// one matches one byte with the head of a pattern, and returns how long that is;
// 0 when it does not match.
func one(p string, c byte) int {
	if p == "" {
		return 0
	}
	switch p[0] {
	case '?':
		return 1
	case '\\':
		if len(p) > 1 {
			if p[1] == c {
				return 2
			}
			return 0
		}
	case '[':
		if n, ok := class(p, c); n > 0 {
			if ok {
				return n
			}
			return 0
		}
	}
	if p[0] == c {
		return 1
	}
	return 0
}

// class matches a bracket expression at the head of p, and returns its length; 0
// when it is none.
func class(p string, c byte) (n int, ok bool) {
	i, negated := 1, false
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		negated = true
		i++
	}
	for first := true; i < len(p); first = false {
		if p[i] == ']' && !first {
			return i + 1, ok != negated
		}
		if p[i] == '\\' && i+1 < len(p) {
			i++
		}
		low := p[i]
		high := low
		if i+2 < len(p) && p[i+1] == '-' && p[i+2] != ']' {
			high = p[i+2]
			i += 2
		}
		ok = ok || low <= c && c <= high
		i++
	}
	return 0, false
}

// pathTree holds paths by their components, for pmatch: a path matches when one of
// these is the path or lies above it. Components may be patterns.
type pathTree struct {
	end   bool
	named map[string]*pathTree
	globs []globChild
}

type globChild struct {
	pattern string
	match   func(string) bool
	to      *pathTree
}

func newPathTree(values []literal) *pathTree {
	root := &pathTree{}
	for _, v := range values {
		t := root
		for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+v.text), "/"), "/") {
			if part != "" {
				t = t.child(part)
			}
		}
		t.end = true
	}
	return root
}

func (t *pathTree) child(part string) *pathTree {
	if strings.ContainsAny(part, `*?[\`) {
		for _, g := range t.globs {
			if g.pattern == part {
				return g.to
			}
		}
		g := globChild{part, globMatcher(part), &pathTree{}}
		t.globs = append(t.globs, g)
		return g.to
	}
	if t.named == nil {
		t.named = map[string]*pathTree{}
	}
	if t.named[part] == nil {
		t.named[part] = &pathTree{}
	}
	return t.named[part]
}

func (t *pathTree) has(path string) bool {
	if t.end {
		return true
	}
	path = strings.TrimLeft(path, "/")
	if path == "" {
		return false
	}
	part, rest, _ := strings.Cut(path, "/")
	if to := t.named[part]; to != nil && to.has(rest) {
		return true
	}
	for _, g := range t.globs {
		if g.match(part) && g.to.has(rest) {
			return true
		}
	}
	return false
}

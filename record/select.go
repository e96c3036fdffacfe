package record

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"mayfly/record/runtimes"
	"mayfly/trace"
)

// Selection says which containers are recorded. Its zero value is all of them.
type Selection struct{ terms []term }

// term is one KEY=PATTERN.
type term struct {
	key, pattern string
	exclude      bool
}

// selectKeys are what a container can be selected by: its texts, and whether they
// are known where its facts are.
var selectKeys = map[string]func(c *trace.Container) []string{
	"name":      func(c *trace.Container) []string { return []string{c.Name} },
	"image":     imageNames,
	"label":     func(c *trace.Container) []string { return c.Labels },
	"pod":       func(c *trace.Container) []string { return []string{c.Pod} },
	"namespace": func(c *trace.Container) []string { return []string{c.PodNamespace} },
	"owner":     func(c *trace.Container) []string { return []string{c.Owner} },
	"runtime":   func(c *trace.Container) []string { return []string{c.Runtime} },
}

// imageNames are the image as the user wrote it, in full ("nginx" is
// docker.io/library/nginx:latest), by its id and by its digest.
func imageNames(c *trace.Container) []string {
	names := []string{c.Image, c.ImageID, c.ImageDigest}
	if named, err := reference.ParseNormalizedNamed(c.Image); err == nil {
		names = append(names, named.String(), reference.TagNameOnly(named).String())
	}
	return names
}

// ParseSelection reads terms of the form [!]KEY=PATTERN. KEY is name, image,
// label, pod, namespace, owner or runtime; a label's PATTERN is matched with
// "key=value". In a pattern * stands for any characters, none and slashes
// included, and ? for one. Several terms of one key are alternatives, terms of
// different keys must all hold, and what a term with ! matches is excluded
// whatever else holds. With exclusions alone, everything else is selected.
func ParseSelection(terms []string) (Selection, error) {
	var s Selection
	for _, text := range terms {
		rest, exclude := strings.CutPrefix(text, "!")
		key, pattern, ok := strings.Cut(rest, "=")
		if !ok || pattern == "" {
			return Selection{}, fmt.Errorf("select %q: want KEY=PATTERN or !KEY=PATTERN, as image=docker.io/library/nginx*", text)
		}
		if selectKeys[key] == nil {
			return Selection{}, fmt.Errorf("select %q: unknown key %q; want name, image, label, pod, namespace, owner or runtime", text, key)
		}
		s.terms = append(s.terms, term{key, pattern, exclude})
	}
	slices.SortStableFunc(s.terms, func(a, b term) int { return strings.Compare(a.key, b.key) })
	return s, nil
}

// All reports whether every container is selected.
func (s Selection) All() bool { return len(s.terms) == 0 }

// verdict is what a selection says of a container.
type verdict int8

const (
	wanted    verdict = iota
	undecided         // it depends on facts that are not known yet
	unwanted
)

// judge says of a container whether it is selected, by what is known of it, and
// whether no later fact can change that. Where one can, the verdict is what would
// hold if the facts were complete.
func (s Selection) judge(c *trace.Container) (v verdict, sure bool) {
	if v = s.judgeBy(c, settled); v != undecided {
		return v, true
	}
	return s.judgeBy(c, knows), false
}

// judgeBy takes what a container does not have of a key for a fact where known says
// so. The logic is three-valued: a fact that is missing decides only where another
// does not already.
func (s Selection) judgeBy(c *trace.Container, known func(c *trace.Container, key string) bool) verdict {
	result := wanted
	for i := 0; i < len(s.terms); {
		key, any, asked := s.terms[i].key, unwanted, false
		for ; i < len(s.terms) && s.terms[i].key == key; i++ {
			v := s.terms[i].judge(c, known)
			if s.terms[i].exclude {
				result = max(result, unwanted-v)
				continue
			}
			any, asked = min(any, v), true
		}
		if asked {
			result = max(result, any)
		}
	}
	return result
}

// judge says whether a term's pattern matches: wanted where it does, unwanted
// where it does not.
func (t term) judge(c *trace.Container, known func(c *trace.Container, key string) bool) verdict {
	texts := selectKeys[t.key](c)
	for _, text := range texts {
		if text != "" && globs(t.pattern, text) {
			return wanted
		}
	}
	if known(c, t.key) {
		return unwanted
	}
	return undecided
}

// settled says whether what is known of a key is all there will be. A container may
// have one name and several labels: of a pod's, containerd has those of the container
// and CRI those of the pod besides, and either may answer first. An event and a list
// know an image by its name, and not by its digest.
func settled(c *trace.Container, key string) bool {
	switch key {
	case "name":
		if c.Name != "" {
			return true
		}
	case "pod":
		if c.Pod != "" {
			return true
		}
	case "namespace":
		if c.PodNamespace != "" {
			return true
		}
	case "runtime":
		return c.Runtime != ""
	}
	whole := c.Runtime == runtimes.Docker || c.Runtime == runtimes.Podman || c.Pod+c.PodUID+c.Sandbox == ""
	return c.Facts == trace.FactsFull && whole
}

// knows says whether what c does not have of a key it really has not. A runtime
// that named a container in an event told its labels too; containerd's events
// tell the image alone.
func knows(c *trace.Container, key string) bool {
	switch {
	case c.Facts == trace.FactsFull || c.Facts == trace.FactsPartial && c.Name != "":
		return true
	case key == "image" && c.Facts == trace.FactsPartial:
		return c.Image != ""
	case key == "runtime":
		return c.Runtime != ""
	}
	return false
}

// globs matches a whole text in time bounded by the product of the lengths.
func globs(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Package redact takes secrets out of command lines before they reach a disk.
//
// Argument vectors come in, the same vectors with each secret replaced by Mark
// go out. What is known as a secret, and what is missed, stands in
// record/REDACTION.md.
//
//	r, err := redact.New(redact.DefaultOptions())
//	argv, n := r.Argv([]string{"mysql", "-phunter2"}) // ["mysql", "-p<redacted>"], 1
package redact

import (
	"fmt"
	"regexp"
)

// Mark stands where a secret stood. It never changes: rows of different
// recordings stay comparable.
const Mark = "<redacted>"

// Options say what is taken for a secret.
type Options struct {
	NoDefaults bool     // leave the built-in rules out
	Patterns   []string // more, as Go regular expressions: the first group that takes part is the secret, or without groups the whole match
}

// DefaultOptions has the built-in rules only.
func DefaultOptions() Options { return Options{} }

// Redactor replaces secrets. It is safe for concurrent use.
type Redactor struct {
	defaults bool
	extra    []*regexp.Regexp
}

// New compiles the patterns of opts. The error names the pattern that is none.
func New(opts Options) (*Redactor, error) {
	r := &Redactor{defaults: !opts.NoDefaults}
	for _, p := range opts.Patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("redaction pattern %q: %w", p, err)
		}
		r.extra = append(r.extra, re)
	}
	return r, nil
}

// passes bounds how often a command line is looked at again after a change.
const passes = 8

// Argv returns argv with its secrets replaced, and how many of its words changed.
// argv itself is never changed, and is what comes back when there is none. The
// result of a result is the same again: what has been replaced is no secret.
// A word becomes longer by less than five times, plus one Mark.
func (r *Redactor) Argv(argv []string) (out []string, changed int) {
	if r == nil {
		return argv, 0
	}
	out = argv
	for pass := range passes {
		next := r.once(out)
		if next == nil {
			return out, count(argv, out)
		}
		if out = next; pass == passes-1 { // each pass finds more: nothing of it is safe
			for i := range out {
				if out[i] != argv[i] {
					out[i] = Mark
				}
			}
		}
	}
	return out, count(argv, out)
}

func count(a, b []string) (n int) {
	if len(a) == 0 || &a[0] == &b[0] {
		return 0
	}
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// once returns a changed copy of argv, nil when nothing is to change.
func (r *Redactor) once(argv []string) (out []string) {
	set := func(i int, s string) {
		if s == argv[i] {
			return
		}
		if out == nil {
			out = append([]string(nil), argv...)
		}
		out[i] = s
	}
	var (
		known *program            // what the latest name of a program said
		value func(string) string // this word is the value of the option before it
	)
	for i, word := range argv {
		treat := value
		if value = nil; treat != nil && !isOption(word) {
			set(i, treat(word))
			continue
		}
		text := word
		if r.defaults {
			if i > 0 { // argv[0] is no option
				text, value = known.word(text)
			}
			if maybe(text) {
				if i == 0 || !isScript(argv[i-1]) {
					var next bool
					if text, next = assignment(text); next {
						value = wholeWord
					}
				}
				text = replace(text, find(text))
			}
			known = known.after(word)
		}
		set(i, replace(text, matches(r.extra, text)))
	}
	return out
}

// Text is Argv for a text that is no command line, such as a label.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	out, _ := r.Argv([]string{s})
	return out[0]
}

package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"mayfly/profile"
	"mayfly/rule/hostile"
)

// falcoItem is one item of a file of rules, as YAML has it.
type falcoItem struct {
	Rule, Macro, List, Condition, Output, Desc, Priority string
	Items, Tags                                          []string
	Engine                                               string `yaml:"required_engine_version"`
}

func parseFalco(t testing.TB, text []byte) []falcoItem {
	t.Helper()
	var items []falcoItem
	if err := yaml.Unmarshal(text, &items); err != nil {
		t.Fatalf("not YAML: %v\n%s", err, text)
	}
	return items
}

// expand replaces the lists as Falco does, by text, and the macros.
func expand(items []falcoItem) map[string]string {
	lists, macros, out := map[string]string{}, map[string]string{}, map[string]string{}
	resolve := func(cond string) string {
		for name, text := range lists {
			cond = spliceList(cond, name, text)
		}
		return cond
	}
	for _, item := range items {
		switch {
		case item.List != "":
			lists[item.List] = strings.Join(item.Items, ", ")
		case item.Macro != "":
			macros[item.Macro] = resolve(item.Condition)
		case item.Rule != "":
			cond := resolve(item.Condition)
			for name, text := range macros {
				cond = strings.ReplaceAll(cond, " "+name, " ("+text+")")
			}
			out[item.Rule] = cond
		}
	}
	return out
}

// spliceList is Falco's resolve_list: the name is replaced wherever it stands
// between delimiters.
func spliceList(cond, name, text string) string {
	const delimiters = " \t\n\r(),="
	for from := 0; ; {
		i := strings.Index(cond[from:], name)
		if i < 0 {
			return cond
		}
		at := from + i
		end := at + len(name)
		if at > 0 && end < len(cond) && strings.ContainsRune(delimiters, rune(cond[at-1])) && strings.ContainsRune(delimiters, rune(cond[end])) {
			cond = cond[:at] + text + cond[end:]
			from = at + len(text)
		} else {
			from = at + 1
		}
	}
}

// token is one word of a condition.
type token struct {
	text   string
	quoted bool
}

// tokenize splits a condition as libsinsp's parser does: quoted strings with its
// escapes, bare words, and the characters that stand alone.
func tokenize(cond string) ([]token, error) {
	var out []token
	for i := 0; i < len(cond); {
		switch c := cond[i]; {
		case strings.ContainsRune(" \t\n\r", rune(c)):
			i++
		case strings.ContainsRune("(),", rune(c)):
			out = append(out, token{string(c), false})
			i++
		case c == '"' || c == '\'':
			j := i + 1
			for j < len(cond) && (cond[j] != '"' && cond[j] != '\'' || cond[j-1] == '\\') { // as libsinsp: either quote, a look at one character
				j++
			}
			if j == len(cond) {
				return nil, errors.New("string without end")
			}
			var b strings.Builder
			for body := cond[i+1 : j]; body != ""; body = body[1:] {
				if body[0] == '\\' {
					if body = body[1:]; body == "" {
						return nil, errors.New("escape at the end")
					}
					k := strings.IndexByte(`bfnrt\/"'`, body[0])
					if k < 0 {
						return nil, fmt.Errorf("unknown escape \\%c", body[0])
					}
					b.WriteByte("\b\f\n\r\t\\/\"'"[k])
				} else {
					b.WriteByte(body[0])
				}
			}
			out = append(out, token{b.String(), true})
			i = j + 1
		default:
			j := i
			for j < len(cond) && !strings.ContainsRune(" \t\n\r(),\"'", rune(cond[j])) {
				j++
			}
			out = append(out, token{cond[i:j], false})
			i = j
		}
	}
	return out, nil
}

// hostileSet makes the rules of a workload that did everything hostile.
func hostileSet(t testing.TB, name string) *Set {
	t.Helper()
	s := *hostileOnce()
	s.Workload, s.Images, s.Rules = name, repositories(name, nil), slices.Clone(s.Rules)
	for i := range s.Rules {
		_, rest, _ := strings.Cut(s.Rules[i].Name, ": ")
		s.Rules[i].Name = "mayfly " + Printable(name) + ": " + rest
	}
	return &s
}

// hostileOnce takes seconds.
var hostileOnce = sync.OnceValue(func() *Set {
	var items []string
	for _, value := range hostile.Values() {
		if value != "" {
			items = append(items, "exec "+value, "write-exec "+value, "read "+value, "write "+value, "write /srv"+value+"/x/y", "connect unix:"+value, "listen "+value)
		}
	}
	items = append(items, "call read", "connect inet:10.0.0.1:1")
	var found []profile.Item
	for _, value := range hostile.Values() {
		if value != "" {
			found = append(found, profile.NewItem(profile.Read, "/found"+value), profile.NewItem(profile.Cap, value))
		}
	}
	s, err := Build(workload("hostile", items), found, Options{MaxFound: 1000})
	if err != nil {
		panic(err)
	}
	return s
})

func TestHostileRoundTrip(t *testing.T) {
	s := hostileSet(t, "nginx")
	text, err := s.Falco()
	if err != nil {
		t.Fatal(err)
	}
	left := bytes.Count(text, []byte("cannot be written"))
	conds := expand(parseFalco(t, text))
	words := map[string]bool{}
	for rule, cond := range conds {
		tokens, err := tokenize(cond)
		if err != nil {
			t.Fatalf("%s: %v\n%s", rule, err, cond)
		}
		for _, tok := range tokens {
			if tok.quoted {
				words[tok.text] = true
			} else if strings.Trim(tok.text, "abcdefghijklmnopqrstuvwxyz_0123456789=().,<>!-") != "" {
				t.Errorf("%s: a value broke out of its quotes: %q", rule, tok.text)
			}
		}
	}
	in := 0
	for _, value := range hostile.Values() {
		if value == "" {
			continue
		}
		value = profile.NewItem(profile.Exec, value).Value
		_, safe := quote(value)
		if words[value] != safe {
			t.Errorf("value %q: in the rules %v, want %v", value, words[value], safe)
		}
		if safe {
			in++
		}
	}
	t.Logf("%d of %d hostile values are in the rules, %d notes on what is left out", in, len(hostile.Values()), left)
	if in < len(hostile.Values())/2 {
		t.Errorf("only %d of %d values could be written", in, len(hostile.Values()))
	}
}

func TestHostileWorkloads(t *testing.T) {
	for _, name := range hostile.Values() {
		name = profile.NewItem(profile.Exec, name).Value
		if name == "" {
			continue
		}
		s := mustBuild(t, workload(name, webItems), nil, Options{})
		text, err := s.Falco()
		if err != nil {
			continue // no image
		}
		for rule, cond := range expand(parseFalco(t, text)) {
			if _, err := tokenize(cond); err != nil {
				t.Errorf("workload %q, %s: %v\n%s", name, rule, err, cond)
			}
		}
		seccomp, err := s.Seccomp()
		if err != nil || !json.Valid(seccomp) {
			t.Errorf("workload %q: seccomp: %v", name, err)
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, value := range hostile.Values()[:40] {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		value = profile.NewItem(profile.Exec, value).Value
		q, ok := quote(value)
		if !ok {
			return
		}
		var back []string
		text, err := yaml.Marshal(sequence(text(q)))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, &back); err != nil || len(back) != 1 || back[0] != q {
			t.Fatalf("YAML of %q gives %q, %v", q, back, err)
		}
		tokens, err := tokenize("fd.name in (" + back[0] + ")")
		if err != nil || len(tokens) != 5 || tokens[3].text != value {
			t.Errorf("quote(%q) = %s, read as %+v, %v", value, q, tokens, err)
		}
	})
}

func FuzzReadFindings(f *testing.F) {
	f.Add(`{"mayfly":{"id":"x","workload":"web","new":["exec /bin/sh"]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		found, err := ReadFindings(strings.NewReader(text), "f")
		if err != nil {
			return
		}
		for workload, items := range found {
			for _, item := range items {
				if _, err := profile.ParseItem(item.String()); err != nil {
					t.Errorf("workload %q: %v", workload, err)
				}
			}
		}
	})
}

// TestApostrophe: no way to write one means the same to libsinsp 0.29 and to that of
// today, so the value is left out.
func TestApostrophe(t *testing.T) {
	if text, ok := quote("/srv/o'neill"); ok {
		t.Errorf("written as %s", text)
	}
}

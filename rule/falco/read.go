package falco

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on what is read: beyond the largest rule sets known by far.
const (
	maxFile  = 16 << 20
	maxRules = 20_000 // rules, macros and lists
	maxText  = 1 << 20
)

// Source is a file of Falco rules.
type Source struct {
	Name    string // for errors and results
	Content []byte
}

// Rule is a rule as the files, read one after the other, leave it.
type Rule struct {
	Name     string
	File     string
	Line     int // in File, from 1
	Desc     string
	Output   string
	Priority string
	Events   string // the source of its events: syscall, or a plugin's
	Tags     []string
	Enabled  bool

	condition  text
	exceptions []exception
}

// text is text with the place where it stands.
type text struct {
	s    string
	file string
	line int
	flat bool // one line of text is one line of the file
}

// list and macro are as the files leave them; order counts definitions.
type list struct {
	items []text
	place text
}

type macro struct {
	condition    text
	index, order int // of the first definition, of the last
	place        text
	expr         *expr
	checked      bool
}

// exception is what a rule lets pass.
type exception struct {
	name   string
	fields []string
	comps  []string
	single bool // one field, and a list of values
	values []*yaml.Node
	place  text
}

// Rules are the rules of some files, with what they rest on.
type Rules struct {
	Rules []*Rule // in the order of their first definition

	lists  map[string]*list
	macros map[string]*macro
	rules  map[string]*Rule
	order  int
}

// Read reads files of Falco rules in order, later ones changing what earlier ones
// define, as Falco does with several. The first thing that Falco would refuse is
// the error, with file and line. Conditions are read by Compile.
func Read(files ...Source) (*Rules, error) {
	r := &Rules{lists: map[string]*list{}, macros: map[string]*macro{}, rules: map[string]*Rule{}}
	for _, f := range files {
		if len(f.Content) > maxFile {
			return nil, fmt.Errorf("%s: %d bytes, want at most %d", f.Name, len(f.Content), maxFile)
		}
		if err := r.file(f); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Rules) file(f Source) error {
	dec := yaml.NewDecoder(bytes.NewReader(f.Content))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %s", f.Name, yamlText(err))
		}
		root := resolve(doc.Content[0])
		if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
			continue
		}
		if root.Kind != yaml.SequenceNode {
			return fmt.Errorf("%s:%d: no list of rules, macros and lists", f.Name, root.Line)
		}
		for _, n := range root.Content {
			if r.order++; r.order > maxRules {
				return fmt.Errorf("%s:%d: more than %d rules, macros and lists", f.Name, n.Line, maxRules)
			}
			if err := r.item(&item{file: f.Name, node: resolve(n)}); err != nil {
				return err
			}
		}
	}
}

// yamlText is what the YAML library says, on one line.
func yamlText(err error) string {
	return strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// item takes in one element of a file.
func (r *Rules) item(it *item) error {
	if it.node.Kind != yaml.MappingNode {
		return it.errorf(it.node, "want a mapping with rule, macro, list or required_engine_version")
	}
	for _, kind := range []struct {
		key  string
		read func(*item) error
	}{{"required_engine_version", version}, {"required_plugin_versions", pluginVersions}, {"list", r.list}, {"macro", r.macro}, {"rule", r.rule}} {
		if it.find(kind.key) != nil {
			return kind.read(it)
		}
	}
	return it.errorf(it.node, "no rule, macro, list, required_engine_version or required_plugin_versions in it")
}

func version(it *item) error {
	_, err := it.text("required_engine_version")
	return err
}

func pluginVersions(it *item) error {
	if n := it.find("required_plugin_versions"); n.Kind != yaml.SequenceNode {
		return it.errorf(n, "required_plugin_versions: want a list")
	}
	return nil
}

func (r *Rules) list(it *item) error {
	name, err := it.text("list")
	if err != nil {
		return err
	}
	if name.s == "" || strings.ContainsAny(name.s, "()\"'=, \t\n\r") {
		return it.errorf(it.node, "list %q: no name for a list", name.s)
	}
	it.what = fmt.Sprintf("list %q", name.s)
	items, err := it.texts("items")
	if err != nil {
		return err
	}
	change, err := it.change("items")
	if err != nil {
		return err
	}
	old := r.lists[name.s]
	switch {
	case change["items"] == "":
		r.lists[name.s] = &list{items, name}
	case old == nil:
		return it.errorf(it.node, "%s: nothing of this name to %s", it.what, change["items"])
	case change["items"] == "append":
		old.items = append(old.items, items...)
	default:
		old.items = items
	}
	return nil
}

func (r *Rules) macro(it *item) error {
	name, err := it.text("macro")
	if err != nil {
		return err
	}
	p := parser{text: name.s}
	if p.identifier() == "" || p.at < len(name.s) {
		return it.errorf(it.node, "macro %q: no name for a macro", name.s)
	}
	it.what = fmt.Sprintf("macro %q", name.s)
	condition, err := it.text("condition")
	if err != nil {
		return err
	}
	change, err := it.change("condition")
	if err != nil {
		return err
	}
	old := r.macros[name.s]
	switch {
	case change["condition"] == "" && old == nil:
		r.macros[name.s] = &macro{condition: condition, index: r.order, order: r.order, place: name}
		return nil
	case old == nil:
		return it.errorf(it.node, "%s: nothing of this name to %s", it.what, change["condition"])
	case change["condition"] == "append":
		old.condition = old.condition.join(condition)
	default:
		old.condition = condition
	}
	old.order = r.order
	return nil
}

func (r *Rules) rule(it *item) error {
	name, err := it.text("rule")
	if err != nil {
		return err
	}
	it.what = fmt.Sprintf("rule %q", name.s)
	change, err := it.change(ruleKeys...)
	if err != nil {
		return err
	}
	old := r.rules[name.s]
	if len(change) > 0 {
		if old == nil {
			return it.errorf(it.node, "%s: nothing of this name to change", it.what)
		}
		return it.changeRule(old, change)
	}
	// Without condition, output, desc and priority, "enabled" switches a rule.
	if it.find("condition") == nil && it.find("output") == nil && it.find("desc") == nil && it.find("priority") == nil && it.find("enabled") != nil {
		if old == nil {
			return it.errorf(it.node, "%s: nothing of this name to switch", it.what)
		}
		old.Enabled, err = it.boolean("enabled", true)
		return err
	}
	fresh := &Rule{Name: name.s, File: it.file, Line: it.node.Line, Events: "syscall", Enabled: true}
	if err := it.fillRule(fresh); err != nil {
		return err
	}
	if old == nil {
		r.rules[name.s] = fresh
		r.Rules = append(r.Rules, fresh)
		return nil
	}
	*old = *fresh
	return nil
}

// ruleKeys are what of a rule a later definition may append to or replace.
var ruleKeys = []string{"condition", "output", "desc", "priority", "tags", "exceptions", "enabled", "warn_evttypes", "skip-if-unknown-filter", "capture", "capture_duration"}

func (it *item) fillRule(r *Rule) error {
	var err error
	if r.condition, err = it.text("condition"); err != nil {
		return err
	}
	for _, field := range []struct {
		key string
		to  *string
	}{{"output", &r.Output}, {"desc", &r.Desc}, {"priority", &r.Priority}} {
		t, err := it.text(field.key)
		if err != nil {
			return err
		}
		*field.to = t.s
	}
	if !validPriority(r.Priority) {
		return it.errorf(it.find("priority"), "%s: priority %q is none of Falco's", it.what, r.Priority)
	}
	if it.find("source") != nil {
		source, err := it.text("source")
		if err != nil {
			return err
		}
		r.Events = source.s
	}
	if r.Enabled, err = it.boolean("enabled", true); err != nil {
		return err
	}
	if r.Tags, err = it.words("tags"); err != nil {
		return err
	}
	r.exceptions, err = it.exceptions(false)
	return err
}

var priorities = []string{"emergency", "alert", "critical", "error", "warning", "notice", "informational", "info", "debug"}

func validPriority(s string) bool {
	return slices.Contains(priorities, strings.ToLower(s))
}

// changeRule applies "append: true" or an override.
func (it *item) changeRule(r *Rule, change map[string]string) error {
	for _, key := range ruleKeys {
		if change[key] == "" || it.find(key) == nil {
			continue
		}
		var err error
		switch key {
		case "condition":
			err = it.changeText(&r.condition, key, change[key])
		case "output", "desc", "priority":
			to := map[string]*string{"output": &r.Output, "desc": &r.Desc, "priority": &r.Priority}[key]
			changed := text{s: *to}
			err = it.changeText(&changed, key, change[key])
			*to = changed.s
		case "tags":
			var tags []string
			if tags, err = it.words(key); change[key] == "append" {
				tags = append(r.Tags, tags...)
			}
			r.Tags = tags
		case "enabled":
			r.Enabled, err = it.boolean(key, true)
		case "exceptions":
			err = it.changeExceptions(r, change[key])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (it *item) changeText(to *text, key, how string) error {
	t, err := it.text(key)
	if err != nil {
		return err
	}
	if how == "append" {
		t = to.join(t)
	}
	*to = t
	return nil
}

// join is how Falco appends to a text.
func (t text) join(more text) text {
	t.s += " " + more.s
	t.flat = false
	return t
}

package falco

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// item is one element of a file of rules being read.
type item struct {
	file string
	node *yaml.Node
	what string // for errors: rule "x"
}

func (it *item) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", it.file, n.Line, fmt.Sprintf(format, args...))
}

// named begins an error with what the item is, as soon as that is known.
func (it *item) named(n *yaml.Node, format string, args ...any) error {
	if it.what != "" {
		format, args = "%s: "+format, append([]any{it.what}, args...)
	}
	return it.errorf(n, format, args...)
}

// find returns the value of a key; nil when it is missing.
func (it *item) find(key string) *yaml.Node { return find(it.node, key) }

func find(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return resolve(mapping.Content[i+1])
		}
	}
	return nil
}

// text returns a value that must be there, and not empty.
func (it *item) text(key string) (text, error) {
	n := it.find(key)
	switch {
	case n == nil:
		return text{}, it.named(it.node, "no %s", key)
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "":
		return text{}, it.named(n, "%s: want text", key)
	case len(n.Value) > maxText:
		return text{}, it.named(n, "%s: longer than %d bytes", key, maxText)
	}
	t := text{s: n.Value, file: it.file, line: n.Line}
	if n.Style == yaml.LiteralStyle {
		t.line, t.flat = n.Line+1, true
	}
	return t, nil
}

// texts returns a list that must be there.
func (it *item) texts(key string) ([]text, error) {
	n := it.find(key)
	if n == nil {
		return nil, it.named(it.node, "no %s", key)
	}
	if n.Kind != yaml.SequenceNode {
		return nil, it.named(n, "%s: want a list", key)
	}
	all := make([]text, 0, len(n.Content))
	for _, e := range n.Content {
		if e = resolve(e); e.Kind != yaml.ScalarNode {
			return nil, it.named(e, "%s: want text", key)
		}
		all = append(all, text{s: e.Value, file: it.file, line: e.Line})
	}
	return all, nil
}

// words returns a list that may be missing.
func (it *item) words(key string) ([]string, error) {
	if it.find(key) == nil {
		return nil, nil
	}
	all, err := it.texts(key)
	words := make([]string, len(all))
	for i, t := range all {
		words[i] = t.s
	}
	return words, err
}

func (it *item) boolean(key string, missing bool) (bool, error) {
	n := it.find(key)
	if n == nil {
		return missing, nil
	}
	switch strings.ToLower(n.Value) {
	case "true", "yes", "on", "y":
		return true, nil
	case "false", "no", "off", "n":
		return false, nil
	}
	return false, it.named(n, "%s: got %q, want true or false", key, n.Value)
}

// change says what of the keys is appended to or replaced, by key: nothing for a
// definition. "append: true" appends all.
func (it *item) change(keys ...string) (map[string]string, error) {
	all, err := it.boolean("append", false)
	if err != nil {
		return nil, err
	}
	override := it.find("override")
	how := map[string]string{}
	if all {
		if override != nil {
			return nil, it.named(override, "append and override, want one of them")
		}
		for _, key := range keys {
			how[key] = "append"
		}
		return how, nil
	}
	if override == nil {
		return nil, nil
	}
	if override.Kind != yaml.MappingNode {
		return nil, it.named(override, "override: want a mapping")
	}
	for i := 0; i+1 < len(override.Content); i += 2 {
		key, value := override.Content[i].Value, resolve(override.Content[i+1])
		switch {
		case !slices.Contains(keys, key):
			return nil, it.named(value, "override: %q cannot be changed", key)
		case value.Value != "append" && value.Value != "replace":
			return nil, it.named(value, "override: %s: got %q, want append or replace", key, value.Value)
		case it.find(key) == nil:
			return nil, it.named(value, "override: no %s to %s", key, value.Value)
		}
		how[key] = value.Value
	}
	return how, nil
}

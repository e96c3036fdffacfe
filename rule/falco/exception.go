package falco

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// operators are those that an exception may use.
var operators = slices.Concat([]string{"exists"}, numberOps, textOps, wordOps, listOps)

// exceptions reads the exceptions of a rule. Those that are appended to ones of
// the same name have values only.
func (it *item) exceptions(appended bool) ([]exception, error) {
	n := it.find("exceptions")
	if n == nil || n.Tag == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, it.named(n, "exceptions: want a list")
	}
	var all []exception
	for _, node := range n.Content {
		e, err := it.exception(resolve(node), appended)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(other exception) bool { return other.name == e.name }) {
			return nil, it.named(node, "exception %q twice", e.name)
		}
		all = append(all, e)
	}
	return all, nil
}

func (it *item) exception(n *yaml.Node, appended bool) (exception, error) {
	e := exception{place: text{file: it.file, line: n.Line}}
	if n.Kind != yaml.MappingNode || find(n, "name") == nil {
		return e, it.named(n, "exceptions: want mappings with a name")
	}
	e.name = find(n, "name").Value
	fields, comps, values := find(n, "fields"), find(n, "comps"), find(n, "values")
	if values != nil {
		if values.Kind != yaml.SequenceNode {
			return e, it.named(values, "exception %q: values: want a list", e.name)
		}
		e.values = values.Content
	}
	if fields == nil {
		if !appended {
			return e, it.named(n, "exception %q: no fields", e.name)
		}
		return e, nil
	}
	e.single = fields.Kind == yaml.ScalarNode
	e.fields, e.comps = scalars(fields), []string{"in"}
	switch {
	case comps != nil:
		e.comps = scalars(comps)
	case !e.single:
		e.comps = slices.Repeat([]string{"="}, len(e.fields))
	}
	switch {
	case comps != nil && (comps.Kind == yaml.ScalarNode) != e.single:
		return e, it.named(comps, "exception %q: fields and comps: want two lists, or neither", e.name)
	case len(e.fields) == 0 || len(e.fields) != len(e.comps):
		return e, it.named(fields, "exception %q: %d fields and %d comps, want as many", e.name, len(e.fields), len(e.comps))
	case e.single && !slices.Contains(listOps, e.comps[0]):
		return e, it.named(n, "exception %q: comps of a single field: got %q, want in, pmatch or intersects", e.name, e.comps[0])
	}
	for _, comp := range e.comps {
		if !slices.Contains(operators, comp) {
			return e, it.named(n, "exception %q: comps: %q is no operator", e.name, comp)
		}
	}
	return e, nil
}

// scalars are the values of a list, or of a single value.
func scalars(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var all []string
	for _, e := range n.Content {
		all = append(all, resolve(e).Value)
	}
	return all
}

func (it *item) changeExceptions(r *Rule, how string) error {
	fresh, err := it.exceptions(how == "append")
	if err != nil {
		return err
	}
	if how == "replace" {
		r.exceptions = fresh
		return nil
	}
	for _, e := range fresh {
		i := slices.IndexFunc(r.exceptions, func(old exception) bool { return old.name == e.name })
		switch {
		case i < 0 && e.fields == nil:
			return it.named(it.node, "exception %q: no fields, and nothing of this name to append to", e.name)
		case i < 0:
			r.exceptions = append(r.exceptions, e)
		case e.fields != nil:
			return it.named(it.node, "exception %q: only values can be appended", e.name)
		default:
			r.exceptions[i].values = append(slices.Clip(r.exceptions[i].values), e.values...)
		}
	}
	return nil
}

// condition is the exception as Falco adds it to a rule, behind "and not"; "" when
// it has no values. problem says what Falco would refuse.
func (e *exception) condition() (cond, problem string) {
	if len(e.values) == 0 {
		return "", ""
	}
	var parts []string
	if e.single {
		for _, v := range e.values {
			if v = resolve(v); v.Kind != yaml.ScalarNode {
				return "", "want a list of plain values"
			}
			parts = append(parts, quoteItem(v.Value))
		}
		return e.fields[0] + " " + e.comps[0] + " (" + strings.Join(parts, ", ") + ")", ""
	}
	for _, v := range e.values {
		v = resolve(v)
		if v.Kind != yaml.SequenceNode || len(v.Content) != len(e.fields) {
			return "", "values and fields differ in number"
		}
		var all []string
		for i, field := range e.fields {
			all = append(all, field+" "+e.comps[i]+" "+exceptionValue(resolve(v.Content[i]), e.comps[i]))
		}
		parts = append(parts, "("+strings.Join(all, " and ")+")")
	}
	return "(" + strings.Join(parts, " or ") + ")", ""
}

func exceptionValue(n *yaml.Node, comp string) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		var items []string
		for _, e := range n.Content {
			items = append(items, quoteItem(resolve(e).Value))
		}
		return "(" + strings.Join(items, ", ") + ")"
	case !slices.Contains(listOps, comp):
		return quoteItem(n.Value)
	case strings.HasPrefix(n.Value, "("):
		return n.Value
	}
	return "(" + n.Value + ")"
}

// quoteItem is all that Falco does to a value before it becomes part of a condition.
func quoteItem(s string) string {
	if strings.Contains(s, " ") && !strings.HasPrefix(s, `"`) && !strings.HasPrefix(s, "'") {
		return `"` + s + `"`
	}
	return s
}

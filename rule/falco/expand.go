package falco

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	maxMacroDepth = 100
	maxValues     = 1_000_000 // of all lists, expanded
)

// errorAt says where in a condition something is wrong.
func (t text) errorAt(at int, what, problem string) error {
	line := t.line
	if t.flat {
		line += strings.Count(t.s[:min(at, len(t.s))], "\n")
	}
	return fmt.Errorf("%s:%d: %s: condition: %s", t.file, line, what, problem)
}

// parse reads the text as a condition, lists expanded.
func (x *expander) parse(t text, what string) (*expr, error) {
	e, err := parseCondition(t.s)
	if err == nil {
		err = x.fill(e)
	}
	var bad *syntaxError
	if errors.As(err, &bad) {
		return nil, t.errorAt(bad.at, what, bad.text)
	}
	return e, err
}

// expander puts lists and macros in their place.
type expander struct {
	rules  *Rules
	lists  map[string][]literal
	open   map[string]bool // lists and macros that are being expanded
	values int
	depth  int
}

func newExpander(r *Rules) *expander {
	return &expander{rules: r, lists: map[string][]literal{}, open: map[string]bool{}}
}

// macros parses every macro, and finds those that Falco would refuse.
func (x *expander) macros() error {
	names := slices.SortedFunc(maps.Keys(x.rules.macros), func(a, b string) int {
		return cmp.Compare(x.rules.macros[a].index, x.rules.macros[b].index)
	})
	for _, name := range names {
		m := x.rules.macros[name]
		var err error
		if m.expr, err = x.parse(m.condition, fmt.Sprintf("macro %q", name)); err != nil {
			return err
		}
	}
	for _, name := range names {
		m := x.rules.macros[name]
		x.open[name] = true
		err := x.check(m.expr, m.order)
		delete(x.open, name)
		if err != nil {
			return m.place.errorAt(0, fmt.Sprintf("macro %q", name), err.Error())
		}
		m.checked = true
	}
	return nil
}

// check finds macros that are not there, or not defined before a place in the
// order of definitions, or that lead back to themselves.
func (x *expander) check(e *expr, before int) error {
	if e.op != opMacro {
		for _, kid := range e.kids {
			if err := x.check(kid, before); err != nil {
				return err
			}
		}
		return nil
	}
	m := x.rules.macros[e.macro]
	switch {
	case m == nil:
		return fmt.Errorf("no macro %q", e.macro)
	case x.open[e.macro]:
		return fmt.Errorf("macro %q leads back to itself", e.macro)
	case m.index >= before:
		return fmt.Errorf("macro %q is defined later only", e.macro)
	case m.checked:
		return nil
	}
	if x.depth++; x.depth > maxMacroDepth {
		return fmt.Errorf("macros nest more than %d deep", maxMacroDepth)
	}
	x.open[e.macro] = true
	defer func() {
		x.depth--
		delete(x.open, e.macro)
	}()
	return x.check(m.expr, m.order)
}

// fill puts the values of lists where their names stand. Only names outside of
// quotes count.
func (x *expander) fill(e *expr) error {
	for _, kid := range e.kids {
		if err := x.fill(kid); err != nil {
			return err
		}
	}
	c := e.check
	if c == nil || !slices.ContainsFunc(c.values, x.names) {
		return nil
	}
	var all []literal
	for _, v := range c.values {
		if !x.names(v) {
			all = append(all, v)
			continue
		}
		values, err := x.list(v.text)
		if err != nil {
			return &syntaxError{e.at, err.Error()}
		}
		all = append(all, values...)
	}
	if !slices.Contains(listOps, c.op) && len(all) != 1 {
		return &syntaxError{e.at, fmt.Sprintf("list %q with %d values behind %s %s, want one", c.values[0].text, len(all), c.field.name, c.op)}
	}
	if x.values += len(all); x.values > maxValues {
		return fmt.Errorf("conditions with more than %d values in all", maxValues)
	}
	c.values = all
	return nil
}

func (x *expander) names(v literal) bool { return !v.quoted && x.rules.lists[v.text] != nil }

// list returns the values of a list, of lists in it too.
func (x *expander) list(name string) ([]literal, error) {
	if values, ok := x.lists[name]; ok {
		return values, nil
	}
	if x.open[name] {
		return nil, fmt.Errorf("list %q leads back to itself", name)
	}
	if x.depth++; x.depth > maxMacroDepth {
		return nil, fmt.Errorf("lists nest more than %d deep", maxMacroDepth)
	}
	x.open[name] = true
	defer func() {
		x.depth--
		delete(x.open, name)
	}()
	values := []literal{}
	for _, item := range x.rules.lists[name].items {
		p := parser{text: quoteItem(item.s)}
		parsed, err := p.literals()
		if err != nil || p.at < len(p.text) {
			return nil, fmt.Errorf("%s:%d: item %.60q of list %q: Falco puts it into conditions as it is, where it is no value: quote it",
				item.file, item.line, item.s, name)
		}
		for _, v := range parsed {
			if !x.names(v) {
				values = append(values, v)
				continue
			}
			more, err := x.list(v.text)
			if err != nil {
				return nil, err
			}
			values = append(values, more...)
		}
		if len(values) > maxValues {
			return nil, fmt.Errorf("list %q: more than %d values", name, maxValues)
		}
	}
	x.lists[name] = values
	return values, nil
}

// condition is the whole condition of a rule, exceptions included.
func (x *expander) condition(r *Rule) (*expr, error) {
	what := fmt.Sprintf("rule %q", r.Name)
	e, err := x.parse(r.condition, what)
	if err != nil {
		return nil, err
	}
	if err := x.check(e, int(^uint(0)>>1)); err != nil {
		return nil, r.condition.errorAt(0, what, err.Error())
	}
	all := []*expr{e}
	for i := range r.exceptions {
		ex := &r.exceptions[i]
		what := fmt.Sprintf("rule %q: exception %q", r.Name, ex.name)
		cond, problem := ex.condition()
		if problem != "" {
			return nil, ex.place.errorAt(0, what, problem)
		}
		if cond == "" {
			continue
		}
		place := ex.place
		place.s = cond
		excepted, err := x.parse(place, what)
		if err != nil {
			return nil, err
		}
		all = append(all, &expr{op: opNot, kids: []*expr{excepted}})
	}
	if len(all) == 1 {
		return e, nil
	}
	return &expr{op: opAnd, kids: all}, nil
}

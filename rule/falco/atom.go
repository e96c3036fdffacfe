package falco

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"mayfly/trace"
)

// atom is one comparison, compiled. Where missing is set a trace cannot tell it;
// else exactly one of the functions is, by what the comparison depends on.
type atom struct {
	id       int
	cost     int
	missing  string // why a trace cannot tell; "" when it can
	constant bool   // it is value, whatever happens
	value    truth

	byType    func(name string) bool         // the type of the event alone
	container func(c *trace.Container) truth // the container alone
	event     func(e *event) truth
}

// atom returns the comparison of a check; equal checks share one.
func (g *graph) atom(c *check) *atom {
	key := c.key()
	if a := g.known[key]; a != nil {
		return a
	}
	a := compileCheck(c)
	a.id = len(g.atoms)
	g.atoms = append(g.atoms, a)
	g.known[key] = a
	return a
}

func compileCheck(c *check) *atom {
	a := &atom{cost: 1}
	if c.field.name == "evt.type" && !c.field.hasArg && len(c.field.transforms) == 0 && c.right == nil {
		return compileType(c)
	}
	f, reason := lookUp(&c.field)
	if c.field.name == "evt.dir" && len(c.values) == 1 && c.values[0].text == ">" {
		reason = "field evt.dir: a trace has the ends of calls only, as Falco since 0.42"
	}
	if reason != "" {
		a.missing = reason
		return a
	}
	if problem := a.compile(c, f); problem != "" {
		a.missing = fmt.Sprintf("field %s: %s", c.field.String(), problem)
		a.container, a.event = nil, nil
	}
	return a
}

// compileType compares the type of the event.
func compileType(c *check) *atom {
	if c.op == "exists" {
		return &atom{constant: true, value: yes}
	}
	match, _, problem := textMatcher(c.op, c.values)
	if problem != "" {
		return &atom{missing: "field evt.type: " + problem}
	}
	return &atom{cost: 1, byType: match}
}

// compile makes the function of a comparison. It returns what cannot be done.
func (a *atom) compile(c *check, f field) (problem string) {
	if c.right != nil {
		return a.compileFields(c, f)
	}
	if len(c.field.transforms) > 0 && c.op != "exists" {
		if f, problem = transformed(f, c.field.transforms); problem != "" {
			return problem
		}
	}
	a.cost = f.cost
	switch {
	case f.fixed != "":
		match, _, problem := textMatcher(c.op, c.values)
		if problem == "" {
			a.constant, a.value = true, truthOf(match(f.fixed))
		}
		return problem
	case c.field.name == "evt.num" && a.never(c):
		return ""
	case c.op == "exists":
		a.exists(f)
		return ""
	case f.container != nil:
		match, _, problem := textMatcher(c.op, c.values)
		a.container = func(c *trace.Container) truth {
			s, st := f.container(c)
			return textTruth(s, st, match)
		}
		return problem
	case f.text != nil:
		match, cost, problem := textMatcher(c.op, c.values)
		a.cost += cost
		read := f.text
		a.event = func(e *event) truth {
			s, st := read(e)
			return textTruth(s, st, match)
		}
		return problem
	case f.number != nil:
		parse := f.parse
		if parse == nil {
			parse = parseNumber
		}
		match, problem := numberMatcher(c.op, c.values, parse)
		read := f.number
		a.event = func(e *event) truth {
			n, st := read(e)
			if st != has {
				return absent(st)
			}
			return truthOf(match(n))
		}
		return problem
	case f.addrs != nil:
		return a.compileAddrs(c, f)
	}
	return a.compileAncestors(c, f)
}

// never decides the idioms evt.num=0 and evt.num>=0, which rules use for never and
// always: events count from 1.
func (a *atom) never(c *check) bool {
	if len(c.values) != 1 || c.values[0].text != "0" {
		return false
	}
	switch c.op {
	case "=", "<", "<=":
		a.constant, a.value = true, no
	case "!=", ">", ">=":
		a.constant, a.value = true, yes
	}
	return a.constant
}

// absent is what a comparison with a field gives that has no value.
func absent(s state) truth {
	if s == null {
		return no
	}
	return unknown
}

// textTruth compares text that may be absent.
func textTruth(s string, st state, match func(string) bool) truth {
	if st != has {
		return absent(st)
	}
	return truthOf(match(s))
}

func (a *atom) exists(f field) {
	is := func(st state) truth {
		if st == missing {
			return unknown
		}
		return truthOf(st == has)
	}
	switch {
	case f.container != nil:
		a.container = func(c *trace.Container) truth { _, st := f.container(c); return is(st) }
	case f.text != nil:
		a.event = func(e *event) truth { _, st := f.text(e); return is(st) }
	case f.number != nil:
		a.event = func(e *event) truth { _, st := f.number(e); return is(st) }
	case f.addrs != nil:
		a.event = func(e *event) truth { _, _, st := f.addrs(e); return is(st) }
	default:
		a.event = func(e *event) truth {
			if e.parent(e.process(), 0) != nil {
				return yes
			}
			return unknown
		}
	}
}

// compileAddrs compares addresses: with addresses, and with networks.
func (a *atom) compileAddrs(c *check, f field) string {
	if !slices.Contains([]string{"=", "!=", "in", "intersects"}, c.op) {
		return "operator " + c.op + " on an address"
	}
	exact := map[netip.Addr]bool{}
	var nets []netip.Prefix
	for _, v := range c.values {
		if addr, err := netip.ParseAddr(v.text); err == nil {
			exact[addr.Unmap()] = true
		} else if net, err := netip.ParsePrefix(v.text); err == nil {
			nets = append(nets, net.Masked())
		} else {
			return fmt.Sprintf("value %q, want an address or a network", v.text)
		}
	}
	match := func(addr netip.Addr) bool {
		return addr.IsValid() && (exact[addr] || slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Contains(addr) }))
	}
	negated := c.op == "!="
	a.event = func(e *event) truth {
		one, other, st := f.addrs(e)
		if st != has {
			return absent(st)
		}
		return truthOf((match(one) || match(other)) != negated)
	}
	return ""
}

// compileAncestors compares a field of all processes above: one of them has to
// match. Those beyond the container or before the recording may.
func (a *atom) compileAncestors(c *check, f field) string {
	match, cost, problem := textMatcher(c.op, c.values)
	a.cost = f.cost + cost
	a.event = func(e *event) truth {
		p := e.process()
		for n := range maxAncestor {
			if p = e.parent(p, n); p == nil {
				return unknown
			}
			if s, st := f.above(p); st == has && match(s) {
				return yes
			}
			if p.pid == 1 {
				return no
			}
		}
		return unknown
	}
	return problem
}

// compileFields compares a field with another one.
func (a *atom) compileFields(c *check, f field) string {
	other, reason := lookUp(c.right)
	if reason != "" {
		return reason
	}
	if c.op != "=" && c.op != "!=" {
		return "operator " + c.op + " between fields"
	}
	left, problem := transformed(f, c.field.transforms)
	if problem != "" {
		return problem
	}
	right, problem := transformed(other, c.right.transforms)
	if problem != "" {
		return problem
	}
	equal := c.op == "="
	a.cost = left.cost + right.cost + 2
	switch {
	case left.text != nil && right.text != nil:
		a.event = func(e *event) truth {
			x, sx := left.text(e)
			y, sy := right.text(e)
			return same(x, sx, y, sy, equal)
		}
	case left.number != nil && right.number != nil:
		a.event = func(e *event) truth {
			x, sx := left.number(e)
			y, sy := right.number(e)
			return same(x, sx, y, sy, equal)
		}
	default:
		return "comparison with field " + c.right.String()
	}
	return ""
}

func same[T comparable](x T, sx state, y T, sy state, equal bool) truth {
	if s := max(sx, sy); s != has {
		return absent(s)
	}
	return truthOf((x == y) == equal)
}

// transformed is a field with its transformers, of which the last is innermost.
func transformed(f field, transforms []string) (field, string) {
	for _, name := range slices.Backward(transforms) {
		var change func(string) string
		switch name {
		case "tolower":
			change = strings.ToLower
		case "toupper":
			change = strings.ToUpper
		case "basename":
			change = func(s string) string { return path.Base(s) }
		case "len":
			if f.text == nil {
				return f, "transformer len on what is no text"
			}
			read := f.text
			f = field{cost: f.cost + 1, number: func(e *event) (int64, state) { s, st := read(e); return int64(len(s)), st }}
			continue
		default:
			return f, "transformer " + name
		}
		cost := f.cost + 3
		switch {
		case f.text != nil:
			read := f.text
			f = field{cost: cost, text: func(e *event) (string, state) { s, st := read(e); return change(s), st }}
		case f.container != nil:
			read := f.container
			f = field{cost: cost, container: func(c *trace.Container) (string, state) { s, st := read(c); return change(s), st }}
		default:
			return f, "transformer " + name + " on what is no text"
		}
	}
	return f, ""
}

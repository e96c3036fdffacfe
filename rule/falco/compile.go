package falco

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mayfly/trace"
)

// Verdict says how much of a rule can be tried on a trace.
type Verdict string

// The verdicts.
const (
	Evaluated Verdict = "evaluated"     // all that the rule asks for is in a trace
	Partly    Verdict = "partly"        // some is not: what it would have done is not always known
	Untried   Verdict = "not evaluated" // without what is missing the rule can never be seen to fire
	Disabled  Verdict = "disabled"      // the rule is switched off, in Falco too
)

// Compiled is a rule with what was found out about it.
type Compiled struct {
	*Rule
	Verdict  Verdict
	Missing  []string // fields and constructs that a trace does not have, sorted
	Warnings []string // what Falco warns of when it loads the rule, and what to know of its test
}

// Program is rules ready to run over traces. It is not changed by running.
type Program struct {
	Rules []Compiled // in the order of Rules.Rules

	graph  *graph
	byKind [][]entry // by the place of the kind in trace.Kinds
}

// entry is a rule on events of one kind.
type entry struct {
	rule int
	node nodeID
}

// Compile expands macros, lists and exceptions and compiles the conditions. What
// Falco would refuse is the error, with file and line; what a trace cannot tell is
// none: it stands with the rule.
func (r *Rules) Compile() (*Program, error) {
	x := newExpander(r)
	if err := x.macros(); err != nil {
		return nil, err
	}
	p := &Program{graph: newGraph(), byKind: make([][]entry, len(trace.Kinds()))}
	c := compiler{program: p, expander: x, built: map[*expr]nodeID{}}
	for i, rule := range r.Rules {
		compiled := Compiled{Rule: rule, Verdict: Disabled}
		if rule.Events != "syscall" {
			compiled.Verdict, compiled.Missing = Untried, []string{"events of source " + rule.Events}
		} else {
			e, err := x.condition(rule)
			if err != nil {
				return nil, err
			}
			if rule.Enabled {
				c.rule(i, e, &compiled)
			}
		}
		p.Rules = append(p.Rules, compiled)
	}
	return p, nil
}

type compiler struct {
	program  *Program
	expander *expander
	built    map[*expr]nodeID
}

// build makes the node of a condition. Macros are built once.
func (c *compiler) build(e *expr) nodeID {
	if id, ok := c.built[e]; ok {
		return id
	}
	g := c.program.graph
	var id nodeID
	switch e.op {
	case opMacro:
		id = c.build(c.expander.rules.macros[e.macro].expr)
	case opCheck:
		id = g.leaf(g.atom(e.check))
	case opNot:
		id = g.not(c.build(e.kids[0]))
	default:
		kids := make([]nodeID, len(e.kids))
		for i, kid := range e.kids {
			kids[i] = c.build(kid)
		}
		id = g.join(e.op, kids)
	}
	c.built[e] = id
	return id
}

// rule compiles one rule: what it is on each kind of event.
func (c *compiler) rule(at int, e *expr, to *Compiled) {
	g, root := c.program.graph, c.build(e)
	missing, warnings := map[string]bool{}, map[string]bool{}
	fires := false
	can := map[nodeID]uint8{}
	for k, kind := range trace.Kinds() {
		node, mixed := c.onKind(root, kind)
		if node == nodeID(no) {
			continue
		}
		if mixed {
			warnings["a trace does not tell "+strings.Join(eventTypes[kind], ", ")+" apart: each counts as any of them"] = true
		}
		c.program.byKind[k] = append(c.program.byKind[k], entry{at, node})
		fires = fires || g.can(node, can)>>yes&1 == 1
		g.leaves(node, map[nodeID]bool{}, func(a *atom) {
			if a.missing != "" {
				missing[a.missing] = true
			}
		})
	}
	c.types(e, root, missing, warnings)
	to.Missing, to.Warnings = slices.Sorted(maps.Keys(missing)), slices.Sorted(maps.Keys(warnings))
	switch {
	case !fires && len(missing) > 0:
		to.Verdict = Untried
	case len(missing) > 0:
		to.Verdict = Partly
	default:
		to.Verdict = Evaluated
		if !fires {
			to.Warnings = append(to.Warnings, "it can never fire")
		}
	}
}

// onKind is a condition on events of a kind, which may have any of several types:
// mixed says that it is not the same for all.
func (c *compiler) onKind(root nodeID, kind trace.Kind) (node nodeID, mixed bool) {
	var each []nodeID
	for _, name := range eventTypes[kind] {
		each = append(each, c.onType(root, name))
	}
	if len(each) == 0 {
		return nodeID(no), false
	}
	slices.Sort(each)
	each = slices.Compact(each)
	return c.program.graph.join(opOr, each), len(each) > 1
}

func (c *compiler) onType(root nodeID, name string) nodeID {
	return c.program.graph.fold(root, func(a *atom) (truth, bool) {
		if a.byType == nil {
			return no, false
		}
		return truthOf(a.byType(name)), true
	}, map[nodeID]nodeID{})
}

// types finds the types of events that the rule would fire on and a trace has no
// events of.
func (c *compiler) types(e *expr, root nodeID, missing, warnings map[string]bool) {
	seen := map[*expr]bool{}
	asked := map[string]bool{}
	c.checks(e, seen, func(ch *check) {
		for _, v := range ch.values {
			if ch.field.name == "evt.type" {
				asked[v.text] = true
			}
			if v.text == "<NA>" {
				warnings["comparison with <NA>, which Falco warns of: use exists"] = true
			}
		}
	})
	for name := range asked {
		if _, ok := recordedTypes[name]; ok || c.onType(root, name) == nodeID(no) {
			continue
		}
		if as := folded[name]; as != "" {
			missing["evt.type "+name+": a trace has it as "+as] = true
		} else {
			missing["evt.type "+name+": a trace has no such events"] = true
		}
	}
	if c.onType(root, "") != nodeID(no) {
		warnings["it names no evt.type: Falco runs it on every event, and warns of that"] = true
		missing["events of every other type"] = true
	}
}

// checks calls visit for every comparison of a condition, macros included.
func (c *compiler) checks(e *expr, seen map[*expr]bool, visit func(*check)) {
	if seen[e] {
		return
	}
	seen[e] = true
	switch e.op {
	case opMacro:
		c.checks(c.expander.rules.macros[e.macro].expr, seen, visit)
	case opCheck:
		visit(e.check)
	}
	for _, kid := range e.kids {
		c.checks(kid, seen, visit)
	}
}

// String names a rule and where it stands.
func (c *Compiled) String() string { return fmt.Sprintf("%s:%d: %s", c.File, c.Line, c.Name) }

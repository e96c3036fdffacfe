package falco

import (
	"fmt"
	"strings"
)

// maxDepth bounds how deep a condition nests. Falco's own bound is 1000.
const maxDepth = 500

// syntaxError is what is wrong with a condition, and where.
type syntaxError struct {
	at   int
	text string
}

func (e *syntaxError) Error() string { return e.text }

// parseCondition reads a condition in the grammar of libsinsp
// (falcosecurity/libs, userspace/libsinsp/filter/parser.h). The error is a
// *syntaxError.
func parseCondition(text string) (*expr, error) {
	p := parser{text: text}
	e, err := p.or()
	if err == nil && p.at < len(p.text) {
		err = p.errorf("want and, or, or the end, got %s", p.next())
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// parser is a condition being read.
type parser struct {
	text  string
	at    int
	depth int
}

func (p *parser) errorf(format string, args ...any) error {
	return &syntaxError{p.at, fmt.Sprintf(format, args...)}
}

// next shows what stands ahead, for an error.
func (p *parser) next() string {
	if p.at >= len(p.text) {
		return "the end"
	}
	return fmt.Sprintf("%.24q", p.text[p.at:])
}

// or reads ands joined by or.
func (p *parser) or() (*expr, error) { return p.joined("or", opOr, p.and) }

func (p *parser) and() (*expr, error) { return p.joined("and", opAnd, p.not) }

// joined reads what one operator joins. The operator is followed by a blank or by
// a parenthesis.
func (p *parser) joined(word string, op op, operand func() (*expr, error)) (*expr, error) {
	p.blank()
	start := p.at
	first, err := operand()
	if err != nil {
		return nil, err
	}
	kids := []*expr{first}
	for p.blank(); p.take(word); p.blank() {
		var kid *expr
		switch {
		case p.blank():
			kid, err = operand()
		case p.take("("):
			kid, err = p.rest()
		default:
			return nil, p.errorf("want a blank or ( behind %s, got %s", word, p.next())
		}
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
	}
	if len(kids) == 1 {
		return first, nil
	}
	return &expr{op: op, kids: kids, at: start}, nil
}

func (p *parser) not() (*expr, error) {
	p.blank()
	start, negated := p.at, false
	for p.takeNot() {
		negated = !negated
	}
	var e *expr
	var err error
	if p.take("not(") {
		negated = !negated
		e, err = p.rest()
	} else {
		e, err = p.primary()
	}
	if err != nil || !negated {
		return e, err
	}
	return &expr{op: opNot, kids: []*expr{e}, at: start}, nil
}

// takeNot takes "not" with the blanks that must follow it.
func (p *parser) takeNot() bool {
	start := p.at
	if p.take("not") && p.blank() {
		return true
	}
	p.at = start
	return false
}

// rest reads what an opening parenthesis began.
func (p *parser) rest() (*expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	p.blank()
	if !p.take(")") {
		return nil, p.errorf("want ), got %s", p.next())
	}
	return e, nil
}

// primary reads a parenthesis, a comparison or the name of a macro.
func (p *parser) primary() (*expr, error) {
	p.blank()
	start := p.at
	if p.take("(") {
		return p.rest()
	}
	ref, err := p.field()
	if err != nil {
		return nil, err
	}
	if ref != nil {
		c, err := p.comparison(*ref, start)
		return &expr{op: opCheck, check: c, at: start}, err
	}
	if name := p.identifier(); name != "" {
		return &expr{op: opMacro, macro: name, at: start}, nil
	}
	return nil, p.errorf("want a parenthesis, a field or a macro, got %s", p.next())
}

// field reads a field, transformers and argument included; nil when there is none.
func (p *parser) field() (*fieldRef, error) {
	start := p.at
	name := p.identifier()
	if name == "" {
		return nil, nil
	}
	if p.take("(") {
		return p.transformed(name)
	}
	parts := 1
	for p.at+1 < len(p.text) && p.text[p.at] == '.' && letter(p.text[p.at+1]) {
		p.at++
		p.identifier()
		parts++
	}
	if parts == 1 {
		p.at = start
		return nil, nil
	}
	ref := &fieldRef{name: p.text[start:p.at]}
	if !p.take("[") {
		return ref, nil
	}
	ref.hasArg = true
	if arg, ok, err := p.quoted(); err != nil {
		return nil, err
	} else if ok {
		ref.arg = arg
	} else {
		ref.arg = p.span(func(c byte) bool { return !strings.ContainsRune("[]\"' \t\n\v\f\r", rune(c)) })
		if ref.arg == "" {
			return nil, p.errorf("field %s: want an argument, got %s", ref.name, p.next())
		}
	}
	if !p.take("]") {
		return nil, p.errorf("field %s: want ], got %s", ref.name, p.next())
	}
	return ref, nil
}

// transformed reads a field within a transformer, such as tolower(proc.name).
func (p *parser) transformed(name string) (*fieldRef, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	p.blank()
	ref, err := p.field()
	if err == nil && ref == nil {
		err = p.errorf("%s(: want a field, got %s", name, p.next())
	}
	if err != nil {
		return nil, err
	}
	p.blank()
	if !p.take(")") {
		return nil, p.errorf("%s(: want ), got %s", name, p.next())
	}
	ref.transforms = append([]string{name}, ref.transforms...)
	return ref, nil
}

// Operators in libsinsp's order, which decides where one begins like another.
var (
	numberOps = []string{"<=", "<", ">=", ">"}
	textOps   = []string{"==", "=", "!="}
	wordOps   = []string{"glob", "iglob", "contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith", "regex"}
	listOps   = []string{"intersects", "in", "pmatch"}
)

func (p *parser) comparison(ref fieldRef, start int) (*check, error) {
	c := &check{field: ref, at: start}
	p.blank()
	switch {
	case p.take("exists"):
		c.op = "exists"
		return c, nil
	case p.takeAny(&c.op, numberOps):
		return c, p.operand(c, p.number)
	case p.takeAny(&c.op, textOps):
		if c.op == "==" {
			c.op = "="
		}
		return c, p.operand(c, p.scalar)
	case p.takeWord(&c.op):
		return c, p.operand(c, p.scalar)
	case p.takeAny(&c.op, listOps):
		return c, p.operand(c, p.list)
	}
	return nil, p.errorf("field %s: want an operator, got %s", ref.name, p.next())
}

// operand reads the right side: a field that is transformed, or values.
func (p *parser) operand(c *check, values func(*check) error) error {
	p.blank()
	start := p.at
	if name := p.identifier(); name != "" && p.take("(") {
		ref, err := p.transformed(name)
		if err != nil {
			return err
		}
		if ref.transforms[0] == "val" { // the field as it is
			ref.transforms = ref.transforms[1:]
		}
		c.right = ref
		return nil
	}
	p.at = start
	return values(c)
}

func (p *parser) number(c *check) error {
	start := p.at
	if p.take("0x") || p.take("0X") {
		p.span(func(b byte) bool { return letter(b) || digit(b) })
	} else {
		_ = p.take("-") || p.take("+")
		if p.span(digit) == "" {
			p.at = start
			return p.errorf("field %s: want a number, got %s", c.field.name, p.next())
		}
		if p.take(".") {
			p.span(digit)
		}
	}
	c.values = []literal{{text: p.text[start:p.at]}}
	return nil
}

func (p *parser) scalar(c *check) error {
	v, ok, err := p.literal()
	if err != nil {
		return err
	}
	if !ok {
		return p.errorf("field %s %s: want a value, got %s", c.field.name, c.op, p.next())
	}
	c.values = []literal{v}
	return nil
}

// list reads values in parentheses, which may be empty.
func (p *parser) list(c *check) error {
	if !p.take("(") {
		return p.errorf("field %s %s: want a list in parentheses, got %s", c.field.name, c.op, p.next())
	}
	values, err := p.literals()
	if err != nil {
		return err
	}
	if c.values = values; !p.take(")") {
		return p.errorf("field %s %s: want , or ), got %s", c.field.name, c.op, p.next())
	}
	return nil
}

// literals reads values between commas, none or more.
func (p *parser) literals() ([]literal, error) {
	values := []literal{}
	p.blank()
	for {
		v, ok, err := p.literal()
		if err != nil {
			return nil, err
		}
		if !ok {
			if len(values) == 0 {
				return values, nil
			}
			return nil, p.errorf("want a value behind a comma, got %s", p.next())
		}
		values = append(values, v)
		p.blank()
		if !p.take(",") {
			return values, nil
		}
		p.blank()
	}
}

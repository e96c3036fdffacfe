package falco

import "strings"

// op is what a node of a condition does.
type op uint8

const (
	opAnd op = iota
	opOr
	opNot
	opCheck
	opMacro
)

// expr is a node of a parsed condition. Nodes are not changed once they are made,
// so that a macro may stand in many conditions.
type expr struct {
	op    op
	kids  []*expr // of and, or, not
	check *check
	macro string
	at    int // byte in the condition's text
}

// check compares a field with values.
type check struct {
	field  fieldRef
	op     string    // exists = != < <= > >= contains … as libsinsp spells them; == is =
	values []literal // one, but for in, intersects and pmatch
	right  *fieldRef // a field in place of the values
	at     int
}

// fieldRef names a field, with what is done to it.
type fieldRef struct {
	name       string
	arg        string // between brackets
	hasArg     bool
	transforms []string // outermost first
}

// literal is a value as it stood in the condition.
type literal struct {
	text   string
	quoted bool
}

func (f *fieldRef) String() string {
	s := f.name
	if f.hasArg {
		s += "[" + f.arg + "]"
	}
	for i := len(f.transforms) - 1; i >= 0; i-- {
		s = f.transforms[i] + "(" + s + ")"
	}
	return s
}

// key tells checks apart: two with the same key always give the same.
func (c *check) key() string {
	var b strings.Builder
	b.WriteString(c.field.String() + "\x00" + c.op)
	if c.right != nil {
		b.WriteString("\x00\x00" + c.right.String())
	}
	for _, v := range c.values {
		b.WriteString("\x00" + v.text)
	}
	return b.String()
}

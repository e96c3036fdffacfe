package falco

import (
	"fmt"
	"strings"
)

func (p *parser) literal() (literal, bool, error) {
	text, ok, err := p.quoted()
	if ok || err != nil {
		return literal{text, true}, ok, err
	}
	text = p.span(func(c byte) bool { return !strings.ContainsRune("()\"'=, \t\n\v\f\r", rune(c)) })
	return literal{text: text}, text != "", nil
}

// quoted reads a string in quotes. As in libsinsp, a quote behind any backslash
// does not end it, an escaped backslash too.
func (p *parser) quoted() (string, bool, error) {
	if p.at >= len(p.text) || p.text[p.at] != '"' && p.text[p.at] != '\'' {
		return "", false, nil
	}
	quote := p.text[p.at]
	for i := p.at + 1; i < len(p.text); i++ {
		if p.text[i] == quote && p.text[i-1] != '\\' {
			text, bad := unescape(p.text[p.at+1 : i])
			if bad != "" {
				return "", false, p.errorf("escape %s in a string, which Falco does not know", bad)
			}
			p.at = i + 1
			return text, true, nil
		}
	}
	return "", false, p.errorf("string without its closing %c: %s", quote, p.next())
}

// unescape undoes the escapes of a string as libsinsp does, an escaped blank
// included, which becomes a backslash there. bad is one that it does not know.
func unescape(s string) (text, bad string) {
	if !strings.Contains(s, `\`) {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		at := strings.IndexByte(`bfnrt \/"'`, s[i])
		if at < 0 {
			return "", fmt.Sprintf("%q", s[i-1:i+1])
		}
		b.WriteByte("\b\f\n\r\t\\\\/\"'"[at])
	}
	return b.String(), ""
}

func (p *parser) blank() bool {
	return p.span(func(c byte) bool { return c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n' }) != ""
}

// identifier takes a name; "" when there is none.
func (p *parser) identifier() string {
	if p.at >= len(p.text) || !letter(p.text[p.at]) {
		return ""
	}
	return p.span(func(c byte) bool { return letter(c) || digit(c) || c == '_' })
}

func (p *parser) span(of func(byte) bool) string {
	start := p.at
	for p.at < len(p.text) && of(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at]
}

func (p *parser) take(s string) bool {
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *parser) takeAny(op *string, all []string) bool {
	for _, *op = range all {
		if p.take(*op) {
			return true
		}
	}
	return false
}

// takeWord takes an operator that a blank must follow.
func (p *parser) takeWord(op *string) bool {
	start := p.at
	for _, *op = range wordOps {
		if p.take(*op) && p.blank() {
			return true
		}
		p.at = start
	}
	return false
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

package ingest

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"mayfly/trace"
)

// liddsCall is the end of a call that is to become an event.
type liddsCall struct {
	d           *liddsReader
	t           *thread
	name        string
	rest, begin []byte
	e           trace.Event
}

// value returns a parameter, of the end of the call or else of its begin. It ends
// where the next one begins.
func (c *liddsCall) value(name string) (string, bool) {
	for _, b := range [][]byte{c.rest, c.begin} {
		if v, ok := sysdigParameter(b, name); ok {
			return v, true
		}
	}
	return "", false
}

func sysdigParameter(b []byte, name string) (string, bool) {
	at := 0
	for {
		i := bytes.Index(b[at:], []byte(name+"="))
		if i < 0 {
			return "", false
		}
		at += i
		if at == 0 || b[at-1] == ' ' {
			break
		}
		at += len(name)
	}
	v := b[at+len(name)+1:]
	end := len(v)
	for i := 0; i < len(v); i++ { // " key="
		if v[i] != ' ' {
			continue
		}
		j := i + 1
		for j < len(v) && (v[j] >= 'a' && v[j] <= 'z' || v[j] == '_' || v[j] >= '0' && v[j] <= '9') {
			j++
		}
		if j > i+1 && j < len(v) && v[j] == '=' {
			end = i
			break
		}
	}
	return strings.TrimRight(string(v[:end]), " "), true
}

// number returns the number that a parameter begins with.
func (c *liddsCall) number(name string) *int64 {
	v, ok := c.value(name)
	if !ok {
		return nil
	}
	end := 0
	for end < len(v) && (v[end] == '-' || v[end] >= '0' && v[end] <= '9') {
		end++
	}
	if n, err := strconv.ParseInt(v[:end], 10, 64); err == nil {
		return &n
	}
	return nil
}

// path returns a path: sysdig prints the full one in parentheses behind one that
// is relative.
func (c *liddsCall) path(name string) string {
	v, ok := c.value(name)
	if !ok || v == "<NA>" {
		return ""
	}
	if i := strings.LastIndexByte(v, '('); i >= 0 && strings.HasSuffix(v, ")") && strings.HasPrefix(v[i+1:], "/") {
		v = v[i+1 : len(v)-1]
	}
	return v
}

// names returns flags that stand in parentheses: flags=65(O_CREAT|O_WRONLY).
func (c *liddsCall) names(name string) *int64 {
	v, _ := c.value(name)
	_, rest, ok := strings.Cut(v, "(")
	if !ok {
		if v == "0" {
			return new(int64(0))
		}
		return nil
	}
	if n, ok := flags(strings.TrimSuffix(rest, ")")); ok {
		return &n
	}
	return nil
}

func (c *liddsCall) octal(name string) *int64 {
	v, _ := c.value(name)
	v, _, _ = strings.Cut(v, "(")
	if n, err := strconv.ParseInt(v, 8, 64); err == nil {
		return &n
	}
	return nil
}

func (c *liddsCall) emit(kind trace.Kind) error {
	c.e.Kind = string(kind)
	c.d.failed = c.d.f.event(c.t, &c.e)
	return c.d.failed
}

// tuple reads 10.0.0.1:5->10.0.0.2:80.
func (c *liddsCall) tuple(name string) (family string, from, to netip.AddrPort, ok bool) {
	v, _ := c.value(name)
	a, b, ok := strings.Cut(v, "->")
	if !ok {
		return "", from, to, false
	}
	from, ok1 := sysdigAddress(a)
	to, ok2 := sysdigAddress(b)
	if !ok1 || !ok2 {
		return "", from, to, false
	}
	if to.Addr().Is4() {
		return "inet", from, to, true
	}
	return "inet6", from, to, true
}

// sysdigAddress reads an address and a port, ::1:53 among them.
func sysdigAddress(s string) (netip.AddrPort, bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return netip.AddrPort{}, false
	}
	ip, err1 := netip.ParseAddr(s[:i])
	port, err2 := strconv.ParseUint(s[i+1:], 10, 16)
	return netip.AddrPortFrom(ip, uint16(port)), err1 == nil && err2 == nil
}

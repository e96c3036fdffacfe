package ingest

import (
	"bytes"
	"net/netip"
	"strings"

	"mayfly/trace"
)

// socketKey is a socket of a process.
type socketKey struct {
	pid int32
	fd  int64
}

// socket is what the calls on a socket so far said of it.
type socket struct {
	family, addr string
	port         *int64
}

// maxSockets bounds what is kept of sockets; beyond it all is forgotten.
const maxSockets = 1 << 16

func (c *straceArguments) keep(fd int64, s socket) {
	if len(c.d.sockets) >= maxSockets {
		clear(c.d.sockets)
	}
	c.d.sockets[socketKey{c.t.process.row.PID, fd}] = s
}

// local is what is known of the socket at place 0.
func (c *straceArguments) local() (fd int64, s socket, ok bool) {
	if len(c.args) == 0 {
		return 0, s, false
	}
	fd, described, ok := descriptor(c.args[0])
	if !ok {
		return 0, s, false
	}
	s = c.d.sockets[socketKey{c.t.process.row.PID, fd}]
	if family, from, _, ok := describedSocket(described); ok {
		s.family = family
		if from.IsValid() {
			s.addr, s.port = from.Addr().String(), new(int64(from.Port()))
		}
	}
	return fd, s, true
}

// describedSocket reads what -yy says of a descriptor: TCP:[127.0.0.1:5->127.0.0.1:6].
func describedSocket(text string) (family string, from, to netip.AddrPort, ok bool) {
	protocol, rest, ok := strings.Cut(text, ":[")
	if !ok || !strings.HasSuffix(rest, "]") {
		return "", from, to, false
	}
	switch {
	case strings.HasPrefix(protocol, "UNIX"):
		return "unix", from, to, true
	case strings.HasPrefix(protocol, "TCP"), strings.HasPrefix(protocol, "UDP"):
	default:
		return "", from, to, false
	}
	family = "inet"
	if strings.HasSuffix(protocol, "v6") {
		family = "inet6"
	}
	a, b, _ := strings.Cut(rest[:len(rest)-1], "->")
	from, _ = netip.ParseAddrPort(a)
	to, _ = netip.ParseAddrPort(b)
	return family, from, to, true
}

func (c *straceArguments) socket() error {
	if c.failed() || len(c.args) == 0 {
		return nil
	}
	if family, ok := addressFamilies[string(c.args[0])]; ok {
		c.keep(c.ret, socket{family: family})
	}
	return nil
}

func (c *straceArguments) connect() error {
	_, s, ok := c.local()
	if !ok || len(c.args) < 2 {
		return c.errArgument(0)
	}
	c.e.Family, c.e.Addr, c.e.Port = sockaddr(c.args[1])
	if c.e.Family == "" {
		c.e.Family = s.family
	}
	c.e.LocalAddr, c.e.LocalPort = s.addr, s.port
	return c.emit(trace.Connect)
}

func (c *straceArguments) bind() error {
	fd, _, ok := c.local()
	if !ok || len(c.args) < 2 {
		return c.errArgument(0)
	}
	c.e.Family, c.e.LocalAddr, c.e.LocalPort = sockaddr(c.args[1])
	if !c.failed() {
		c.keep(fd, socket{c.e.Family, c.e.LocalAddr, c.e.LocalPort})
	}
	return c.emit(trace.Bind)
}

func (c *straceArguments) listen() error {
	_, s, ok := c.local()
	if !ok {
		return c.errArgument(0)
	}
	c.e.Family, c.e.LocalAddr, c.e.LocalPort = s.family, s.addr, s.port
	return c.emit(trace.Listen)
}

func (c *straceArguments) accept() error {
	_, s, ok := c.local()
	if !ok {
		return c.errArgument(0)
	}
	c.e.Family, c.e.LocalAddr, c.e.LocalPort = s.family, s.addr, s.port
	if len(c.args) > 1 && !c.failed() {
		if family, addr, port := sockaddr(c.args[1]); family != "" {
			c.e.Family, c.e.Addr, c.e.Port = family, addr, port
		}
		if _, from, to, ok := describedSocket(c.file); ok && from.IsValid() && to.IsValid() {
			c.e.LocalAddr, c.e.LocalPort = from.Addr().String(), new(int64(from.Port()))
			c.e.Addr, c.e.Port = to.Addr().String(), new(int64(to.Port()))
		}
	}
	return c.emit(trace.Accept)
}

// getsockname learns what the kernel named a socket.
func (c *straceArguments) getsockname() error {
	fd, _, ok := c.local()
	if !ok || len(c.args) < 2 || c.failed() {
		return nil
	}
	if family, addr, port := sockaddr(c.args[1]); family != "" {
		c.keep(fd, socket{family, addr, port})
	}
	return nil
}

// sockaddr reads {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("1.2.3.4")}
// and its kin.
func sockaddr(arg []byte) (family, addr string, port *int64) {
	fields := members(arg, nil)
	name := string(field(fields, "sa_family"))
	if family = addressFamilies[name]; family == "" {
		if n, ok := number(name); ok {
			family = familyName(uint64(n))
		}
	}
	switch family {
	case "unix":
		text := field(fields, "sun_path")
		abstract := bytes.HasPrefix(text, []byte("@"))
		addr, _, _ = unquote(bytes.TrimPrefix(text, []byte("@")))
		if abstract {
			addr = "@" + addr
		}
	case "inet":
		addr = inside(field(fields, "sin_addr"))
		port = htons(field(fields, "sin_port"))
	case "inet6":
		port = htons(field(fields, "sin6_port"))
		for _, f := range fields { // inet_pton(AF_INET6, "::1", &sin6_addr)
			if bytes.HasPrefix(f, []byte("inet_pton(")) || bytes.HasPrefix(f, []byte("sin6_addr=")) {
				addr = inside(f)
			}
		}
	}
	if ip, err := netip.ParseAddr(addr); err == nil {
		addr = ip.String()
	}
	return family, addr, port
}

// inside returns the first string of a text.
func inside(b []byte) string {
	if i := bytes.IndexByte(b, '"'); i >= 0 {
		s, _, _ := unquote(b[i:])
		return s
	}
	return ""
}

// htons reads htons(80).
func htons(b []byte) *int64 {
	text := strings.TrimSuffix(strings.TrimPrefix(string(b), "htons("), ")")
	if n, ok := number(text); ok && n >= 0 && n < 1<<16 {
		return &n
	}
	return nil
}

package ingest

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"mayfly/trace"
)

// socketMade: fd (begin: domain, type, proto); since 0.21 fd, domain, …
func (ev *scapEvent) socketMade() error {
	if domain := ev.either(1, 0); domain != nil && ev.ret >= 0 {
		ev.d.keep(ev.pid(), ev.ret, descriptorInfo{socket: socket{family: familyName(uint64(*domain))}})
	}
	return nil
}

// bind: res, addr; fd at the begin, since 0.21 behind.
func (ev *scapEvent) bind() error {
	ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort = scapAddress(ev.parameters.bytes(1))
	if fd := ev.either(2, 0); fd != nil && ev.ret >= 0 {
		ev.d.keep(ev.pid(), *fd, descriptorInfo{socket: socket{ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort}})
	}
	return ev.emit(trace.Bind)
}

// connect: res, tuple (begin: fd, addr); since 0.21 res, tuple, fd, addr.
func (ev *scapEvent) connect() error {
	var peer socket
	if ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort, peer = scapTuple(ev.parameters.bytes(1)); ev.e.Family != "" {
		ev.e.Addr, ev.e.Port = peer.addr, peer.port
	}
	if ev.e.Addr == "" {
		addr := ev.parameters.bytes(3)
		if len(addr) == 0 {
			addr = ev.begin.bytes(1)
		}
		if family, addr, port := scapAddress(addr); family != "" {
			ev.e.Family, ev.e.Addr, ev.e.Port = family, addr, port
		}
	}
	if ev.e.Family == "" {
		ev.e.Family = ev.file(orZero(ev.either(2, 0))).socket.family
	}
	return ev.emit(trace.Connect)
}

// listen: res; fd at the begin, since 0.21 behind.
func (ev *scapEvent) listen() error {
	if fd := ev.either(1, 0); fd != nil {
		s := ev.file(*fd).socket
		ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort = s.family, s.addr, s.port
	}
	return ev.emit(trace.Listen)
}

// accept: fd, tuple: the peer is its source.
func (ev *scapEvent) accept() error {
	family, addr, port, local := scapTuple(ev.parameters.bytes(1))
	ev.e.Family, ev.e.LocalAddr, ev.e.LocalPort = family, local.addr, local.port
	ev.e.Addr, ev.e.Port = addr, port
	if family == "unix" {
		ev.e.Addr = ""
	}
	return ev.emit(trace.Accept)
}

// scapAddress reads a family and an address: IP and port, or a path.
func scapAddress(b []byte) (family, addr string, port *int64) {
	if len(b) == 0 {
		return "", "", nil
	}
	family = familyName(uint64(b[0]))
	switch {
	case family == "inet" && len(b) >= 7:
		return family, netip.AddrFrom4([4]byte(b[1:5])).String(), new(int64(binary.LittleEndian.Uint16(b[5:])))
	case family == "inet6" && len(b) >= 19:
		return family, netip.AddrFrom16([16]byte(b[1:17])).String(), new(int64(binary.LittleEndian.Uint16(b[17:])))
	case family == "unix":
		return family, unixPath(b[1:]), nil
	}
	return family, "", nil
}

// unixPath is the name of a unix socket; an abstract one begins with "@".
func unixPath(b []byte) string {
	if len(b) > 1 && b[0] == 0 {
		name, _, _ := bytes.Cut(b[1:], []byte{0})
		return "@" + string(name)
	}
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}

// scapTuple reads a family and two addresses, source and destination.
func scapTuple(b []byte) (family, addr string, port *int64, to socket) {
	if len(b) == 0 {
		return "", "", nil, to
	}
	family = familyName(uint64(b[0]))
	switch {
	case family == "inet" && len(b) >= 13:
		_, addr, port = scapAddress(b[:7])
		_, to.addr, to.port = scapAddress(append([]byte{2}, b[7:13]...))
	case family == "inet6" && len(b) >= 37:
		_, addr, port = scapAddress(b[:19])
		_, to.addr, to.port = scapAddress(append([]byte{10}, b[19:37]...))
	case family == "unix" && len(b) >= 17:
		to.addr = unixPath(b[17:])
	}
	to.family = family
	return family, addr, port, to
}

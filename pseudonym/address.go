package pseudonym

import (
	"net/netip"
	"strings"
)

// Ranges of addresses that mean something by themselves: an address stays in its
// range. Longest first.
var ranges = []netip.Prefix{
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fc00::/7"),
}

// Addresses that are the same everywhere.
var everywhere = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"), netip.MustParsePrefix("::/127"), netip.MustParsePrefix("ff00::/8"),
}

// Addr replaces an IP address by one of the same kind (private, link-local, public),
// so that two that share a prefix still do (J. Xu et al., Prefix-preserving IP address
// anonymization, ICNP 2002). What is no address is a Text: the path of a socket.
func (m *Mapper) Addr(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return m.Text(s)
	}
	if a.Is4In6() {
		return "::ffff:" + m.Addr(a.Unmap().String())
	}
	a = a.WithZone("")
	for _, p := range everywhere {
		if p.Contains(a) {
			return s
		}
	}
	for _, p := range ranges {
		if p.Contains(a) {
			return m.flip(a, p.Bits()).String()
		}
	}
	for { // until it is public again; a permutation comes back to the public ones
		a = m.flip(a, 0)
		if public(a) {
			return a.String()
		}
	}
}

func public(a netip.Addr) bool {
	for _, p := range append(ranges[:len(ranges):len(ranges)], everywhere...) {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// flip turns each bit behind the first keep ones as the bits before it say.
func (m *Mapper) flip(a netip.Addr, keep int) netip.Addr {
	in := a.AsSlice()
	out := append([]byte(nil), in...)
	for bit := keep; bit < len(in)*8; bit++ {
		before := append([]byte(nil), in[:bit/8+1]...)
		before[bit/8] &^= 0xff >> (bit % 8)
		if m.random(0, "address", string(before)+string(rune(bit)))&1 == 1 {
			out[bit/8] ^= 0x80 >> (bit % 8)
		}
	}
	flipped, _ := netip.AddrFromSlice(out)
	return flipped
}

// claimed replaces what a caller's memory said: a path, two of them, an address.
func (m *Mapper) claimed(s string) string {
	const arrow = " → "
	parts := strings.Split(s, arrow)
	for i, part := range parts {
		if ap, err := netip.ParseAddrPort(part); err == nil {
			addr, _ := netip.ParseAddr(m.Addr(ap.Addr().String()))
			parts[i] = netip.AddrPortFrom(addr, ap.Port()).String()
			continue
		}
		parts[i] = m.Addr(part)
	}
	return strings.Join(parts, arrow)
}

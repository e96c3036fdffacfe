package record

import (
	"bytes"
	"net/netip"
	"path"

	"mayfly/bpf"
	"mayfly/trace"
)

// claim notes what the caller's memory said where the kernel used something else:
// another thread changed it in between. Of a path whose last name may be a link
// that was followed (open, chmod, chown, the target of a mount) a difference says
// nothing, and so it does of the folders on the way.
func (c *converter) claim(raw *rawEvent, e *trace.Event) {
	s := &raw.sections
	switch bpf.Kind(raw.Kind) {
	case bpf.Exec:
		if name, said := s[sectionName].bytes, s[sectionPath].bytes; name != nil && said != nil && !bytes.Equal(name, said) {
			e.Claimed = c.texts.of(said)
		}
	case bpf.Unlink:
		if said := c.texts.given(s[sectionPath], s[sectionBase]); s[sectionFile].bytes != nil && otherName(said, e.Path) {
			e.Claimed = said
		}
	case bpf.Rename, bpf.Link:
		c.claimTwo(raw, e)
	case bpf.Connect, bpf.Bind:
		c.claimAddress(raw, e)
	}
}

// claimTwo claims both paths, as "from → to", where either differs.
func (c *converter) claimTwo(raw *rawEvent, e *trace.Event) {
	s := &raw.sections
	if s[sectionFile2].bytes == nil || s[sectionPath2].bytes == nil {
		return
	}
	from, to := c.texts.given(s[sectionPath], s[sectionBase]), c.texts.given(s[sectionPath2], s[sectionBase2])
	differs := otherName(to, e.Path2)
	switch {
	case s[sectionName].bytes != nil: // of a symbolic link: its target's text
		from = c.texts.of(s[sectionPath].bytes)
		differs = differs || !bytes.Equal(s[sectionName].bytes, s[sectionPath].bytes)
	case bpf.Kind(raw.Kind) == bpf.Rename:
		differs = differs || otherName(from, e.Path)
	}
	if differs {
		e.Claimed = from + " → " + to
	}
}

// otherName says whether two paths end in different names.
func otherName(said, used string) bool {
	return said != "" && used != "" && path.Base(said) != path.Base(used)
}

func (c *converter) claimAddress(raw *rawEvent, e *trace.Event) {
	used, said := raw.sections[sectionAddress].bytes, raw.sections[sectionSockaddr].bytes
	n := min(len(used), len(said))
	if n < 2 || bytes.Equal(used[:n], said[:n]) {
		return
	}
	var other trace.Event
	addr, port := c.sockaddr(said, &other)
	if port != nil {
		ip, _ := netip.ParseAddr(addr)
		addr = netip.AddrPortFrom(ip, uint16(*port)).String()
	}
	if addr == "" {
		addr = other.Family
	}
	e.Claimed = addr
}

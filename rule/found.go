package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mayfly/profile"
)

// addFound adds a rule for the items of findings that no other rule catches.
func (s *Set) addFound(items []profile.Item, opts Options) {
	items = slices.Clone(items)
	slices.SortFunc(items, profile.Item.Compare)
	items = slices.Compact(items)
	r := Rule{Name: "found before", Kind: Found, Priority: "ERROR",
		Desc: "Something happened again that a finding named as new for this workload.",
		Tags: []string{"finding"}}
	for _, item := range items {
		if by := s.catches(item); by != "" {
			s.Covered = append(s.Covered, comment(item.String())+": "+string(by))
			continue
		}
		switch item.Kind {
		case profile.Exec, profile.Read, profile.Write, profile.Connect:
			if len(r.Items) < opts.MaxFound {
				r.Items = append(r.Items, item)
			} else {
				s.Skipped = append(s.Skipped, comment(item.String())+" (too many)")
			}
		default:
			s.Skipped = append(s.Skipped, comment(item.String()))
		}
	}
	if len(r.Items) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("from findings, not from the profile: review the %d items before deploying", len(r.Items)))
		s.add(r, len(r.Items))
	}
}

// catches returns the kind of the rule that fires on an item, or "".
func (s *Set) catches(item profile.Item) Kind {
	for i := range s.Rules {
		if s.Rules[i].catches(item) {
			return s.Rules[i].Kind
		}
	}
	if item.Kind == profile.Call && s.Calls != nil && !s.Calls.Allows(item.Value) {
		return Calls
	}
	return ""
}

func (r *Rule) catches(item profile.Item) bool {
	switch {
	case r.Kind == Program && item.Kind == profile.Exec, r.Kind == Dropped && item.Kind == profile.WriteExec:
		return !r.Allowed.Has(item.Value)
	case r.Kind == Secret && item.Kind == profile.Read:
		return r.Denied.Has(item.Value)
	case r.Kind == Write && item.Kind == profile.Write:
		return !r.Allowed.Has(item.Value)
	case r.Kind == Connect && item.Kind == profile.Connect:
		if path, ok := strings.CutPrefix(item.Value, "unix:"); ok {
			return strings.HasPrefix(path, "/") && !r.Allowed.Has(path)
		}
		addr, ok := profile.ParsePeer(item.Value)
		return ok && !r.knows(addr.Addr().String(), addr.Port())
	case r.Kind == Listen && item.Kind == profile.Listen:
		addr, ok := profile.ParsePeer(item.Value)
		return ok && !slices.Contains(r.Ports, addr.Port())
	case r.Kind == Privilege && item.Kind == profile.Priv:
		return slices.ContainsFunc(r.Operations, func(name string) bool {
			op := operationNamed(name)
			return op != nil && op.is(item.Value)
		})
	}
	return false
}

// knows says whether a connect rule allows a peer. Port 0 is no connection: the
// C library asks the kernel for a route with it.
func (r *Rule) knows(addr string, port uint16) bool {
	if port == 0 || slices.Contains(r.Ports, port) {
		return true
	}
	ip, err := netip.ParseAddr(addr)
	return err == nil && slices.ContainsFunc(r.Peers, func(p Peer) bool {
		prefix, ok := p.prefix()
		return ok && p.Port == port && prefix.Contains(ip.Unmap().WithZone(""))
	})
}

func comparePeers(a, b Peer) int {
	if a.Port != b.Port {
		return int(a.Port) - int(b.Port)
	}
	return strings.Compare(a.Addr, b.Addr)
}

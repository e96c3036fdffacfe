package profile

import (
	"fmt"
	"iter"
	"math/big"
	"net/netip"
	"slices"
	"strings"
)

// PeerOptions bounds what GeneralisePeers makes of addresses.
type PeerOptions struct {
	MaxPeers int // addresses and prefixes of one port before every address is meant; default 16
	MinBits4 int // the widest prefix of IPv4; default 24: 256 addresses
	MinBits6 int // and of IPv6; default 64
}

// PeerSet is a set of addresses and ports that was learned.
type PeerSet struct {
	Prefixes  []PortPrefix // sorted by port, then address; single addresses are prefixes of full length
	Ports     []uint16     // with every address, sorted
	Wildcards []Wildcard   // what ports and prefixes of more than one address cost, sorted by pattern
	Misses    int          // addresses of one replica alone that the set would not admit without it, over all replicas
	Late      int          // of prefixes and ports, those first seen in the last fifth of the time
	Seen      []int        // in how many containers each prefix and port was seen
}

// PortPrefix is a prefix of addresses with a port.
type PortPrefix struct {
	Prefix netip.Prefix
	Port   uint16
}

// GeneralisePeers makes a set of the peers of entries, whose values are those of
// connect items; values without an IP address, and port 0, which is no connection,
// are left out. Addresses stay as they are, unless the evidence says that those of
// one neighbourhood (MinBits4) differ from replica to replica or from hour to hour:
// then they become the shortest prefix for which one replica's would have admitted
// those of another. Where a port has more than MaxPeers left, it has every address.
func GeneralisePeers(w *Workload, entries []Entry, opts PeerOptions) PeerSet {
	opts.MaxPeers = positive(opts.MaxPeers, 16)
	opts.MinBits4, opts.MinBits6 = positive(opts.MinBits4, 24), positive(opts.MinBits6, 64)
	byPort := map[uint16][]peerSighting{}
	for i := range entries {
		if at, ok := ParsePeer(entries[i].Item.Value); ok && at.Port() != 0 {
			byPort[at.Port()] = append(byPort[at.Port()], peerSighting{at.Addr(), sightingOf(&entries[i])})
		}
	}
	out, t := PeerSet{}, newTrial(w)
	ports := make([]uint16, 0, len(byPort))
	for port := range byPort {
		ports = append(ports, port)
	}
	slices.Sort(ports)
	for _, port := range ports {
		out.port(t, port, byPort[port], opts)
	}
	slices.SortFunc(out.Wildcards, func(a, b Wildcard) int { return strings.Compare(a.Pattern, b.Pattern) })
	return out
}

type peerSighting struct {
	addr netip.Addr
	sighting
}

func sightings(peers []peerSighting) []sighting {
	all := make([]sighting, len(peers))
	for i := range peers {
		all[i] = peers[i].sighting
	}
	return all
}

// port adds the peers of one port. Where they are too many, neighbours are joined
// whether that saves anything or not, and where they still are, it has every address.
func (s *PeerSet) port(t trial, port uint16, peers []peerSighting, opts PeerOptions) {
	slices.SortFunc(peers, func(a, b peerSighting) int { return a.addr.Compare(b.addr) })
	for _, size := range []bool{false, true} {
		part := PeerSet{}
		for hood := range hoods(peers, opts) {
			part.hood(t, port, hood, opts, size)
		}
		if len(part.Prefixes) <= opts.MaxPeers {
			s.Prefixes, s.Wildcards = append(s.Prefixes, part.Prefixes...), append(s.Wildcards, part.Wildcards...)
			s.Seen, s.Misses, s.Late = append(s.Seen, part.Seen...), s.Misses+part.Misses, s.Late+part.Late
			return
		}
	}
	replicas, late := t.saved(sightings(peers))
	all := join(sightings(peers))
	s.Ports, s.Seen = append(s.Ports, port), append(s.Seen, all.seenIn)
	s.Misses += t.missed(sightings(peers)) - replicas
	s.Wildcards = append(s.Wildcards, Wildcard{Pattern: fmt.Sprintf("*:%d", port), Form: FormPort, Values: len(peers), Containers: all.seenIn,
		SavedReplicas: replicas, SavedLate: late, Size: max(replicas, late) == 0, Opens: "every address of that port"})
}

// hoods yields the sorted peers of one prefix of MinBits4 or MinBits6 after the other.
func hoods(peers []peerSighting, opts PeerOptions) iter.Seq[[]peerSighting] {
	return func(yield func([]peerSighting) bool) {
		for from := 0; from < len(peers); {
			block, _ := peers[from].addr.Prefix(opts.bits(peers[from].addr))
			to := from
			for to < len(peers) && block.Contains(peers[to].addr) {
				to++
			}
			if !yield(peers[from:to]) {
				return
			}
			from = to
		}
	}
}

func (o PeerOptions) bits(a netip.Addr) int {
	if a.Is6() {
		return o.MinBits6
	}
	return o.MinBits4
}

// hood adds the peers of one neighbourhood, as one prefix where that saves alarms or
// where size asks for it.
func (s *PeerSet) hood(t trial, port uint16, hood []peerSighting, opts PeerOptions, size bool) {
	prefix, replicas, late := neighbourhood(t, hood, opts.bits(hood[0].addr))
	saves := max(replicas, late) > 0
	if !saves && (!size || len(hood) == 1) {
		for _, p := range hood {
			s.Prefixes = append(s.Prefixes, PortPrefix{netip.PrefixFrom(p.addr, p.addr.BitLen()), port})
			s.Seen = append(s.Seen, p.seenIn)
			if t.isLate(p.sighting) {
				s.Late++
			}
		}
		s.Misses += t.missed(sightings(hood))
		return
	}
	all := join(sightings(hood))
	s.Prefixes, s.Seen = append(s.Prefixes, PortPrefix{prefix, port}), append(s.Seen, all.seenIn)
	s.Misses += t.missed(sightings(hood)) - replicas
	if t.isLate(all) {
		s.Late++
	}
	s.Wildcards = append(s.Wildcards, Wildcard{Pattern: fmt.Sprintf("%s:%d", prefix, port), Form: FormPrefix, Values: len(hood), Containers: all.seenIn,
		SavedReplicas: replicas, SavedLate: late, Size: !saves, Opens: opened(prefix, len(hood))})
}

// neighbourhood returns the longest prefix for the addresses, of bits or more, that
// saves all that one can save of them, and what it saves. Left-out addresses are
// tried against the prefix that the others would have got, widened as much.
func neighbourhood(t trial, hood []peerSighting, bits int) (prefix netip.Prefix, replicas, late int) {
	prefix = common(hood)
	want, wantLate := t.saved(sightings(hood))
	if max(want, wantLate) == 0 {
		return prefix, 0, 0
	}
	for wider := 0; ; wider++ {
		replicas, late = savedBy(t, hood, wider, bits)
		length := max(prefix.Bits()-wider, bits)
		if replicas >= want && late >= wantLate || length == bits {
			prefix, _ = prefix.Addr().Prefix(length)
			return prefix, replicas, late
		}
	}
}

// savedBy is trial.saved for prefixes: of each replica's own addresses, those that
// the prefix of the others, so many bits wider, has.
func savedBy(t trial, hood []peerSighting, wider, bits int) (replicas, late int) {
	without := func(left func(*peerSighting) bool) (n int) {
		var others, own []peerSighting
		for i := range hood {
			if left(&hood[i]) {
				own = append(own, hood[i])
			} else {
				others = append(others, hood[i])
			}
		}
		if len(own) == 0 || len(others) < least {
			return 0
		}
		prefix := common(others)
		prefix, _ = prefix.Addr().Prefix(max(prefix.Bits()-wider, bits))
		for _, p := range own {
			if prefix.Contains(p.addr) {
				n++
			}
		}
		return n
	}
	sole := map[int]bool{}
	for i := range hood {
		if len(hood[i].in) == 1 && t.replicas > 1 {
			sole[hood[i].in[0]] = true
		}
	}
	for r := range sole {
		replicas += without(func(p *peerSighting) bool { return len(p.in) == 1 && p.in[0] == r })
	}
	return replicas, without(func(p *peerSighting) bool { return p.firstNS >= t.middleNS })
}

// common is the longest prefix that has all addresses, which are of one family and
// sorted.
func common(peers []peerSighting) netip.Prefix {
	first, last := peers[0].addr, peers[len(peers)-1].addr
	for bits := first.BitLen(); ; bits-- {
		if prefix, err := first.Prefix(bits); err == nil && prefix.Contains(last) {
			return prefix
		}
	}
}

// opened says how much of a prefix was not seen.
func opened(prefix netip.Prefix, seen int) string {
	free := prefix.Addr().BitLen() - prefix.Bits()
	n := new(big.Int).Lsh(big.NewInt(1), uint(free))
	if free > 20 {
		return fmt.Sprintf("2^%d addresses, of which %d were seen", free, seen)
	}
	return fmt.Sprintf("%s addresses, of which %d were seen", n, seen)
}

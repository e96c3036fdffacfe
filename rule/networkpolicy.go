package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// NetworkPolicy writes the set as Kubernetes NetworkPolicies
// (networking.k8s.io/v1), one for each namespace that the workload's pods were
// seen in. The error is a *Refusal where no pod, no lasting label or no way to
// only watch is known, and for pods in the host's network.
func (s *Set) NetworkPolicy() ([]byte, error) {
	sel, err := s.networkSelector("NetworkPolicy")
	if err != nil {
		return nil, err
	}
	head := s.head(append(s.networkLimits(), "programs, files, calls: NetworkPolicy knows addresses and ports alone")...)
	var docs []*yaml.Node
	for _, namespace := range sel.namespaces {
		types, rules := []string{"Egress"}, []any{"egress", s.egress()}
		if !s.HiddenListeners {
			types, rules = []string{"Ingress", "Egress"}, append([]any{"ingress", s.ingress()}, rules...)
		}
		spec := mapping(append([]any{"podSelector", mapping("matchLabels", sel.matchLabels("").Content[1]), "policyTypes", sequence(texts(types)...)}, rules...)...)
		docs = append(docs, object("networking.k8s.io/v1", "NetworkPolicy", s.metadata(namespace), spec))
	}
	commented(docs[0], head)
	return documents(docs...)
}

// networkSelector refuses what a policy for the network of pods cannot hold.
func (s *Set) networkSelector(kind string) (*selector, error) {
	switch {
	case s.Audit:
		return nil, s.refuse("%s has no form that only watches", kind)
	case s.hostNetwork():
		return nil, s.refuse("its pods use the host's network, which %s does not reach", kind)
	case s.find(Connect) == nil:
		return nil, s.refuse("nothing is known of its connections")
	}
	return s.selector()
}

// networkLimits says what policies of both kinds leave out.
func (s *Set) networkLimits() []string {
	limits := []string{
		"who connects to it: the recording has families of accepted connections, not peers worth a rule, so its ports are open to all",
		"whether a peer is spoken to by TCP or UDP: both are allowed",
		"what other containers of the same pods do, which share their network: merge their policies before deploying",
	}
	if s.HiddenListeners {
		limits = append(limits, "incoming connections: some were accepted on ports that began to listen before the recording")
	}
	if len(s.privatePeers()) > 0 {
		limits = append(limits, "which Service or pod a private address is: its port is open to every pod of the cluster, and where a Service maps its port, add the pods' own port")
	}
	return limits
}

// connections returns the peers of the connect rule by port, loopback left out,
// and the ports that are open to every address.
func (s *Set) connections() (byPort map[uint16][]netip.Prefix, order []uint16, open []uint16) {
	r := s.find(Connect)
	byPort = map[uint16][]netip.Prefix{}
	for _, p := range r.Peers {
		prefix, ok := p.prefix()
		if !ok || p.Port == 0 || prefix.Addr().IsLoopback() {
			continue
		}
		if byPort[p.Port] == nil {
			order = append(order, p.Port)
		}
		byPort[p.Port] = append(byPort[p.Port], prefix)
	}
	slices.Sort(order)
	return byPort, order, r.Ports
}

// prefix returns a peer's address as a prefix.
func (p Peer) prefix() (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(p.Addr); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(p.Addr)
	return prefix.Masked(), err == nil
}

// clusterLike are addresses that are no use outside: pods and Services mostly.
var clusterLike = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7")}

func private(p netip.Prefix) bool {
	return slices.ContainsFunc(clusterLike, func(c netip.Prefix) bool { return c.Overlaps(p) })
}

func (s *Set) privatePeers() (out []netip.Prefix) {
	byPort, order, _ := s.connections()
	for _, port := range order {
		for _, p := range byPort[port] {
			if private(p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// egress allows the learned peers, and DNS.
func (s *Set) egress() *yaml.Node {
	dns := mapping("to", list(mapping(
		"namespaceSelector", mapping("matchLabels", mapping("kubernetes.io/metadata.name", text("kube-system"))),
		"podSelector", mapping("matchLabels", mapping("k8s-app", text("kube-dns"))))), "ports", bothPorts(53))
	rules := list(commented(dns, []string{"Names are looked up by every program."}))
	byPort, order, open := s.connections()
	for _, port := range order {
		var to []*yaml.Node
		for _, p := range byPort[port] {
			to = append(to, mapping("ipBlock", mapping("cidr", text(p.String()))))
		}
		if slices.ContainsFunc(byPort[port], private) {
			to = append(to, mapping("namespaceSelector", mapping()))
		}
		rules.Content = append(rules.Content, mapping("to", list(to...), "ports", bothPorts(port)))
	}
	for _, port := range open {
		rules.Content = append(rules.Content, mapping("ports", bothPorts(port)))
	}
	return rules
}

func bothPorts(port uint16) *yaml.Node {
	return list(portNode("TCP", port), portNode("UDP", port))
}

func portNode(protocol string, port uint16) *yaml.Node {
	return mapping("protocol", text(protocol), "port", integer(int(port)))
}

// served is a port that the workload serves, with its protocol.
type served struct {
	port     uint16
	protocol string
}

// served returns the ports of the listen rule, which are of TCP, and those that
// the image declares with the protocol that it declares them with.
func (s *Set) served() (out []served) {
	if r := s.find(Listen); r != nil {
		for _, port := range r.Ports {
			out = append(out, served{port, "TCP"})
		}
	}
	if s.Declared != nil {
		for _, declared := range s.Declared.Ports {
			number, protocol, _ := strings.Cut(declared, "/")
			if port, err := strconv.ParseUint(number, 10, 16); err == nil && protocol == "udp" {
				out = append(out, served{uint16(port), "UDP"})
			}
		}
	}
	slices.SortFunc(out, func(a, b served) int {
		return strings.Compare(fmt.Sprintf("%05d%s", a.port, a.protocol), fmt.Sprintf("%05d%s", b.port, b.protocol))
	})
	return slices.Compact(out)
}

func (s *Set) ingress() *yaml.Node {
	ports := list()
	for _, p := range s.served() {
		ports.Content = append(ports.Content, portNode(p.protocol, p.port))
	}
	if len(ports.Content) == 0 {
		return sequence()
	}
	return list(mapping("ports", ports))
}

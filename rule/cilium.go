package rule

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Cilium writes the set as CiliumNetworkPolicies (cilium.io/v2), one for each
// namespace that the workload's pods were seen in. It refuses what NetworkPolicy
// refuses.
func (s *Set) Cilium() ([]byte, error) {
	sel, err := s.networkSelector("CiliumNetworkPolicy")
	if err != nil {
		return nil, err
	}
	head := s.head(append(s.networkLimits(), "programs, files, calls: the policy is of the network alone",
		"watching only: Cilium's audit mode belongs to an endpoint or the agent (PolicyAuditMode), not to a policy")...)
	var docs []*yaml.Node
	for _, namespace := range sel.namespaces {
		pairs := []any{"endpointSelector", sel.matchLabels("k8s:")}
		if !s.HiddenListeners {
			pairs = append(pairs, "ingress", s.ciliumIngress())
		}
		spec := mapping(append(pairs, "egress", s.ciliumEgress())...)
		docs = append(docs, object("cilium.io/v2", "CiliumNetworkPolicy", s.metadata(namespace), spec))
	}
	commented(docs[0], head)
	return documents(docs...)
}

// ciliumIngress opens the served ports to all; one empty rule denies the rest.
func (s *Set) ciliumIngress() *yaml.Node {
	ports := list()
	for _, p := range s.served() {
		ports.Content = append(ports.Content, ciliumPort(p.port, p.protocol))
	}
	if len(ports.Content) == 0 {
		return list(mapping())
	}
	return list(mapping("fromEntities", sequence(text("all")), "toPorts", list(mapping("ports", ports))))
}

// ciliumEgress allows the learned peers, and DNS. A CIDR never is a pod to
// Cilium, so private addresses are the cluster's entities too.
func (s *Set) ciliumEgress() *yaml.Node {
	dns := mapping("toEndpoints", list(mapping("matchLabels", mapping("k8s:io.kubernetes.pod.namespace", text("kube-system"), "k8s:k8s-app", text("kube-dns")))),
		"toPorts", list(mapping("ports", list(ciliumPort(53, "ANY")))))
	rules := list(commented(dns, []string{"Names are looked up by every program."}))
	byPort, order, open := s.connections()
	for _, port := range order {
		var cidrs []*yaml.Node
		inside := false
		for _, p := range byPort[port] {
			cidrs = append(cidrs, text(p.String()))
			inside = inside || private(p)
		}
		rules.Content = append(rules.Content, mapping("toCIDR", list(cidrs...), "toPorts", ciliumPorts(port)))
		if inside {
			rules.Content = append(rules.Content, mapping("toEntities", sequence(text("cluster"), text("kube-apiserver")), "toPorts", ciliumPorts(port)))
		}
	}
	for _, port := range open {
		rules.Content = append(rules.Content, mapping("toEntities", sequence(text("all")), "toPorts", ciliumPorts(port)))
	}
	return rules
}

func ciliumPorts(port uint16) *yaml.Node {
	return list(mapping("ports", list(ciliumPort(port, "ANY"))))
}

func ciliumPort(port uint16, protocol string) *yaml.Node {
	return mapping("port", text(strconv.Itoa(int(port))), "protocol", text(protocol))
}

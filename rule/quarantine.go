package rule

import "go.yaml.in/yaml/v3"

// QuarantineLabel is the label of pods that Quarantine's policies cut off, with
// the value "true".
const QuarantineLabel = "mayfly.quarantine"

// Quarantine writes policies that cut every pod with QuarantineLabel off from the
// network, for the namespaces of the workload's pods. It is a *Refusal when no
// pod was seen, or when they are in the host's network.
func (s *Set) Quarantine() ([]byte, error) {
	switch {
	case s.Declared == nil || s.Declared.Pods == nil:
		return nil, s.refuse("it was not seen in a pod, so that its namespace is not known")
	case s.hostNetwork():
		return nil, s.refuse("its pods use the host's network, which NetworkPolicy does not reach")
	}
	for _, namespace := range s.Declared.Pods.Namespaces {
		if !dnsLabel.MatchString(namespace) {
			return nil, s.refuse("%s cannot be a namespace", comment(namespace))
		}
	}
	return QuarantinePolicy(s.Declared.Pods.Namespaces...)
}

// QuarantinePolicy writes the policies of Quarantine for some namespaces, which
// must be DNS labels.
func QuarantinePolicy(namespaces ...string) ([]byte, error) {
	var docs []*yaml.Node
	for _, namespace := range namespaces {
		meta := mapping("name", text("mayfly-quarantine"), "namespace", text(namespace), "labels", mapping("app.kubernetes.io/managed-by", text("mayfly")))
		chosen := mapping("matchLabels", mapping(QuarantineLabel, text("true")))
		docs = append(docs, object("networking.k8s.io/v1", "NetworkPolicy", meta,
			mapping("podSelector", chosen, "policyTypes", sequence(text("Ingress"), text("Egress")))))
	}
	if len(docs) > 0 {
		commented(docs[0], []string{
			"Pods with the label " + QuarantineLabel + "=true neither send nor receive. Until a pod has it, nothing changes:",
			"  kubectl --namespace NAMESPACE label pod POD " + QuarantineLabel + "=true",
			"Left out: what other policies allow the pod stays allowed, since NetworkPolicies add up. Take away the labels by which",
			"  they and its Service select it (kubectl label pod POD app-): its controller then starts another pod in its place.",
			"Left out: connections that are open already stay open with some network plugins; pods in the host's network.",
		})
	}
	return documents(docs...)
}

package rule

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// selector says which pods a policy is for.
type selector struct {
	namespaces []string
	labels     [][2]string // key and value, sorted by key
	containers []string    // names of the workload's containers in the pods; may be none
}

// passing are labels that a rollout, a replica or an upgrade changes
// (kubernetes.io/docs/reference/labels-annotations-taints): a policy that selects
// by one of them soon matches nothing.
var passing = strings.Fields(`pod-template-hash controller-revision-hash pod-template-generation controller-uid job-name
batch.kubernetes.io/controller-uid batch.kubernetes.io/job-name batch.kubernetes.io/job-completion-index
statefulset.kubernetes.io/pod-name apps.kubernetes.io/pod-index app.kubernetes.io/version app.kubernetes.io/managed-by
helm.sh/chart chart heritage security.istio.io/tlsMode service.istio.io/canonical-revision rollouts-pod-template-hash`)

// What Kubernetes takes for the key and value of a label, and for a name
// (apimachinery, pkg/util/validation).
var (
	labelKey   = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	dnsLabel   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

// selector returns the labels that all pods of the workload have and keep. The
// error is a *Refusal when there are none: a policy would match nothing, or
// everything.
func (s *Set) selector() (*selector, error) {
	if s.Declared == nil || s.Declared.Pods == nil {
		return nil, s.refuse("it was not seen in a pod, so that its labels are not known")
	}
	pods := s.Declared.Pods
	var sel selector
	for _, name := range pods.Namespaces {
		if !dnsLabel.MatchString(name) {
			return nil, s.refuse("%s cannot be a namespace", comment(name))
		}
		sel.namespaces = append(sel.namespaces, name)
	}
	for _, name := range pods.Containers {
		if dnsLabel.MatchString(name) {
			sel.containers = append(sel.containers, name)
		}
	}
	for _, label := range pods.Labels {
		key, value, _ := strings.Cut(label, "=")
		if slices.Contains(passing, key) || !labelKey.MatchString(key) || !labelValue.MatchString(value) {
			continue
		}
		sel.labels = append(sel.labels, [2]string{key, value})
	}
	switch {
	case pods.Labels == nil:
		return nil, s.refuse("no labels of its pods are known: a policy by labels that they do not have would match nothing")
	case len(sel.labels) == 0:
		return nil, s.refuse("its pods share no label that outlives a rollout: a policy would match nothing, or every pod")
	}
	return &sel, nil
}

// matchLabels is the selector as Kubernetes writes it, with a prefix for each key.
func (s *selector) matchLabels(prefix string) *yaml.Node {
	pairs := []any{}
	for _, label := range s.labels {
		pairs = append(pairs, prefix+label[0], text(label[1]))
	}
	return mapping("matchLabels", mapping(pairs...))
}

// matchContainer is the selector as KubeArmor writes it, for one container of the
// pods.
func (s *selector) matchContainer() *yaml.Node {
	node := s.matchLabels("")
	labels := node.Content[1]
	labels.Content = append(labels.Content, text("kubearmor.io/container.name"), text(s.containers[0]))
	return node
}

// hostNetwork says that a container of the workload had the host's network, which
// no policy for pods reaches.
func (s *Set) hostNetwork() bool {
	return s.Declared != nil && slices.Contains(s.Declared.Networks, "host")
}

// objectName returns a name for a Kubernetes object: a DNS label of at most 63
// characters, unique as FileName is.
func objectName(workload string) string {
	plain := strings.Trim(strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(workload)), "-")
	if plain == workload && len(plain) <= 40 {
		return "mayfly-" + plain
	}
	return "mayfly-" + strings.Trim(plain[:min(len(plain), 40)], "-") + "-" + shortHash(workload)
}

// metadata of an object in a namespace; without one where it is "".
func (s *Set) metadata(namespace string) *yaml.Node {
	pairs := []any{"name", text(objectName(s.Workload))}
	if namespace != "" {
		pairs = append(pairs, "namespace", text(namespace))
	}
	return mapping(append(pairs, "labels", mapping("app.kubernetes.io/managed-by", text("mayfly")))...)
}

// object is a Kubernetes object.
func object(version, kind string, metadata, spec *yaml.Node) *yaml.Node {
	return mapping("apiVersion", text(version), "kind", text(kind), "metadata", metadata, "spec", spec)
}

// commented puts lines over a document.
func commented(doc *yaml.Node, lines []string) *yaml.Node {
	doc.HeadComment = strings.Join(lines, "\n")
	return doc
}

// list is a sequence in block style, whatever is in it.
func list(content ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: content}
}

func integer(n int) *yaml.Node {
	var node yaml.Node
	_ = node.Encode(n) // of an int there is no error
	return &node
}

func boolean(b bool) *yaml.Node {
	var node yaml.Node
	_ = node.Encode(b)
	return &node
}

package rule

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Sigma writes the set as Sigma rules, a document each. Containers are known by
// container.image.name, as the Elastic Common Schema has it, for Sigma has no
// field of its own. What is allowed is matched by regular expressions: Sigma's
// plain values ignore case, and an allow-list must not. The error is a *Refusal
// when the image is not known.
func (s *Set) Sigma() ([]byte, error) {
	if len(s.Images) == 0 {
		return nil, s.refuse("its image is not known, and the rules are bound to an image")
	}
	var docs []*yaml.Node
	for i := range s.Rules {
		if doc := s.sigmaRule(&s.Rules[i]); doc != nil {
			docs = append(docs, doc)
		}
	}
	if len(docs) == 0 {
		return nil, s.refuse("no rule of it can be said")
	}
	head := s.head("listeners: Sigma has no log source for them", "privileged operations: auditd's records name no container",
		"programs written after the start; what findings named", "the image's digest: sources name it in different fields")
	commented(docs[0], append(head, docs[0].HeadComment))
	return documents(docs...)
}

// sigmaRule returns nil for a rule that Sigma has no log source for.
func (s *Set) sigmaRule(r *Rule) *yaml.Node {
	images := list(texts(s.Images)...)
	detection := []any{"workload", mapping("container.image.name", images)}
	condition := "workload"
	search := func(name, glue string, content *yaml.Node) {
		if len(content.Content) > 0 {
			detection = append(detection, name, content)
			condition += " and " + glue + name
		}
	}
	category := ""
	switch r.Kind {
	case Program:
		category = "process_creation"
		search("known", "not ", mapping("Image|re", expressions(&r.Allowed)))
	case Secret:
		category = "file_access"
		alternatives := list()
		if len(r.Denied.Exact) > 0 {
			alternatives.Content = append(alternatives.Content, mapping("TargetFilename", list(texts(r.Denied.Exact)...)))
		}
		if len(r.Denied.Dirs) > 0 {
			below := list()
			for _, dir := range r.Denied.Dirs {
				below.Content = append(below.Content, text(dir+"/"))
			}
			alternatives.Content = append(alternatives.Content, mapping("TargetFilename|startswith", below))
		}
		search("secret", "", alternatives)
	case Write:
		category = "file_event"
		search("known", "not ", mapping("TargetFilename|re", expressions(&r.Allowed)))
	case Connect:
		category = "network_connection"
		if len(r.Ports) > 0 {
			search("known_ports", "not ", mapping("DestinationPort", portNumbers(r.Ports)))
		}
		byPort, order := r.peersByPort()
		for _, port := range order {
			search(fmt.Sprintf("known_%d", port), "not ", mapping("DestinationPort", integer(int(port)), "DestinationIp|cidr", list(texts(byPort[port])...)))
		}
	default:
		return nil
	}
	doc := mapping("title", text(strings.ReplaceAll(r.Name, ":", " -")), "id", text(uuid(r.Name)), "status", text("experimental"),
		"description", text(r.Desc), "author", text("mayfly"), "tags", sequence(texts(sigmaTags(r.Tags))...),
		"logsource", mapping("product", text("linux"), "category", text(category)),
		"detection", mapping(append(detection, "condition", text(condition))...),
		"falsepositives", sequence(text("what the workload does rarely, or a new version of it")), "level", text(sigmaLevel[r.Priority]))
	doc.HeadComment = fmt.Sprintf("%s: %s.", r.Kind, r.Basis)
	return doc
}

// peersByPort returns the prefixes of the peers by port, and the ports in order.
func (r *Rule) peersByPort() (byPort map[uint16][]string, order []uint16) {
	byPort = map[uint16][]string{}
	for _, p := range r.Peers {
		prefix, ok := p.prefix()
		if !ok {
			continue
		}
		if byPort[p.Port] == nil {
			order = append(order, p.Port)
		}
		byPort[p.Port] = append(byPort[p.Port], prefix.String())
	}
	slices.Sort(order)
	return byPort, order
}

func portNumbers(all []uint16) *yaml.Node {
	out := list()
	for _, port := range all {
		out.Content = append(out.Content, integer(int(port)))
	}
	return out
}

// expressions writes a set of paths as regular expressions, one each.
func expressions(p *Paths) *yaml.Node {
	out := list()
	for _, path := range p.Exact {
		out.Content = append(out.Content, text("^"+expression(path)+"$"))
	}
	for _, dir := range p.Dirs {
		out.Content = append(out.Content, text("^"+expression(dir)+"/"))
	}
	for _, glob := range p.Globs {
		parts := strings.Split(glob, "*")
		for i := range parts {
			parts[i] = expression(parts[i])
		}
		out.Content = append(out.Content, text("^"+strings.Join(parts, ".*")+"$"))
	}
	return out
}

// expression quotes a path for a regular expression of RE2, PCRE, Python or Java.
func expression(path string) string {
	var b strings.Builder
	for _, r := range path {
		switch {
		case r <= 0xff && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String()
}

var sigmaLevel = map[string]string{"CRITICAL": "critical", "ERROR": "high", "WARNING": "medium", "NOTICE": "low"}

// sigmaTags writes tags of ATT&CK as Sigma does, and leaves out others.
func sigmaTags(tags []string) []string {
	var out []string
	for _, tag := range tags {
		switch tactic, ok := strings.CutPrefix(tag, "mitre_"); {
		case ok:
			out = append(out, "attack."+strings.ReplaceAll(tactic, "_", "-"))
		case technique.MatchString(tag):
			out = append(out, "attack."+strings.ToLower(tag))
		}
	}
	return out
}

var technique = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

// uuid returns the UUID of a name, of version 8 (RFC 9562): the same for the same
// name.
func uuid(name string) string {
	b := sha256.Sum256([]byte(name))
	b[6], b[8] = b[6]&0xf|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

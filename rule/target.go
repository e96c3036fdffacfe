package rule

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// target is a language that a set is written in.
type target struct {
	name, ext string
	render    func(*Set) ([]byte, error)
	says      []Kind // what of a set it can say, in full or with what its file lists as left out
	short     string // for the command's help
}

// targets in the order in which they are written. TARGETS.md has a chapter each.
var targets = []target{
	{"falco", ".yaml", (*Set).Falco, []Kind{Program, Dropped, Secret, Write, Connect, Listen, Privilege, Found}, "Falco rules, bound to the image"},
	{"seccomp", ".json", (*Set).Seccomp, []Kind{Calls}, "an OCI and Docker seccomp profile"},
	{"apparmor", ".apparmor", (*Set).AppArmor, []Kind{Program, Secret, Write, Privilege}, "an AppArmor profile"},
	{"networkpolicy", ".yaml", (*Set).NetworkPolicy, []Kind{Connect, Listen}, "Kubernetes NetworkPolicies, by labels of the pods"},
	{"cilium", ".yaml", (*Set).Cilium, []Kind{Connect, Listen}, "CiliumNetworkPolicies"},
	{"tetragon", ".yaml", (*Set).Tetragon, []Kind{Program, Secret, Connect, Listen, Privilege}, "Tetragon TracingPolicies"},
	{"kubearmor", ".yaml", (*Set).KubeArmor, []Kind{Program, Secret}, "KubeArmorPolicies"},
	{"sigma", ".yml", (*Set).Sigma, []Kind{Program, Secret, Write, Connect}, "Sigma rules"},
	{"talon", ".yaml", (*Set).Talon, nil, "Falco Talon rules that answer the Falco rules"},
	{"quarantine", ".yaml", (*Set).Quarantine, nil, "NetworkPolicies that cut off pods with a label"},
}

// Say returns those of some targets, by name, that say a kind of rule.
func Say(kind Kind, names []string) (say []string) {
	for _, t := range targets {
		if slices.Contains(names, t.name) && slices.Contains(t.says, kind) {
			say = append(say, t.name)
		}
	}
	return say
}

// Targets are the languages that a set is written in, by their names.
func Targets() []string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.name
	}
	return names
}

// DescribeTargets is a line for each target, for a help text.
func DescribeTargets() string {
	var b strings.Builder
	for _, t := range targets {
		fmt.Fprintf(&b, "  %-14s %s\n", t.name, t.short)
	}
	return b.String()
}

// DefaultTargets are what a set is written in where nothing is said: what any
// workload with an image can have.
var DefaultTargets = []string{"falco", "seccomp"}

func (s *Set) refuse(format string, args ...any) error {
	return &Refusal{s.Workload, []string{fmt.Sprintf(format, args...)}}
}

// head is what every target's file begins with, a line each: the evidence, what
// was risked, and what the target cannot say.
func (s *Set) head(cannot ...string) []string {
	lines := []string{
		"What " + comment(s.Workload) + " does, as mayfly recorded it.",
		fmt.Sprintf("Evidence: %s.", s.Basis),
		fmt.Sprintf("Recorded: %s to %s.", when(s.Basis.FromNS), when(s.Basis.ToNS)),
	}
	if s.Audit {
		lines = append(lines, "For watching only: nothing is denied.")
	}
	for _, risk := range s.Risks {
		lines = append(lines, "RISK: "+comment(risk)+".")
	}
	for _, what := range cannot {
		lines = append(lines, "Left out: "+what+".")
	}
	return lines
}

// find returns the rule of a kind, nil when the set has none.
func (s *Set) find(kind Kind) *Rule {
	i := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Kind == kind })
	if i < 0 {
		return nil
	}
	return &s.Rules[i]
}

// documents writes YAML documents, each behind its comment.
func documents(docs ...*yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	for _, doc := range docs {
		if err := enc.Encode(doc); err != nil {
			return nil, err
		}
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return visible(out.Bytes()), nil
}

// visible escapes what a reader of the file would not see, or see in another
// order (marks of direction, spaces without width). text gives every value with
// such a character double quotes, in which YAML undoes the escape.
func visible(text []byte) []byte {
	if bytes.IndexFunc(text, hidden) < 0 {
		return text
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		switch {
		case !hidden(r):
			out.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

func hidden(r rune) bool {
	return r > '~' && !unicode.IsPrint(r)
}

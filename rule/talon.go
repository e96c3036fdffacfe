package rule

import "go.yaml.in/yaml/v3"

// The actions of Talon's rules.
const (
	talonLabel = "mayfly label for quarantine"
	talonLog   = "mayfly keep the log"
)

// Talon writes rules for Falco Talon (0.3) that answer the alerts of the set's
// Falco rules: the pod's log is fetched, and for the rules that are hardly ever
// wrong the pod gets QuarantineLabel, on which the policies of Quarantine wait. A
// set for watching is a dry run. The error is a *Refusal when there are no Falco
// rules, or no pod was seen.
func (s *Set) Talon() ([]byte, error) {
	if len(s.Images) == 0 {
		return nil, s.refuse("its image is not known, so that there are no Falco rules to answer")
	}
	if s.Declared == nil || s.Declared.Pods == nil {
		return nil, s.refuse("it was not seen in a pod, and Talon acts on pods")
	}
	var sure, others []*yaml.Node
	for _, r := range s.FalcoRules() {
		if r.Kind == Takeover {
			sure = append(sure, text(r.Name))
		} else {
			others = append(others, text(r.Name))
		}
	}
	items := list(
		mapping("action", text(talonLog), "actionner", text("kubernetes:log"), "parameters", mapping("tail_lines", integer(1000))),
		mapping("action", text(talonLabel), "actionner", text("kubernetes:label"), "parameters",
			mapping("level", text("pod"), "labels", mapping(QuarantineLabel, text("true")))))
	if len(sure) > 0 {
		items.Content = append(items.Content, s.talonRule("cut the pod off", sure, talonLog, talonLabel))
	}
	if len(others) > 0 {
		items.Content = append(items.Content, s.talonRule("keep the log", others, talonLog))
	}
	commented(items.Content[0], s.head(
		"an action for one container: Talon acts on the pod, with all its containers",
		"where the log goes: give its action an output",
		"pods are labelled, not cut off, until the quarantine policies are applied",
		"pods whose Falco alert names no pod: the container plugin may not know it yet"))
	return documents(items)
}

func (s *Set) talonRule(what string, names []*yaml.Node, actions ...string) *yaml.Node {
	do := list()
	for _, action := range actions {
		do.Content = append(do.Content, mapping("action", text(action)))
	}
	pairs := []any{"rule", text("mayfly " + Printable(s.Workload) + ": " + what), "match", mapping("rules", list(names...))}
	if s.Audit {
		pairs = append(pairs, "dry_run", boolean(true))
	}
	return mapping(append(pairs, "actions", do)...)
}

package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"mayfly/profile"
)

// Versions of Falco's rule engine and container plugin that the rules require.
const (
	falcoEngine    = "0.57.0"
	falcoContainer = "0.4.0"
)

// FalcoRule is a rule of the Falco file: rules of the set that ask for the same sort of
// event, so that what is watched of a workload fits on a page.
type FalcoRule struct {
	Name     string // unique, printable ASCII
	Kind     Kind
	Priority string // the highest of its parts
	Parts    []Rule // of the set, at least one
	Basis    Basis  // Items is the sum of the parts'
}

// falcoSort is what all workloads' rules of a sort have in common.
type falcoSort struct {
	kind               Kind
	name, desc, output string
	parts              []Kind
}

// falcoRules are the rules that a file may have. Kinds that are not here Falco cannot
// say.
var falcoRules = []falcoSort{
	{Program, "unexpected program", "A program ran that this workload was never seen to run",
		"cwd=%proc.cwd", []Kind{Program}},
	{Files, "unexpected file", "A file with secrets was read, or a file written, that this workload was never seen to touch",
		"file=%fd.name", []Kind{Secret, Write}},
	{Network, "unexpected peer or listener", "A connection was asked for, or a port served, that this workload was never seen to use",
		"connection=%fd.name asked=%evt.arg.addr", []Kind{Connect, Listen}},
	{Takeover, "sign of a takeover", "A program ran that is not of the image, or was asked for what only its administrator needs, or a finding happened again",
		"file=%fd.name args=%evt.args", []Kind{Dropped, Privilege, Found}},
}

// priorities of Falco, the highest first.
var priorities = []string{"CRITICAL", "ERROR", "WARNING", "NOTICE"}

// FalcoRules are the rules of the set's Falco file, in its order.
func (s *Set) FalcoRules() (rules []FalcoRule) {
	for _, all := range falcoRules {
		r := FalcoRule{Name: ruleName(s.Workload, all.name), Kind: all.kind, Basis: s.Basis}
		r.Basis.Items = 0
		for i := range s.Rules {
			if part := &s.Rules[i]; slices.Contains(all.parts, part.Kind) {
				r.Parts = append(r.Parts, *part)
				r.Basis.Items += part.Basis.Items
				if r.Priority == "" || slices.Index(priorities, part.Priority) < slices.Index(priorities, r.Priority) {
					r.Priority = part.Priority
				}
			}
		}
		if len(r.Parts) > 0 {
			rules = append(rules, r)
		}
	}
	return rules
}

// Falco writes the set as a file of Falco rules: the versions it requires, the
// lists, one macro that says which containers are meant, and FalcoRules. Every
// condition is bound to event types. Comments carry the evidence. The error says
// why there is nothing to write: the image is not known, so no rule could be kept
// to the workload's containers.
func (s *Set) Falco() ([]byte, error) {
	if len(s.Images) == 0 {
		return nil, &Refusal{s.Workload, []string{"its image is not known, and Falco's rules are bound to an image"}}
	}
	f := &falcoFile{id: identifier(s.Workload), context: falcoContext}
	if s.Declared != nil && s.Declared.Pods != nil {
		f.context += falcoPod
	}
	f.head(s)
	rules := s.FalcoRules()
	for i := range rules {
		f.rule(&rules[i])
	}
	doc := &yaml.Node{Kind: yaml.SequenceNode}
	doc.Content = append(append(f.top, f.lists...), f.rules...)
	text, err := documents(doc)
	if err != nil {
		return nil, fmt.Errorf("workload %q: falco rules: %w", s.Workload, err)
	}
	return text, nil
}

// falcoFile is a file of rules in the making.
type falcoFile struct {
	id                string // prefix of lists and macros
	top, lists, rules []*yaml.Node
	context           string   // what every output ends with
	notes             []string // of the rule at hand
}

func (f *falcoFile) head(s *Set) {
	engine := mapping("required_engine_version", text(falcoEngine))
	engine.HeadComment = strings.Join(s.falcoComment(), "\n")
	plugin := mapping("name", text("container"), "version", text(falcoContainer))
	plugins := sequence(plugin)
	plugin.Style, plugins.Style = yaml.FlowStyle, yaml.FlowStyle
	f.top = append(f.top, engine, mapping("required_plugin_versions", plugins))
	scope := "container.image.repository in (" + f.list("images", s.Images) + ")"
	if digest, ok := quote(s.Digest); ok && s.Digest != "" {
		scope += " and container.image.digest = " + digest
	}
	scope += s.falcoDeployment()
	f.lists = append(f.lists, mapping("macro", text(f.id+"_containers"), "condition", text(scope)))
}

// falcoDeployment keeps the rules to the workload's deployment, where it is known:
// another service of the same image does other things. Of Kubernetes, Falco knows
// the namespace of a pod, not its owner. What cannot be quoted is left out.
func (s *Set) falcoDeployment() string {
	_, _, deployment := profile.SplitName(s.Workload)
	first, second, _ := strings.Cut(deployment, "/")
	namespace, ok := quote(first)
	if deployment == "" || !ok {
		return ""
	}
	if s.Declared != nil && s.Declared.Pods != nil {
		return " and k8s.ns.name = " + namespace
	}
	scope := ""
	if first != "" {
		scope = " and container.label[com.docker.compose.project] = " + namespace
	}
	if service, ok := quote(second); ok && second != "" {
		scope += " and container.label[com.docker.compose.service] = " + service
	}
	return scope
}

// falcoComment is the head of the file, a line each.
func (s *Set) falcoComment() []string {
	b := s.Basis
	lines := []string{
		"What " + comment(s.Workload) + " does, as mayfly recorded it.",
		fmt.Sprintf("Evidence: %s.", b),
		fmt.Sprintf("Recorded: %s to %s.", when(b.FromNS), when(b.ToNS)),
		"Left out: reads of files that hold no secrets, removing and renaming, unix sockets without a path, namespaces made by clone, single system calls (see the seccomp profile).",
	}
	for _, risk := range s.Risks {
		lines = append(lines, "RISK: "+comment(risk)+".")
	}
	for _, item := range s.Skipped {
		lines = append(lines, "Found, but Falco cannot say it: "+item+".")
	}
	return lines
}

// list adds a list and returns its name. Values that cannot be quoted become notes.
func (f *falcoFile) list(suffix string, values []string) string {
	name := f.id + "_" + suffix
	quoted, left := quoteAll(values)
	f.notes = append(f.notes, left...)
	items := &yaml.Node{Kind: yaml.SequenceNode}
	for _, q := range quoted {
		items.Content = append(items.Content, text(q))
	}
	f.lists = append(f.lists, mapping("list", text(name), "items", items))
	return name
}

// rule adds one rule with its lists.
func (f *falcoFile) rule(r *FalcoRule) {
	i := slices.IndexFunc(falcoRules, func(all falcoSort) bool { return all.kind == r.Kind })
	f.notes = nil
	cond := f.condition(r)
	if cond == "" {
		return
	}
	tags := []string{}
	evidence := make([]string, len(r.Parts))
	var notes []string
	for j := range r.Parts {
		part := &r.Parts[j]
		evidence[j] = fmt.Sprintf("%s: %d items", part.Kind, part.Basis.Items)
		notes = append(notes, part.Notes...)
		for _, tag := range part.Tags {
			if !slices.Contains(tags, tag) {
				tags = append(tags, tag)
			}
		}
	}
	node := mapping("rule", text(r.Name), "desc", text(falcoRules[i].desc+"."), "condition", text(cond),
		"output", text(falcoRules[i].desc+" | "+falcoRules[i].output+f.context),
		"priority", text(r.Priority), "tags", sequence(texts(tags)...))
	lines := []string{"Evidence: " + strings.Join(evidence, ", ") + "."}
	for _, note := range append(notes, f.notes...) {
		lines = append(lines, "Note: "+strings.ReplaceAll(note, "\n", " ")+".")
	}
	node.HeadComment = strings.Join(lines, "\n")
	f.rules = append(f.rules, node)
}

// falcoContext is what every output ends with, and falcoPod what those of pods do:
// Talon acts on what they name.
const falcoContext = " evt_type=%evt.type exepath=%proc.exepath parent=%proc.pname command=%proc.cmdline user=%user.name " +
	"container_id=%container.id container_name=%container.name image=%container.image.repository"

const falcoPod = " pod=%k8s.pod.name namespace=%k8s.ns.name"

// text is a string on one line. It must be UTF-8, which items are.
func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }):
		n.Style = yaml.DoubleQuotedStyle // escapes what is not printable
	case strings.HasPrefix(s, `"`):
		n.Style = yaml.SingleQuotedStyle
	case notText.MatchString(s):
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// notText is what some reader of YAML takes for no string when it stands bare:
// Kubernetes' is of YAML 1.1, in which yes is true and 12:30:45 a number.
var notText = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|[-+]?[.0-9][0-9a-fxo_:]*\.?[-+0-9a-fxo_:]*)$`)

func texts(all []string) []*yaml.Node {
	nodes := make([]*yaml.Node, len(all))
	for i, s := range all {
		nodes[i] = text(s)
	}
	return nodes
}

func sequence(content ...*yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Content: content}
	if len(content) > 0 && content[0].Kind == yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	return n
}

// mapping makes a mapping of keys (string) and values (*yaml.Node), in order.
func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(pairs); i += 2 {
		n.Content = append(n.Content, text(pairs[i].(string)), pairs[i+1].(*yaml.Node))
	}
	return n
}

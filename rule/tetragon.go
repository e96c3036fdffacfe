package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tetragonSelectors is how many selectors Tetragon takes for one hook
// (bpf/process, MAX_SELECTORS).
const tetragonSelectors = 5

// Tetragon writes the set as TracingPoliciesNamespaced (cilium.io/v1alpha1), one
// for each namespace that the workload's pods were seen in. Unless the set is for
// watching, a program, a secret or an operation that was not learned is refused
// with EPERM; connections and listeners are only reported. The error is a
// *Refusal where no pod or no lasting label is known.
func (s *Set) Tetragon() ([]byte, error) {
	sel, err := s.selector()
	if err != nil {
		return nil, err
	}
	if len(sel.containers) == 0 {
		return nil, s.refuse("the name of its container in the pod is not known, and the policy would hold the pod's other containers, its sandbox among them")
	}
	t := &tetragonFile{set: s}
	for i := range s.Rules {
		t.rule(&s.Rules[i])
	}
	if len(t.kprobes) == 0 {
		return nil, s.refuse("no rule of it can be said")
	}
	head := s.head(append([]string{
		"writes to new places: a hook on open cannot filter on being for writing",
		"programs written after the start: the policy goes by path alone; what findings named",
		"programs that are not ELF: a script is seen as its interpreter",
		"Override needs a kernel with CONFIG_BPF_KPROBE_OVERRIDE or fmod_ret; hooks that it lacks keep the policy from loading",
	}, t.notes...)...)
	var docs []*yaml.Node
	for _, namespace := range sel.namespaces {
		pairs := []any{"podSelector", sel.matchLabels(""), "containerSelector", mapping("matchExpressions", list(
			mapping("key", text("name"), "operator", text("In"), "values", list(texts(sel.containers)...))))}
		if len(t.calls) > 0 {
			pairs = append(pairs, "lists", list(mapping("name", text(tetragonCalls), "type", text("syscalls"), "values", list(t.calls...))))
		}
		spec := mapping(append(pairs, "kprobes", list(t.kprobes...))...)
		docs = append(docs, object("cilium.io/v1alpha1", "TracingPolicyNamespaced", s.metadata(namespace), spec))
	}
	commented(docs[0], head)
	return documents(docs...)
}

// tetragonFile is the hooks of a policy in the making.
type tetragonFile struct {
	set     *Set
	kprobes []*yaml.Node
	calls   []*yaml.Node // of the list tetragonCalls
	notes   []string
}

// tetragonCalls is the list of calls of a privilege rule.
const tetragonCalls = "privileged"

func (t *tetragonFile) rule(r *Rule) {
	switch r.Kind {
	case Program:
		paths := t.paths(r.Allowed.Exact)
		if len(paths) == 0 {
			t.notes = append(t.notes, "programs: none of them can be said")
			return
		}
		t.add(r, "security_bprm_creds_from_file", false, []*yaml.Node{arg(1, "file")}, t.refuse(match(1, "NotEqual", paths...)))
	case Secret:
		args := []*yaml.Node{arg(0, "file"), arg(1, "int")}
		var selectors []*yaml.Node
		if paths := t.paths(r.Denied.Exact); len(paths) > 0 {
			selectors = append(selectors, t.refuse(match(0, "Equal", paths...), match(1, "Equal", text("4"))))
		}
		if dirs := t.paths(r.Denied.Dirs); len(dirs) > 0 {
			for _, dir := range dirs {
				dir.SetString(dir.Value + "/")
			}
			selectors = append(selectors, t.refuse(match(0, "Prefix", dirs...), match(1, "Equal", text("4"))))
		}
		t.add(r, "security_file_permission", false, args, selectors...)
	case Connect:
		t.add(r, "tcp_connect", false, []*yaml.Node{arg(0, "sock")}, t.unknownPeers()...)
	case Listen:
		selector := post()
		if len(r.Ports) > 0 {
			selector = post(match(0, "NotSPort", ports(r.Ports)...))
		}
		t.add(r, "inet_csk_listen_start", false, []*yaml.Node{arg(0, "sock")}, selector)
	case Privilege:
		t.privileged(r)
	}
}

// privileged watches the calls of the operations, made by programs that were
// learned: the runtime's own, which set up a container that starts, go through.
func (t *tetragonFile) privileged(r *Rule) {
	for _, name := range r.Operations {
		op := operationNamed(name)
		if op == nil || op.cond != "" {
			t.notes = append(t.notes, fmt.Sprintf("operation %s: its arguments do not tell it", name))
			continue
		}
		for _, call := range op.calls {
			if call != "umount2" { // Falco's word for what the kernel calls sys_umount
				t.calls = append(t.calls, text("sys_"+call))
			}
		}
	}
	programs := t.paths(r.Allowed.Exact)
	if len(t.calls) == 0 || len(programs) == 0 {
		t.calls = nil
		return
	}
	selector := t.refuse()
	selector.Content = append([]*yaml.Node{text("matchBinaries"), list(mapping("operator", text("In"), "values", list(programs...)))}, selector.Content...)
	t.add(r, "list:"+tetragonCalls, true, nil, selector)
}

func (t *tetragonFile) add(r *Rule, call string, syscall bool, args []*yaml.Node, selectors ...*yaml.Node) {
	pairs := []any{"call", text(call), "syscall", boolean(syscall), "message", text(strings.TrimSuffix(r.Desc, "."))}
	if len(args) > 0 {
		pairs = append(pairs, "args", list(args...))
	}
	pairs = append(pairs, "selectors", list(selectors...))
	node := mapping(pairs...)
	node.HeadComment = fmt.Sprintf("%s: %s.", r.Kind, r.Basis)
	t.kprobes = append(t.kprobes, node)
}

// paths leaves out what Tetragon would cut: it compares at most 255 bytes.
func (t *tetragonFile) paths(all []string) (out []*yaml.Node) {
	for _, path := range all {
		if len(path) > 255 || strings.ContainsRune(path, 0) {
			t.notes = append(t.notes, comment(path)+": longer than a comparison")
			continue
		}
		out = append(out, text(path))
	}
	return out
}

// unknownPeers selects connections to peers that were not learned: a port that
// was not, or one that was with an address that was not.
func (t *tetragonFile) unknownPeers() []*yaml.Node {
	byPort, order, open := t.set.connections()
	known := slices.Sorted(slices.Values(slices.Concat(order, open)))
	if len(known) == 0 {
		return []*yaml.Node{post(match(0, "NotDAddr", text("127.0.0.0/8"), text("::1/128")))}
	}
	selectors := []*yaml.Node{post(match(0, "NotDPort", ports(slices.Compact(known))...), match(0, "NotDAddr", text("127.0.0.0/8"), text("::1/128")))}
	for _, port := range order {
		if slices.Contains(open, port) {
			continue
		}
		if len(selectors) == tetragonSelectors {
			t.notes = append(t.notes, fmt.Sprintf("addresses of port %d: a hook takes %d selectors", port, tetragonSelectors))
			continue
		}
		addrs := []*yaml.Node{text("127.0.0.0/8"), text("::1/128")}
		for _, p := range byPort[port] {
			addrs = append(addrs, text(prefixText(p)))
		}
		selectors = append(selectors, post(match(0, "DPort", ports([]uint16{port})...), match(0, "NotDAddr", addrs...)))
	}
	return selectors
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func arg(index int, kind string) *yaml.Node {
	return mapping("index", integer(index), "type", text(kind))
}

func match(index int, operator string, values ...*yaml.Node) *yaml.Node {
	return mapping("index", integer(index), "operator", text(operator), "values", list(values...))
}

func ports(all []uint16) []*yaml.Node {
	out := make([]*yaml.Node, len(all))
	for i, port := range all {
		out[i] = text(strconv.Itoa(int(port)))
	}
	return out
}

// post reports what matches; refuse has it fail with EPERM, unless the set is for
// watching.
func post(matches ...*yaml.Node) *yaml.Node { return acting(mapping("action", text("Post")), matches) }

func (t *tetragonFile) refuse(matches ...*yaml.Node) *yaml.Node {
	if t.set.Audit {
		return post(matches...)
	}
	return acting(mapping("action", text("Override"), "argError", integer(-1)), matches)
}

func acting(action *yaml.Node, matches []*yaml.Node) *yaml.Node {
	pairs := []any{}
	if len(matches) > 0 {
		pairs = append(pairs, "matchArgs", list(matches...))
	}
	return mapping(append(pairs, "matchActions", list(action))...)
}

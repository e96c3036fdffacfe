package profile

import (
	"cmp"
	"slices"
	"strings"

	"mayfly/trace"
)

// Declared is what the runtime said that a workload's containers are. Each list
// is the union over the containers seen, sorted, without repetition; entrypoints
// and commands are joined by a space.
type Declared struct {
	Images      []string `json:"images,omitempty"`
	Digests     []string `json:"digests,omitempty"`
	Entrypoints []string `json:"entrypoints,omitempty"`
	Commands    []string `json:"commands,omitempty"`
	Users       []string `json:"users,omitempty"`
	CapAdd      []string `json:"cap_add,omitempty"`
	CapDrop     []string `json:"cap_drop,omitempty"`
	Seccomp     []string `json:"seccomp,omitempty"`
	AppArmor    []string `json:"apparmor,omitempty"`
	Networks    []string `json:"networks,omitempty"`
	Ports       []string `json:"ports,omitempty"`
	Mounts      []string `json:"mounts,omitempty"`
	PIDModes    []string `json:"pid_modes,omitempty"` // of namespaces, as the runtime says them; host: the host's
	IPCModes    []string `json:"ipc_modes,omitempty"`
	UTSModes    []string `json:"uts_modes,omitempty"`
	UserModes   []string `json:"userns_modes,omitempty"`
	SELinux     []string `json:"selinux,omitempty"`
	ReadOnly    []string `json:"readonly_root,omitempty"` // no, yes; both where containers differ
	NoNewPrivs  []string `json:"no_new_privs,omitempty"`  // the same
	Privileged  bool     `json:"privileged,omitempty"`    // any of them was
	Partial     bool     `json:"partial,omitempty"`       // of any of them its runtime did not tell all
	Pods        *Pods    `json:"pods,omitempty"`          // nil where none was in a Kubernetes pod
}

// HostNamespaces lists the namespaces of the host that any container shares: ipc,
// network, pid, user, uts.
func (d *Declared) HostNamespaces() (shared []string) {
	if d == nil {
		return nil
	}
	for _, ns := range []struct {
		name  string
		modes []string
	}{{"ipc", d.IPCModes}, {"network", d.Networks}, {"pid", d.PIDModes}, {"user", d.UserModes}, {"uts", d.UTSModes}} {
		if slices.Contains(ns.modes, "host") {
			shared = append(shared, ns.name)
		}
	}
	return shared
}

// Pods is what the pods of a workload have in common.
type Pods struct {
	Namespaces []string `json:"namespaces"`           // of any of them, sorted
	Owners     []string `json:"owners,omitempty"`     // what made them, as Deployment/web; sorted
	Containers []string `json:"containers,omitempty"` // its name in its pod, sorted: one as a rule
	Labels     []string `json:"labels"`               // key=value that every one of them has, sorted; nil where no runtime told of any
}

// podsOf returns what is known of the pod of a container, nil where it has none.
func podsOf(c *trace.Container) *Pods {
	if c.PodNamespace == "" {
		return nil
	}
	p := &Pods{Namespaces: []string{clean(c.PodNamespace)}}
	if c.Owner != "" {
		p.Owners = []string{clean(c.Owner)}
	}
	for _, label := range c.Labels {
		if name, ok := strings.CutPrefix(label, "io.kubernetes.container.name="); ok && name != "" {
			p.Containers = []string{clean(name)}
		}
		if !strings.HasPrefix(label, "io.kubernetes.") && !strings.HasPrefix(label, "annotation.") { // the kubelet's, of the container
			p.Labels = insert(p.Labels, clean(label), maxDeclared)
		}
	}
	return p
}

// merge keeps the labels that both have. One without labels says nothing of
// them: the runtime that told of it did not know its pod.
func (p *Pods) merge(other *Pods) *Pods {
	if p == nil || other == nil {
		return cmp.Or(p, other)
	}
	out := &Pods{Namespaces: slices.Clone(p.Namespaces), Owners: slices.Clone(p.Owners), Containers: slices.Clone(p.Containers)}
	for _, name := range other.Namespaces {
		out.Namespaces = insert(out.Namespaces, name, maxDeclared)
	}
	for _, name := range other.Owners {
		out.Owners = insert(out.Owners, name, maxDeclared)
	}
	for _, name := range other.Containers {
		out.Containers = insert(out.Containers, name, maxDeclared)
	}
	switch {
	case p.Labels == nil:
		out.Labels = slices.Clone(other.Labels) // an empty list stays one: they have nothing in common
		return out
	case other.Labels == nil:
		out.Labels = slices.Clone(p.Labels)
		return out
	}
	out.Labels = []string{}
	for _, label := range p.Labels {
		if _, ok := slices.BinarySearch(other.Labels, label); ok {
			out.Labels = append(out.Labels, label)
		}
	}
	return out
}

// lists returns every list, in the order of fieldNames.
func (d *Declared) lists() []*[]string {
	return []*[]string{&d.Images, &d.Digests, &d.Entrypoints, &d.Commands, &d.Users, &d.CapAdd,
		&d.CapDrop, &d.Seccomp, &d.AppArmor, &d.Networks, &d.Ports, &d.Mounts,
		&d.PIDModes, &d.IPCModes, &d.UTSModes, &d.UserModes, &d.SELinux, &d.ReadOnly, &d.NoNewPrivs}
}

var fieldNames = []string{"images", "digests", "entrypoints", "commands", "users", "cap_add", "cap_drop", "seccomp", "apparmor",
	"networks", "ports", "mounts", "pid_modes", "ipc_modes", "uts_modes", "userns_modes", "selinux", "readonly_root", "no_new_privs"}

// field is one thing that is declared, with all its values.
type field struct {
	name   string // as in the file
	values []string
}

// fields returns everything, in a fixed order; of nil, nothing of everything.
func (d *Declared) fields() []field {
	if d == nil {
		d = &Declared{}
	}
	all := make([]field, 0, len(fieldNames)+4)
	for i, list := range d.lists() {
		all = append(all, field{fieldNames[i], *list})
	}
	pods := d.Pods
	if pods == nil {
		pods = &Pods{}
	}
	all = append(all, field{"pods.namespaces", pods.Namespaces}, field{"pods.owners", pods.Owners}, field{"pods.labels", pods.Labels})
	privileged := []string{"no"}
	if d.Privileged {
		privileged = []string{"yes"}
	}
	return append(all, field{"privileged", privileged})
}

// Each calls f for everything that is declared, in a fixed order: its name in the
// file and its values, of which there is one at least.
func (d *Declared) Each(f func(name string, values []string)) {
	if d == nil {
		return
	}
	for _, field := range d.fields() {
		if len(field.values) > 0 && (field.name != "privileged" || d.Privileged) {
			f(field.name, field.values)
		}
	}
}

// Declare adds what a runtime said of a container to a workload that was learned
// already.
func (w *Workload) Declare(c *trace.Container) {
	if w.Declared == nil {
		w.Declared = &Declared{}
	}
	w.Declared.declare(c)
}

// AddMachine adds a machine, as GOARCH names it, to a workload that was learned
// already.
func (w *Workload) AddMachine(goarch string) {
	if goarch != "" {
		w.Machines = insert(w.Machines, clean(goarch), maxDeclared)
	}
}

// maxDeclared bounds each list of Declared.
const maxDeclared = 256

// declare adds what is known of one container.
func (d *Declared) declare(c *trace.Container) {
	add := Declared{
		Images: []string{c.Image}, Digests: []string{c.ImageDigest},
		Entrypoints: []string{strings.Join(c.Entrypoint, " ")},
		Commands:    []string{strings.Join(c.Cmd, " ")},
		Users:       []string{c.User}, CapAdd: c.CapAdd, CapDrop: c.CapDrop,
		Seccomp: []string{c.Seccomp}, AppArmor: []string{c.AppArmor},
		Networks: mode(c.NetworkMode), Ports: c.Ports, Mounts: c.Mounts,
		PIDModes: mode(c.PIDMode), IPCModes: mode(c.IPCMode), UTSModes: []string{c.UTSMode},
		UserModes: []string{c.UserNSMode}, SELinux: []string{c.SELinux},
		ReadOnly: yesNo(c.ReadonlyRoot), NoNewPrivs: yesNo(c.NoNewPrivs),
		Privileged: c.Privileged != nil && *c.Privileged,
		// Traces from before the column say nothing; their rows were what Docker told.
		Partial: c.Facts == trace.FactsPartial || c.Facts == trace.FactsUnknown,
		Pods:    podsOf(c),
	}
	d.merge(&add)
}

// mode is the mode of a namespace; which other container it is shared with differs
// from replica to replica.
func mode(s string) []string {
	if strings.HasPrefix(s, "container:") {
		s = "container"
	}
	return []string{s}
}

func yesNo(b *bool) []string {
	switch {
	case b == nil:
		return nil
	case *b:
		return []string{"yes"}
	}
	return []string{"no"}
}

// merge takes the union of both. Where a list would grow over its bound the
// values that sort first stay, whatever the order of the merges.
func (d *Declared) merge(other *Declared) {
	to, from := d.lists(), other.lists()
	for i := range to {
		for _, value := range *from[i] {
			if value = clean(value); value != "" {
				*to[i] = insert(*to[i], value, maxDeclared)
			}
		}
	}
	d.Privileged = d.Privileged || other.Privileged
	d.Partial = d.Partial || other.Partial
	d.Pods = d.Pods.merge(other.Pods)
}

// insert adds value to a sorted set of at most limit values; the ones that sort
// first stay.
func insert(set []string, value string, limit int) []string {
	i, ok := slices.BinarySearch(set, value)
	if ok || i >= limit {
		return set
	}
	set = slices.Insert(set, i, strings.Clone(value))
	return set[:min(len(set), limit)]
}

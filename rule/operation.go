package rule

import (
	"slices"
	"strings"

	"mayfly/profile"
	"mayfly/trace"
)

// operation is something privileged that a workload does or does not do.
type operation struct {
	name   string     // the value of the profile's item, up to a colon where prefix is set
	prefix bool       // any value behind the colon is the same operation
	calls  []string   // Falco's event types
	cond   string     // what Falco has to check beside the event type
	kind   trace.Kind // the event that shows it
}

// operations in the order in which they are written.
var operations = []operation{
	{name: "mount", calls: []string{"mount"}, kind: trace.Mount},
	{name: "umount", calls: []string{"umount", "umount2"}, kind: trace.Umount},
	{name: "ptrace", calls: []string{"ptrace"}, kind: trace.Ptrace},
	{name: "setns", calls: []string{"setns"}, kind: trace.Setns},
	{name: "unshare", prefix: true, calls: []string{"unshare"}, kind: trace.Unshare},
	{name: "bpf", prefix: true, calls: []string{"bpf"}, kind: trace.BPF},
	{name: "module_load", calls: []string{"init_module", "finit_module"}, kind: trace.ModuleLoad},
	{name: "memfd_create", calls: []string{"memfd_create"}, kind: trace.MemfdCreate},
	{name: "setuid:0", calls: []string{"setuid", "setresuid"}, cond: "user.uid=0", kind: trace.SetUID},
}

// seen says whether the workload was seen doing it.
func (o *operation) seen(w *profile.Workload) bool {
	return slices.ContainsFunc(w.Kind(profile.Priv), func(e profile.Entry) bool { return o.is(e.Item.Value) })
}

// is says whether the value of a priv item is this operation.
func (o *operation) is(value string) bool {
	if o.prefix {
		value, _, _ = strings.Cut(value, ":")
	}
	return value == o.name
}

// operationNamed returns the operation of a name in Rule.Operations.
func operationNamed(name string) *operation {
	i := slices.IndexFunc(operations, func(o operation) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return &operations[i]
}

package rule

import (
	"slices"
	"strings"

	"mayfly/profile"
)

// adminCalls are calls that the kernel refuses to a container without
// CAP_SYS_ADMIN or CAP_SYS_MODULE (those that Docker's default profile ties to
// these capabilities, and pivot_root). Where one stands in the recording of such
// a container, the workload asked in vain: it is refused as before. Allowing it
// would help nobody but an intruder who has found a capability.
var adminCalls = strings.Fields(`bpf delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick
init_module lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open pivot_root quotactl quotactl_fd
setdomainname sethostname setns syslog umount umount2 unshare`)

// confined says that a runtime told all of every container of the workload, and
// that none has CAP_SYS_ADMIN or CAP_SYS_MODULE. A workload that makes user
// namespaces is not confined: it is its own administrator in there.
func confined(w *profile.Workload) bool {
	if w.Declared == nil || w.Declared.Privileged || w.Declared.Partial || w.Has(profile.Item{Kind: profile.Priv, Value: "unshare:NEWUSER"}) ||
		w.Has(profile.Item{Kind: profile.Priv, Value: "clone:NEWUSER"}) {
		return false
	}
	return !slices.ContainsFunc(w.Declared.CapAdd, func(name string) bool {
		name = strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		return name == "ALL" || name == "SYS_ADMIN" || name == "SYS_MODULE"
	})
}

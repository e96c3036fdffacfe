package replay

import (
	"testing"

	"mayfly/feature"
	"mayfly/profile"
)

// TestDeeds: what was never seen is said in words, and what says no more than
// something else is not said.
func TestDeeds(t *testing.T) {
	for text, want := range map[string]string{
		"refused write /proc/sys/kernel/core_pattern": "was refused to write /proc/sys/kernel/core_pattern",
		"refused mount":                        "was refused to mount",
		`called ["/bin/busybox","nc"]`:         "executed /bin/busybox as nc",
		`parent ["/usr/sbin/nginx","/bin/sh"]`: "/usr/sbin/nginx began /bin/sh",
		`parent ["","/bin/sh"]`:                "/bin/sh came from outside",
		"parent odd":                           "parent odd",
	} {
		item, err := profile.ParseItem(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := deedOf(item); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	as := []feature.NewItem{{Item: profile.Item{Kind: profile.Called, Value: `["/bin/sh","nc"]`}}}
	shell := profile.Item{Kind: profile.Exec, Value: "/bin/sh"}
	outside, within := profile.Item{Kind: profile.Parent, Value: `["","/bin/sh"]`}, profile.Item{Kind: profile.Parent, Value: `["/bin/a","/bin/sh"]`}
	all := []feature.NewItem{{Item: shell}, {Item: outside}, {Item: within}}
	if !told(as, shell) || told(as, within) {
		t.Error("told: a program that was executed by another name is told by that")
	}
	if told(all, shell) || !told(all, outside) || told(all[1:], outside) || told(all, within) {
		t.Errorf("told: shell %v, outside %v, outside alone %v, within %v, want only outside", told(all, shell), told(all, outside), told(all[1:], outside), told(all, within))
	}
}

// Package profile owns what a workload does, as sets with evidence: programs it
// runs, files it reads and writes, peers, listening ports, privileged
// operations, capabilities and system calls; and what it is declared to be.
//
// Items come in window by window through a Builder, which is bounded in memory
// and gives the same profile whatever the order of the windows:
//
//	b := profile.NewBuilder(profile.DefaultBuilderOptions)
//	b.Add(&profile.Window{Workload: "nginx", Container: id, StartNS: from, EndNS: to, Items: items})
//	p := b.Profile()
//	p.Workload("nginx").Has(profile.Item{Kind: profile.Exec, Value: "/bin/sh"})
//
// Build does that for all of a trace; Merge joins profiles, of replicas, hosts and
// days, to the same bytes in any order.
//
// A profile is written as JSON (FORMAT.md), with the same bytes for the same
// profile, and is validated when it is read: a file that holds one may be hostile.
package profile

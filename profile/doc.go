// Package profile owns what a workload does, as sets with evidence: programs it
// runs, files it reads and writes, peers, listening ports, privileged
// operations, capabilities and system calls; and what it is declared to be.
//
// Items come in window by window through a Builder, which is bounded in memory
// and gives the same profile whatever the order of the windows:
//
//	b := profile.NewBuilder(profile.DefaultBuilderOptions)
//	b.Add("nginx", containerID, host, startNS, endNS, items, counts, 0)
//	p := b.Profile()
//	p.Workload("nginx").Has(profile.Item{Kind: profile.Exec, Value: "/bin/sh"})
//
// A profile is written as JSON, with the same bytes for the same profile, and is
// validated when it is read: a detector file that holds one may be hostile.
package profile

package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mayfly/profile"
)

// Build makes the rules of a workload from its profile, and from items that
// findings named as new. The error is a *Refusal when the profile is too thin:
// nothing recorded, fewer windows than Options.MinWindows, records lost, or items
// left out because the profile was full. With Options.Force there is no refusal,
// and the reasons stand in Set.Risks.
func Build(w *profile.Workload, found []profile.Item, opts Options) (*Set, error) {
	opts = opts.withDefaults()
	reasons := doubts(w, opts)
	if len(reasons) > 0 && !opts.Force {
		return nil, &Refusal{w.Name, reasons}
	}
	repo, digest, _ := profile.SplitName(w.Name)
	s := &Set{Workload: w.Name, Images: repositories(repo, w.Declared), Digest: digest, Declared: w.Declared, Risks: reasons, Basis: Basis{
		Items: len(w.Items), Containers: len(w.Containers), Windows: w.Windows, FromNS: w.FromNS, ToNS: w.ToNS, Lost: w.Lost, GapWindows: w.GapWindows}}
	if len(w.Kind(profile.Exec)) > 0 {
		s.addPrograms(w)
	}
	s.addSecrets(w)
	s.addWrites(w, opts)
	s.addConnects(w, opts)
	s.addListens(w)
	s.addPrivileges(w)
	s.HiddenListeners = hiddenListeners(w)
	s.Scripts = scripts(w)
	_, s.Families = familiesUsed(w)
	s.Calls = newCallSet(w, opts)
	s.addFound(found, opts)
	return s, nil
}

// doubts lists why a workload should give no rules.
func doubts(w *profile.Workload, opts Options) []string {
	var why []string
	if len(w.Items) == 0 || w.Windows == 0 {
		why = append(why, "nothing was recorded")
	} else if w.Windows < opts.MinWindows {
		why = append(why, fmt.Sprintf("only %d windows were recorded, want at least %d", w.Windows, opts.MinWindows))
	}
	if w.Name == profile.Unknown {
		why = append(why, "the image of its containers is not known: they need not have anything in common")
	}
	if w.Lost > 0 {
		why = append(why, fmt.Sprintf("%d records were lost: what they held would be forbidden", w.Lost))
	}
	for _, o := range w.Overflow {
		why = append(why, fmt.Sprintf("%d occurrences of kind %s did not fit into the profile", o.Count, o.Kind))
	}
	return why
}

// add appends a rule, with the basis of the set and items of the profile.
func (s *Set) add(r Rule, items int) {
	r.Basis = s.Basis
	r.Basis.Items = items
	r.Name = fmt.Sprintf("mayfly %s: %s", Printable(s.Workload), r.Name)
	r.Tags = append([]string{"mayfly", "container"}, r.Tags...)
	s.Rules = append(s.Rules, r)
}

func (s *Set) addPrograms(w *profile.Workload) {
	programs := values(w.Kind(profile.Exec))
	s.add(Rule{Name: "unexpected program", Kind: Program, Priority: "WARNING",
		Desc:    "A program ran that this workload was never seen to run.",
		Tags:    []string{"mitre_execution", "T1059"},
		Allowed: Paths{Exact: programs}}, len(programs))
	dropped := values(w.Kind(profile.WriteExec))
	s.add(Rule{Name: "dropped program", Kind: Dropped, Priority: "CRITICAL",
		Desc:    "A program ran that is not part of the image: it was written after the container started, or lives in memory.",
		Tags:    []string{"mitre_persistence", "TA0003"},
		Allowed: Paths{Exact: dropped},
		Notes:   []string{"Falco knows files of the container's upper layer and of memory; a program on a volume or tmpfs is seen by the rule on unexpected programs only"}}, len(dropped))
}

func (s *Set) addSecrets(w *profile.Workload) {
	reads := w.Kind(profile.Read)
	denied := unreadSecrets(reads)
	if denied.Empty() {
		return
	}
	s.add(Rule{Name: "read of a secret", Kind: Secret, Priority: "WARNING",
		Desc:   "A file with secrets was read that this workload was never seen to read.",
		Tags:   []string{"mitre_credential_access", "T1555"},
		Denied: denied,
		Notes:  []string{"other files are not watched for reading: a rule on every new path would be noise"}}, len(reads))
}

func (s *Set) addWrites(w *profile.Workload, opts Options) {
	writes := w.Kind(profile.Write)
	allowed, notes := learnWrites(values(writes), opts.MaxDirs)
	s.add(Rule{Name: "write to a new place", Kind: Write, Priority: "NOTICE",
		Desc:    "A file was opened for writing outside the places that this workload was seen to write to.",
		Tags:    []string{"mitre_persistence", "T1543"},
		Allowed: allowed, Notes: notes}, len(writes))
}

func (s *Set) addConnects(w *profile.Workload, opts Options) {
	connects := w.Kind(profile.Connect)
	r := Rule{Name: "unexpected connection", Kind: Connect, Priority: "NOTICE",
		Desc: "A connection was opened to an address and port that this workload was never seen to use.",
		Tags: []string{"network", "mitre_command_and_control", "TA0011"}}
	byPort := map[uint16][]string{}
	for _, e := range connects {
		if addr, ok := profile.ParsePeer(e.Item.Value); ok && addr.Port() != 0 {
			byPort[addr.Port()] = append(byPort[addr.Port()], addr.Addr().String())
		} else if strings.HasPrefix(e.Item.Value, "unix:") && len(r.Notes) == 0 {
			r.Notes = append(r.Notes, "connections to unix sockets are not watched")
		}
	}
	for port, addrs := range byPort {
		if len(addrs) > opts.MaxPeers {
			r.Ports = append(r.Ports, port)
			continue
		}
		for _, addr := range addrs {
			r.Peers = append(r.Peers, Peer{addr, port})
		}
	}
	slices.Sort(r.Ports)
	slices.SortFunc(r.Peers, comparePeers)
	for _, port := range r.Ports {
		r.Notes = append(r.Notes, fmt.Sprintf("port %d is open to every address: %d were seen", port, len(byPort[port])))
	}
	s.add(r, len(connects))
}

func (s *Set) addListens(w *profile.Workload) {
	listens := w.Kind(profile.Listen)
	r := Rule{Name: "unexpected listener", Kind: Listen, Priority: "WARNING",
		Desc: "A socket began to listen on a port that this workload was never seen to serve.",
		Tags: []string{"network", "mitre_persistence", "T1571"}}
	for _, e := range listens {
		if addr, ok := profile.ParsePeer(e.Item.Value); ok {
			r.Ports = append(r.Ports, addr.Port())
		}
	}
	if w.Declared != nil {
		for _, text := range w.Declared.Ports {
			text, _, _ = strings.Cut(text, "/")
			if port, err := strconv.ParseUint(text, 10, 16); err == nil {
				r.Ports = append(r.Ports, uint16(port))
			}
		}
	}
	slices.Sort(r.Ports)
	r.Ports = slices.Compact(r.Ports)
	s.add(r, len(listens))
}

func (s *Set) addPrivileges(w *profile.Workload) {
	r := Rule{Name: "privileged operation", Kind: Privilege, Priority: "CRITICAL",
		Desc:    "An operation on namespaces, mounts, other processes, the kernel or user 0 was asked for that this workload never asked for.",
		Tags:    []string{"mitre_privilege_escalation", "TA0004"},
		Allowed: Paths{Exact: values(w.Kind(profile.Exec))},
		Notes:   []string{"watches the programs that are known; any other is caught when it starts"}}
	own := confined(w)
	for _, op := range operations {
		if !op.seen(w) || own && slices.Contains(adminOperations, op.name) {
			r.Operations = append(r.Operations, op.name)
		}
	}
	if len(r.Operations) > 0 {
		s.add(r, len(w.Kind(profile.Priv)))
	}
}

func values(entries []profile.Entry) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Item.Value
	}
	return out
}

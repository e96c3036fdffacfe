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
// nothing or too little recorded, records lost, a gap in the recording, items left
// out because the profile was full, or too much of what a rule allows probably not
// seen yet (Options.MaxUnseen). With Options.Audit the set is one that only watches
// then, with Options.Force as any; the reasons stand in Set.Risks.
func Build(w *profile.Workload, found []profile.Item, opts Options) (*Set, error) {
	opts = opts.withDefaults()
	repo, digest, _ := profile.SplitName(w.Name)
	s := &Set{Workload: w.Name, Images: repositories(repo, w.Declared), Digest: digest, Declared: w.Declared, Basis: Basis{
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
	s.Risks = append(doubts(w, opts), s.unseen(w, opts)...)
	if len(s.Risks) > 0 && !opts.Force {
		if s.Audit = opts.Audit && len(w.Items) > 0; !s.Audit {
			return nil, &Refusal{w.Name, s.Risks}
		}
	}
	s.addFound(found, opts)
	return s, nil
}

// add appends a rule, with the basis of the set and items of the profile.
func (s *Set) add(r Rule, items int) {
	r.Basis = s.Basis
	r.Basis.Items = items
	r.Name = ruleName(s.Workload, r.Name)
	r.Tags = append([]string{"mayfly", "container"}, r.Tags...)
	s.Rules = append(s.Rules, r)
}

// ruleName names a rule of a workload.
func ruleName(workload, name string) string {
	return fmt.Sprintf("mayfly %s: %s", Printable(workload), name)
}

func (s *Set) addPrograms(w *profile.Workload) {
	programs := values(w.Kind(profile.Exec))
	s.add(Rule{Name: "unexpected program", Kind: Program, Priority: "WARNING",
		Desc:    "A program ran that this workload was never seen to run.",
		Tags:    []string{"mitre_execution", "T1059"},
		Allowed: Paths{Exact: programs}, Price: Price{Unseen: unseenItems(w, profile.Exec)}}, len(programs))
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
	allowed, set, notes := learnWrites(w, opts)
	s.add(Rule{Name: "write to a new place", Kind: Write, Priority: "NOTICE",
		Desc:    "A file was opened for writing outside the places that this workload was seen to write to.",
		Tags:    []string{"mitre_persistence", "T1543"},
		Allowed: allowed, Notes: notes, Price: Price{set.Wildcards, unseen(w, set.Seen, set.Late, set.Misses)}}, len(writes))
}

func (s *Set) addConnects(w *profile.Workload, opts Options) {
	connects := w.Kind(profile.Connect)
	r := Rule{Name: "unexpected connection", Kind: Connect, Priority: "NOTICE",
		Desc: "A connection was opened to an address and port that this workload was never seen to use.",
		Tags: []string{"network", "mitre_command_and_control", "TA0011"}}
	r.Allowed = sockets(connects)
	set := profile.GeneralisePeers(w, connects, profile.PeerOptions{MaxPeers: opts.MaxPeers})
	for _, p := range set.Prefixes {
		peer := Peer{p.Prefix.String(), p.Port}
		if p.Prefix.IsSingleIP() {
			peer.Addr = p.Prefix.Addr().String()
		}
		r.Peers = append(r.Peers, peer)
	}
	slices.SortFunc(r.Peers, comparePeers)
	r.Ports, r.Wildcards = set.Ports, set.Wildcards
	for i := range set.Wildcards {
		if c := &set.Wildcards[i]; c.Form == profile.FormPort {
			r.Notes = append(r.Notes, fmt.Sprintf("port %s is open to every address: %d were seen", strings.TrimPrefix(c.Pattern, "*:"), c.Values))
		}
	}
	r.Unseen = unseen(w, set.Seen, set.Late, set.Misses)
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
	r.Allowed = sockets(listens)
	r.Unseen = unseenItems(w, profile.Listen)
	s.add(r, len(listens))
}

func (s *Set) addPrivileges(w *profile.Workload) {
	r := Rule{Name: "privileged operation", Kind: Privilege, Priority: "CRITICAL",
		Desc:    "An operation on namespaces, mounts, other processes, the kernel or user 0 was asked for that this workload never asked for.",
		Tags:    []string{"mitre_privilege_escalation", "TA0004"},
		Allowed: Paths{Exact: values(w.Kind(profile.Exec))},
		Notes:   []string{"watches the programs that are known; any other is caught when it starts"}}
	for _, op := range operations {
		if !op.seen(w) { // what is asked for in vain is asked for again
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
